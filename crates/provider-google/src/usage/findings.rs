//! What a scanner found: the last raw value of each field.

use std::borrow::Cow;

use keygate_domain::{Failure, Resource, Spend};
use keygate_provider::Metered;

use super::counts;
use super::words::Field;
use crate::faults;
use crate::references::{Text, continuation};
use crate::surface::Surface;

/// The finish reason that bars an account (google-genai, `types.py`, `FinishReason`).
const ACCOUNT_BARRED: &str = "PUP_LIMITED_DISABLED";

/// Raw values, kept as bytes until the answer is over: a stream repeats its usage in every event,
/// and only the last one is ever read.
#[derive(Debug, Default)]
pub(super) struct Findings {
    values: [Vec<u8>; Field::COUNT],
    /// A buffer that was replaced, to be used again.
    spare: Vec<u8>,
    /// The token to go on with is another one than was asked for last.
    has_new_continuation: bool,
}

impl Findings {
    /// Whether the field was found.
    pub(super) fn has(&self, field: Field) -> bool {
        !self.raw(field).is_empty()
    }

    /// Keeps a value in place of the last one. `null` says nothing, and overwrites nothing.
    pub(super) fn keep(&mut self, field: Field, value: Vec<u8>) {
        let says_something = !matches!(value.trim_ascii(), b"" | b"null");
        self.has_new_continuation |=
            says_something && field == Field::Continuation && value != self.raw(field);
        let replaced =
            if says_something { std::mem::replace(&mut self.values[field as usize], value) } else { value };
        self.spare = replaced;
    }

    /// An empty buffer.
    pub(super) fn spare(&mut self) -> Vec<u8> {
        let mut buffer = std::mem::take(&mut self.spare);
        buffer.clear();
        buffer
    }

    /// Everything found, understood.
    pub(super) fn metered(&self, surface: Surface, estimate: Spend) -> Metered {
        Metered {
            usage: counts::usage(surface, self.raw(Field::Usage)),
            failure: self.failure(estimate),
            response_model: self.text(Field::Model).map(Cow::into_owned),
            response_id: self.text(Field::Id).map(Cow::into_owned),
            finish_reason: self.text(Field::Finish).map(Cow::into_owned),
            ..Metered::default()
        }
    }

    /// The token to go on with, if it is another one than this was asked for last.
    pub(super) fn take_continuation(&mut self) -> Option<Resource> {
        let is_new = std::mem::take(&mut self.has_new_continuation);
        let token = if is_new { self.text(Field::Continuation) } else { None };
        token.filter(|token| !token.is_empty()).map(|token| continuation(&token))
    }

    /// The fault found: an error, or a finish reason that is one.
    pub(super) fn failure(&self, estimate: Spend) -> Option<Failure> {
        if self.has(Field::Error) {
            return Some(faults::failure_in_stream(self.raw(Field::Error), estimate));
        }
        (self.text(Field::Finish).as_deref() == Some(ACCOUNT_BARRED)).then(faults::account_barred)
    }

    fn text(&self, field: Field) -> Option<Cow<'_, str>> {
        let raw = self.raw(field).trim_ascii();
        let (text, end) = Text::at(raw, 0).filter(|_| raw.starts_with(b"\""))?;
        if end == raw.len() { text.read() } else { None }
    }

    fn raw(&self, field: Field) -> &[u8] {
        &self.values[field as usize]
    }
}
