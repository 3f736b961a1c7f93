//! The little that must be known of a body before it is sent, read without keeping any of it.
//!
//! Native generate bodies are never read: they may be 100 MB of inline media, and everything
//! needed is in their path.

use std::borrow::Cow;
use std::fmt;

use keygate_domain::ErrorKind;
use keygate_provider::CallRejected;
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::references::split;

/// What an OpenAI-compatible request says of itself. A field given twice is an error: Google
/// might read the other one.
#[derive(Deserialize)]
pub(super) struct OpenAiBody<'a> {
    /// The model.
    #[serde(borrow)]
    pub model: Option<Cow<'a, str>>,
    /// Whether the answer is to come as events.
    pub stream: Option<bool>,
    /// How many texts are to be embedded.
    #[serde(default)]
    pub input: Count,
}

/// What a `batchEmbedContents` request says of itself.
#[derive(Deserialize)]
struct BatchBody {
    #[serde(default)]
    requests: Count,
}

/// How many things a field holds. Elements are skipped, not kept.
#[derive(Default)]
pub(super) struct Count(pub u32);

/// What an interaction says of itself.
pub(super) struct Interaction {
    /// The model; or the agent, where it is none of a model.
    pub answerer: Option<String>,
    /// Whether the answer is to come as events.
    pub is_streamed: bool,
    /// Whether it is kept, which it is unless the caller says no.
    pub is_kept: bool,
}

/// Reads what an interaction says of itself. It may hold as much inline media as any chat, so it is taken
/// apart where it lies; whether it is sound is the provider's to say.
pub(super) fn interaction(body: &[u8]) -> Interaction {
    let (mut model, mut agent) = (None, None);
    let (mut is_streamed, mut is_kept) = (false, true);
    let name = |value| split::string(value).filter(|name| !name.is_empty());
    for (key, value) in split::members(body) {
        match key.read().as_deref() {
            Some("model") => model = name(value),
            Some("agent") => agent = name(value),
            Some("stream") => is_streamed = value == b"true",
            Some("store") => is_kept = value != b"false",
            _ => {}
        }
    }
    Interaction { answerer: model.or(agent), is_streamed, is_kept }
}

/// Reads an OpenAI-compatible body.
///
/// # Errors
/// `BadRequest` when it is no JSON object, or one of the fields has another type.
pub(super) fn openai(body: &[u8]) -> Result<OpenAiBody<'_>, CallRejected> {
    read(body)
}

/// Counts the members of a `batchEmbedContents` body; each counts as one request at Google.
///
/// # Errors
/// `BadRequest` when it is no JSON object, or `requests` no array.
pub(super) fn batch_members(body: &[u8]) -> Result<u32, CallRejected> {
    read::<BatchBody>(body).map(|batch| batch.requests.0)
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, CallRejected> {
    serde_json::from_slice(body).map_err(|fault| {
        let place = format!("line {} column {}", fault.line(), fault.column());
        let what = if fault.is_data() { "does not fit this route" } else { "is not valid JSON" };
        CallRejected::new(ErrorKind::BadRequest, format!("The request body {what} ({place})."))
    })
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Counter)
    }
}

struct Counter;

impl<'de> Visitor<'de> for Counter {
    type Value = Count;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or an array")
    }

    fn visit_str<E>(self, _text: &str) -> Result<Count, E> {
        Ok(Count(1))
    }

    fn visit_unit<E>(self) -> Result<Count, E> {
        Ok(Count(0))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Count, A::Error> {
        let mut counted = 0_u32;
        let mut numbers = false;
        while let Some(kind) = elements.next_element::<Kind>()? {
            numbers |= matches!(kind, Kind::Number);
            counted = counted.saturating_add(1);
        }
        // An array of numbers is one text, given as tokens.
        Ok(Count(if numbers { 1 } else { counted }))
    }
}

/// What an element of an array is, as far as counting cares. Not serde's `untagged`, which would
/// copy every text to look at it twice.
enum Kind {
    Number,
    Other,
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KindVisitor)
    }
}

struct KindVisitor;

impl<'de> Visitor<'de> for KindVisitor {
    type Value = Kind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a number, an array or an object")
    }

    fn visit_u64<E>(self, _number: u64) -> Result<Kind, E> {
        Ok(Kind::Number)
    }

    fn visit_str<E>(self, _text: &str) -> Result<Kind, E> {
        Ok(Kind::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Kind, A::Error> {
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Kind::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Kind, A::Error> {
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Kind::Other)
    }
}
