//! An answer on its way into the cache: whole, or piece by piece as it passes to its caller.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode};
use keygate_domain::{AnswerSource, Intent};
use keygate_provider::Provider;
use tokio::sync::watch;

use super::{Inner, Kept, Key};
use crate::{Answer, AnswerBody, Lane};

/// The place of an answer that somebody has gone for. Dropped, it tells whoever waits that nothing came of it.
pub(crate) struct Place {
    cache: Arc<Inner>,
    key: Key,
    /// Where those who ask the same wait for it; nowhere, if its caller wanted an answer of its own.
    told: Option<watch::Sender<Option<Arc<Kept>>>>,
}

/// An answer that is recorded as it passes.
pub(crate) struct Recorder {
    place: Place,
    provider: Arc<dyn Provider>,
    intent: Intent,
    headers: HeaderMap,
    body: BytesMut,
}

impl Place {
    pub(super) fn new(cache: Arc<Inner>, key: Key, told: Option<watch::Sender<Option<Arc<Kept>>>>) -> Self {
        Self { cache, key, told }
    }

    /// Keeps an answer if it is one to be kept: now, or once it has passed.
    pub(crate) fn keep(self, mut answer: Answer, lane: &Lane, intent: &Intent) -> Answer {
        let is_models_own = answer.facts.source == AnswerSource::Provider && answer.facts.model.is_none();
        let is_plain = !answer.headers.contains_key("content-encoding");
        if answer.status != StatusCode::OK || !is_models_own || !is_plain {
            return answer;
        }
        match &mut answer.body {
            AnswerBody::Whole(body) if lane.provider.may_be_given_again(intent, body) => {
                self.put(answer.headers.clone(), body.clone());
            }
            AnswerBody::Whole(_) => {}
            AnswerBody::Stream { relay, .. } => relay.record(Recorder {
                place: self,
                provider: Arc::clone(&lane.provider),
                intent: intent.clone(),
                headers: answer.headers.clone(),
                body: BytesMut::new(),
            }),
        }
        answer
    }

    fn put(self, headers: HeaderMap, body: Bytes) {
        let kept = Kept { headers, body };
        if kept.size() > self.cache.largest() {
            return;
        }
        let kept = Arc::new(kept);
        self.cache.keep(self.key, Arc::clone(&kept));
        if let Some(told) = &self.told {
            told.send_replace(Some(kept));
        }
    }
}

impl Drop for Place {
    /// Nobody is to begin waiting here any more: what is kept is found, and what failed is asked for anew.
    fn drop(&mut self) {
        if self.told.is_some() {
            self.cache.flights.invalidate(&self.key);
        }
    }
}

impl Recorder {
    /// Sees the next bytes pass. False once the answer is too large to be kept.
    pub(crate) fn saw(&mut self, piece: &Bytes) -> bool {
        let size = self.body.len() + piece.len();
        if size > self.place.cache.largest() || !self.place.cache.take_room(piece.len()) {
            return false;
        }
        self.body.extend_from_slice(piece);
        true
    }

    /// Keeps what passed: it was the whole answer, and nothing was wrong with it.
    pub(crate) fn keep(mut self) {
        let body = Bytes::copy_from_slice(&self.body);
        if self.provider.may_be_given_again(&self.intent, &body) {
            let place = Place {
                cache: Arc::clone(&self.place.cache),
                key: self.place.key,
                told: self.place.told.take(),
            };
            place.put(std::mem::take(&mut self.headers), body);
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.place.cache.give_room(self.body.len());
    }
}
