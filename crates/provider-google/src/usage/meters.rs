//! The meters: one for documents that come whole or as an array, one for events.

use bytes::Bytes;
use keygate_domain::{Binding, Failure, Intent, Refusal, Spend, Streaming};
use keygate_provider::{Ended, Meter, Metered};

use super::events::Events;
use super::scanner::Scanner;
use super::skim::{self, Glance, Unread};
use super::words::{Field, Words};
use crate::bindings::Latest;
use crate::references::CONTINUATION_LIFETIME;
use crate::refusals;
use crate::surface::Surface;

/// The meter for the answer to a request.
pub(crate) fn meter(surface: Surface, intent: &Intent) -> Box<dyn Meter> {
    let (words, estimate) = (Words::of(surface), intent.estimate);
    let continuations = Latest::new(CONTINUATION_LIFETIME);
    match intent.streaming {
        Streaming::Events => Box::new(EventMeter {
            surface,
            estimate,
            words,
            events: Events::new(words),
            unread: Unread::default(),
            continuations,
        }),
        Streaming::Whole | Streaming::JsonArray | Streaming::File => {
            Box::new(DocumentMeter { surface, estimate, scanner: Scanner::new(words), continuations })
        }
    }
}

/// Reads one JSON document: an answer, or an array of answers that grows. It has no last words:
/// a client waits for the end of the document, and an error inside it would not be one.
struct DocumentMeter {
    surface: Surface,
    estimate: Spend,
    scanner: Scanner,
    continuations: Latest,
}

impl Meter for DocumentMeter {
    fn see(&mut self, chunk: &[u8]) {
        self.scanner.read(chunk);
    }

    fn failure_so_far(&self) -> Option<Failure> {
        self.scanner.findings().failure(self.estimate)
    }

    fn is_in_first_element(&self) -> bool {
        !self.scanner.has_whole_answer()
    }

    fn created(&mut self) -> Vec<Binding> {
        self.scanner.take_continuation().map(|token| self.continuations.add(token)).unwrap_or_default()
    }

    fn finish(mut self: Box<Self>, _ended: Ended) -> Metered {
        let bindings = self.created();
        Metered { bindings, ..self.scanner.findings().metered(self.surface, self.estimate) }
    }
}

/// Reads server-sent events.
struct EventMeter {
    surface: Surface,
    estimate: Spend,
    words: &'static Words,
    events: Events,
    unread: Unread,
    continuations: Latest,
}

impl EventMeter {
    /// What may wait is not read yet. The first event never may: with it the answer has begun.
    fn glance(&self, chunk: &[u8]) -> Glance {
        let scanner = self.events.scanner();
        if !self.events.is_at_boundary() || !scanner.has_whole_answer() {
            return Glance::News;
        }
        skim::glance(self.words, chunk, scanner.findings())
    }
}

impl Meter for EventMeter {
    fn see(&mut self, chunk: &[u8]) {
        match self.glance(chunk) {
            Glance::Nothing => {}
            Glance::Usage => self.unread.put(chunk),
            Glance::News => {
                self.unread.read_by(&mut self.events);
                self.events.read(chunk);
            }
        }
    }

    fn failure_so_far(&self) -> Option<Failure> {
        self.events.scanner().findings().failure(self.estimate)
    }

    fn is_in_first_element(&self) -> bool {
        !self.events.scanner().has_whole_answer()
    }

    /// An event in the form that every SDK raises as an error, its lines ended like those before. Nothing is
    /// added to a stream that has already told its error.
    fn farewell(&self, refusal: &Refusal, status: u16) -> Option<Bytes> {
        if !self.events.is_at_boundary() || self.events.scanner().findings().has(Field::Error) {
            return None;
        }
        Some(Bytes::from(refusals::event(self.surface, refusal, status, self.events.line_end())))
    }

    fn created(&mut self) -> Vec<Binding> {
        self.events.take_continuation().map(|token| self.continuations.add(token)).unwrap_or_default()
    }

    fn finish(mut self: Box<Self>, _ended: Ended) -> Metered {
        self.unread.read_by(&mut self.events);
        let bindings = self.created();
        Metered { bindings, ..self.events.scanner().findings().metered(self.surface, self.estimate) }
    }
}
