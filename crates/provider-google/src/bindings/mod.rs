//! What answers say of what belongs to whom: created, found, gone.
//!
//! An answer to a plain generate request names nothing, and nothing is looked at: its meter is the one that
//! counts tokens. Only answers about what a project keeps are kept for reading, up to a bound.

mod lifetime;
mod made;

use bytes::Bytes;
use keygate_domain::{Binding, Failure, Intent, Refusal, Replay, Resource};
use keygate_provider::{Ended, Inbound, Meter, Metered};

use crate::operations::DOWNLOAD_FILE;
use crate::query::decode;
use crate::references::{collection, named_in_path};
use crate::routes::Effect;
use made::Made;

/// `meter`, and what has to be seen besides it.
pub(crate) fn watching(meter: Box<dyn Meter>, intent: &Intent, inbound: &Inbound<'_>) -> Box<dyn Meter> {
    // What a model is asked is most of what there is; it makes nothing that stays.
    let is_asked = intent.replay == Replay::Safe && intent.user_units > 0;
    let effect = if is_asked { None } else { Effect::of(intent.operation) };
    match effect {
        Some(Effect::Read) if intent.operation == DOWNLOAD_FILE => meter,
        Some(effect @ (Effect::Create | Effect::Change | Effect::Read)) => {
            Box::new(Made::new(meter, effect, intent, inbound))
        }
        Some(Effect::Delete) => Box::new(Deleted { meter, gone: deleted(inbound.path) }),
        Some(Effect::Ask | Effect::List) | None if intent.references.is_empty() => meter,
        Some(Effect::Ask | Effect::List) | None => {
            Box::new(Found { meter, found: found(&intent.references) })
        }
    }
}

/// What a deletion takes away: the thing itself, not something inside it.
fn deleted(path: &str) -> Option<Resource> {
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
