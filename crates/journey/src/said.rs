//! What a traced request and its answer say, where that goes along with their span: kept as bytes, read by nobody here.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use keygate_domain::Intent;
use keygate_provider::{Provider, Transcript};
use keygate_telemetry::{ContentSlip, spans};
use tracing::Span;

use crate::attempt::Attempt;

/// Largest body of a request that is kept, in bytes. It costs no copy.
const MOST_ASKED_BYTES: usize = 16 * 1024 * 1024;

/// Most bytes of an answer that are kept.
const MOST_ANSWERED_BYTES: usize = 4 * 1024 * 1024;

/// One exchange of words.
pub(crate) struct Said {
    slip: ContentSlip,
    provider: Arc<dyn Provider>,
    intent: Intent,
    asked: Bytes,
    answered: BytesMut,
    /// Whether something of the answer is not kept: there was no room, or it is compressed and nothing that could be read.
    misses: bool,
}

impl Said {
    /// Of an attempt whose answer begins with `headers`, if it failed without any. Nothing if its span carries no words:
    /// then this costs a comparison.
    pub(crate) fn of(attempt: &Attempt<'_>, headers: Option<&HeaderMap>, span: &Span) -> Option<Box<Self>> {
        let mut slip = spans::content_slip(span)?;
        let Attempt { lane, call, intent, .. } = attempt;
        if !lane.provider.transcribes(intent) {
            return None;
        }
        let size = call.body.len();
        if call.inflow.is_some() || size > MOST_ASKED_BYTES || !slip.has_room_for(size) {
            spans::record_content_missing(span);
            return None;
        }
        let misses = headers.is_some_and(|headers| headers.contains_key("content-encoding"));
        Some(Box::new(Self {
            slip,
            provider: Arc::clone(&lane.provider),
            intent: (*intent).clone(),
            asked: call.body.clone(),
            answered: BytesMut::new(),
            misses,
        }))
    }

    /// The next bytes of the answer pass.
    pub(crate) fn heard(&mut self, piece: &[u8]) {
        if self.misses {
            return;
        }
        let size = self.answered.len() + piece.len();
        self.misses = size > MOST_ANSWERED_BYTES || !self.slip.has_room_for(piece.len());
        if !self.misses {
            self.answered.extend_from_slice(piece);
        }
    }

    /// All was said: it is left for the span, which must not have ended.
    pub(crate) fn leave(self) {
        let Self { slip, provider, intent, asked, answered, misses } = self;
        slip.leave(move || {
            let told = provider.transcript(&intent, &asked, &answered);
            Transcript { has_gaps: told.has_gaps || misses, ..told }
        });
    }
}
