//! What answers say of what belongs to whom: created, found, gone.
//!
//! An answer to a plain generate request names nothing, and nothing is looked at: its meter is the one that
//! counts tokens. Only answers about what a project keeps are kept for reading, up to a bound.

mod latest;
mod lifetime;
mod made;

use bytes::Bytes;
use keygate_domain::{Binding, Failure, Intent, Refusal, Replay, Resource, Streaming};
use keygate_provider::{Ended, Inbound, Meter, Metered};

use crate::operations::CREATE_INTERACTION;
use crate::query::decode;
use crate::references::{collection, named, named_in_path, split};
use crate::routes::Effect;
use crate::surface::Surface;
use made::Made;

pub(crate) use latest::Latest;

/// `meter`, and what has to be seen besides it.
pub(crate) fn watching(meter: Box<dyn Meter>, intent: &Intent, inbound: &Inbound<'_>) -> Box<dyn Meter> {
    // What a model is asked is most of what there is; it makes nothing that stays. An interaction that is not to
    // be kept is named by those that follow it all the same.
    let is_asked = intent.replay == Replay::Safe && intent.user_units > 0;
    let is_plain = is_asked && intent.operation != CREATE_INTERACTION;
    // The bytes of a file tell nothing: what is written in them is not the provider's word.
    let is_file = intent.streaming == Streaming::File;
    let effect = if is_plain || is_file { None } else { Effect::of(intent.operation) };
    match effect {
        Some(effect @ (Effect::Create | Effect::Change | Effect::Read)) => {
            Box::new(Made::new(meter, effect, intent, inbound))
        }
        Some(Effect::Delete) => Box::new(Deleted { meter, gone: deleted(intent, inbound.path) }),
        Some(Effect::Ask | Effect::List) | None if intent.references.is_empty() => meter,
        Some(Effect::Ask | Effect::List) | None => {
            Box::new(Found { meter, found: found(&intent.references) })
        }
    }
}

/// The thing that `thing` describes, for as long as it says or as is usual; nothing if its name is none.
pub(crate) fn of_thing(thing: &[u8]) -> Option<Binding> {
    let resource = split::member(thing, "name").and_then(split::string).and_then(|name| named(&name))?;
    made::binding(resource, lifetime::told(thing).filter(|lifetime| !lifetime.is_zero()))
}

/// What a deletion takes away: the thing itself, not something inside it.
fn deleted(intent: &Intent, path: &str) -> Option<Resource> {
    if Surface::of(path) == Surface::OpenAi {
        return intent.references.first().cloned();
    }
    let mut segments = path.trim_start_matches('/').split('/').skip(1);
    let (collection, id) = (segments.next()?, segments.next()?);
    let id = decode(id)?;
    let rest: Vec<&str> = segments.collect();
    match rest.as_slice() {
        [] => named_in_path(&[collection, &id]),
        [operations, operation] if collection == "models" => {
            named_in_path(&[collection, &id, operations, operation])
        }
        _ => None,
    }
}

/// The resources named that are surely some project's own: whoever served a request has all of them.
fn found(references: &[Resource]) -> Vec<Binding> {
    let owned = references.iter().filter_map(|resource| {
        let collection = collection(resource.kind).filter(|collection| collection.is_always_owned)?;
        Some(Binding { resource: resource.clone(), lifetime: collection.lifetime, keepsake: None })
    });
    owned.collect()
}

/// For an answer that was given with what belongs to a project.
struct Found {
    meter: Box<dyn Meter>,
    found: Vec<Binding>,
}

/// For the answer to a deletion.
struct Deleted {
    meter: Box<dyn Meter>,
    gone: Option<Resource>,
}

impl Meter for Found {
    fn see(&mut self, chunk: &[u8]) {
        self.meter.see(chunk);
    }

    fn failure_so_far(&self) -> Option<Failure> {
        self.meter.failure_so_far()
    }

    fn is_in_first_element(&self) -> bool {
        self.meter.is_in_first_element()
    }

    fn created(&mut self) -> Vec<Binding> {
        self.meter.created()
    }

    fn farewell(&self, refusal: &Refusal, status: u16) -> Option<Bytes> {
        self.meter.farewell(refusal, status)
    }

    fn finish(self: Box<Self>, ended: Ended) -> Metered {
        let metered = self.meter.finish(ended);
        let found = if metered.failure.is_none() { self.found } else { Vec::new() };
        Metered { found, ..metered }
    }
}

impl Meter for Deleted {
    fn see(&mut self, chunk: &[u8]) {
        self.meter.see(chunk);
    }

    fn failure_so_far(&self) -> Option<Failure> {
        self.meter.failure_so_far()
    }

    fn finish(self: Box<Self>, ended: Ended) -> Metered {
        let metered = self.meter.finish(ended);
        let gone = self.gone.filter(|_| metered.failure.is_none());
        Metered { gone: gone.into_iter().collect(), ..metered }
    }
}
