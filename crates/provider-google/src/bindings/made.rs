//! What an answer created, or shows of what was created before.

use std::time::Duration;

use bytes::Bytes;
use keygate_domain::{Binding, Failure, Intent, Refusal, Resource};
use keygate_provider::{Ended, Inbound, Meter, Metered};

use super::{found, lifetime};
use crate::references::{OTHER, collection, in_answer, named, named_in_path, split, with_id};
use crate::routes::Effect;
use crate::surface::Surface;

/// How much of an answer is kept for reading, in bytes. What has a name says it near its beginning; of a
/// batch with its results inside, the rest is passed on unread.
const MOST_KEPT: usize = 256 * 1024;

/// Where in a stream its first event ends at the latest, in bytes.
const MOST_FIRST: usize = 16 * 1024;

/// How much is kept of the end of a stream, in bytes; up to twice as much before it is cut.
const MOST_TAIL: usize = 64 * 1024;

/// Keeps the beginning of an answer about something that a project keeps.
pub(super) struct Made {
    meter: Box<dyn Meter>,
    /// The collection of the path.
    collection: String,
    /// What the request itself named: that is not made by the answer.
    named: Vec<Resource>,
    effect: Effect,
    /// Whether the path is that of a thing or its collection, and not of something inside a thing.
    is_direct: bool,
    /// What the request says of the lifetime of what it makes.
    wished: Option<Duration>,
    is_events: bool,
    answer: Vec<u8>,
    /// The last events of a stream that is longer: what it left behind stands in the last of all.
    tail: Vec<u8>,
    /// What was told before the end, once there was something to tell.
    told: Option<Vec<Resource>>,
}

impl Made {
    pub(super) fn new(meter: Box<dyn Meter>, effect: Effect, intent: &Intent, inbound: &Inbound<'_>) -> Self {
        // The collection stands behind the version, or behind the beginning of the surface.
        let start = if Surface::of(inbound.path) == Surface::OpenAi { 2 } else { 1 };
        let segments = || inbound.path.trim_start_matches('/').split('/').skip(start);
        let collection = segments().next().unwrap_or_default();
        Self {
            meter,
            collection: collection.split(':').next().unwrap_or_default().to_owned(),
            named: intent.references.clone(),
            effect,
            is_direct: segments().count() <= 2,
            wished: lifetime::told(inbound.body),
            is_events: intent.streaming.is_stream(),
            answer: Vec::new(),
            tail: Vec::new(),
            told: None,
        }
    }

    /// What the answer so far says was made, in the words of bindings.
    fn made(&self) -> Vec<Binding> {
        let documents: Vec<&[u8]> = if self.is_events {
            payloads(&self.answer).chain(payloads(&self.tail)).collect()
        } else {
            vec![&self.answer]
        };
        documents.into_iter().flat_map(|document| self.made_by(document)).collect()
    }

    fn made_by(&self, document: &[u8]) -> Vec<Binding> {
        // Registered files, and the interaction of an event, stand one level deeper.
        let listed = ["files", "interaction", "file"].iter().filter_map(|name| split::member(document, name));
        let nested: Vec<&[u8]> = listed
            .flat_map(
                |value| if value.starts_with(b"[") { split::elements(value).collect() } else { vec![value] },
            )
            .collect();
        let things = [document].into_iter().chain(nested);
        let mut made: Vec<Binding> = things.flat_map(|thing| self.thing(thing)).collect();
        // The files that a batch, an operation or an interaction left behind.
        for resource in in_answer(document).into_iter().filter(|resource| resource.kind == "files") {
            if !self.named.contains(&resource) && !made.iter().any(|binding| binding.resource == resource) {
                made.extend(binding(resource, None));
            }
        }
        made
    }

    /// A thing and what it says of itself.
    fn thing(&self, thing: &[u8]) -> Vec<Binding> {
        let mut resources = Vec::new();
        for (key, value) in split::members(thing) {
            match key.read().as_deref() {
                Some("name") => resources.extend(split::string(value).and_then(|name| self.by_name(&name))),
                Some("id") => resources.extend(split::string(value).and_then(|id| self.by_id(&id))),
                // The token to go on with is found by the meter, wherever it stands.
                Some("environment_id" | "interaction_id") => {
                    let member = [b"{\"", key.raw(), b"\":", value, b"}"].concat();
                    resources.extend(in_answer(&member));
                }
                _ => {}
            }
        }
        let told = lifetime::told(thing);
        // What the request named was there before. A change may have moved its end.
        let is_moved = self.effect == Effect::Change && told.is_some();
        resources.retain(|resource| is_moved || !self.named.contains(resource));
        let lifetime = told.or(self.wished);
        resources.into_iter().filter_map(|resource| binding(resource, lifetime)).collect()
    }

    /// A name in the collection of the path counts also where nobody knows that collection.
    fn by_name(&self, name: &str) -> Option<Resource> {
        let segments: Vec<&str> = name.split('/').collect();
        let is_of_path = segments.first() == Some(&self.collection.as_str());
        if is_of_path { named_in_path(&segments) } else { named(name) }
    }

    /// Interactions and what is kept beside them have ids instead of names.
    fn by_id(&self, id: &str) -> Option<Resource> {
        match collection(&self.collection).map(|collection| collection.name) {
            _ if !self.is_direct => None,
            Some("models" | "dynamic" | "operations") => None,
            // On one surface ids are names.
            Some(known) if known != OTHER => named(id).or_else(|| with_id(known, id)),
            Some(_) | None => with_id(OTHER, &format!("{}/{id}", self.collection)),
        }
    }
}

/// A binding for as long as is said, or as is usual.
pub(super) fn binding(resource: Resource, lifetime: Option<Duration>) -> Option<Binding> {
    let usual = collection(resource.kind)?.lifetime;
    Some(Binding { lifetime: lifetime.unwrap_or(usual), keepsake: None, resource })
}

/// The payloads of events, those that are whole.
fn payloads(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = stream.split(|byte| matches!(byte, b'\r' | b'\n'));
    lines
        .filter_map(|line| line.strip_prefix(b"data:"))
        .map(<[u8]>::trim_ascii)
        .filter(|data| split::is_whole(data))
}

impl Meter for Made {
    fn see(&mut self, chunk: &[u8]) {
        self.meter.see(chunk);
        let (kept, rest) = chunk.split_at(chunk.len().min(MOST_KEPT - self.answer.len()));
        self.answer.extend_from_slice(kept);
        if self.is_events && !rest.is_empty() {
            self.tail.extend_from_slice(rest);
            let too_many = self.tail.len().saturating_sub(MOST_TAIL);
            if too_many > MOST_TAIL {
                self.tail.drain(..too_many);
            }
        }
    }

    fn failure_so_far(&self) -> Option<Failure> {
        self.meter.failure_so_far()
    }

    fn is_in_first_element(&self) -> bool {
        self.meter.is_in_first_element()
    }

    fn created(&mut self) -> Vec<Binding> {
        let mut created = self.meter.created();
        // Of an answer in one piece the end tells all; of a stream what was created stands in the first event.
        if self.is_events && self.effect == Effect::Create && self.told.is_none() {
            let made = self.made();
            if !made.is_empty() || self.answer.len() > MOST_FIRST {
                self.told = Some(made.iter().map(|binding| binding.resource.clone()).collect());
            }
            created.extend(made);
        }
        created
    }

    fn farewell(&self, refusal: &Refusal, status: u16) -> Option<Bytes> {
        self.meter.farewell(refusal, status)
    }

    fn finish(self: Box<Self>, ended: Ended) -> Metered {
        let mut made = self.made();
        let told = self.told.unwrap_or_default();
        made.retain(|binding| !told.contains(&binding.resource));
        let mut metered = self.meter.finish(ended);
        if metered.failure.is_some() {
            return metered;
        }
        metered.bindings.extend(made);
        Metered { found: found(&self.named), ..metered }
    }
}
