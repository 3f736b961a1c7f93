//! A question, as a backend asks it, and the native request it becomes.

use std::fmt;

use bytes::Bytes;
use keygate_config::AssistantConfig;
use keygate_domain::{ErrorKind, Refusal, UserId};
use serde::de::{DeserializeOwned, Deserializer, Unexpected, Visitor};
use serde::{Deserialize, Serialize};

/// Longest model name, in bytes; Google's own are below 64.
const MAX_MODEL_BYTES: usize = 256;
/// Most turns of a history.
const MOST_TURNS: usize = 1000;
/// Longest id of a project, in bytes.
const MAX_PROJECT_BYTES: usize = 256;

/// Beyond this a float has no exact whole numbers (2^53).
const LARGEST_WHOLE: f64 = 9_007_199_254_740_992.0;

/// A question. Fields that nobody knows are passed over: backends send what they have.
#[derive(Debug, Deserialize)]
#[serde(expecting = "an object")]
pub(super) struct Question {
    /// What is asked.
    pub(super) message: String,
    /// What the question belongs to, for traces.
    pub(super) project_id: Option<Id>,
    /// Who asks, in place of the header.
    pub(super) user_id: Option<Id>,
    /// Who answers; the configured model otherwise.
    pub(super) model: Option<String>,
    /// What the model is told first; the configured text otherwise.
    pub(super) system: Option<String>,
    /// What was said before, the first turn first.
    pub(super) history: Option<Vec<Turn>>,
    /// Whether the answer is to come as events.
    pub(super) stream: Option<bool>,
}

/// One turn of a conversation.
#[derive(Debug, Deserialize)]
#[serde(expecting = "an object")]
pub(super) struct Turn {
    role: Role,
    #[serde(alias = "message", alias = "text")]
    content: String,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Role {
    User,
    #[serde(alias = "model")]
    Assistant,
}

/// An id of a backend's own: a text, or the number of a row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Id(pub(super) String);

/// A question that can be asked.
pub(super) struct Ready {
    /// The path to ask.
    pub(super) path: String,
    /// The query to ask with.
    pub(super) query: Option<&'static str>,
    pub(super) body: Bytes,
    pub(super) model: String,
}

// === what Google is sent ===

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Native<'q> {
    contents: Vec<Content<'q>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    system_instruction: Option<Content<'q>>,
}

#[derive(Serialize)]
struct Content<'q> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    parts: [Part<'q>; 1],
}

#[derive(Serialize)]
struct Part<'q> {
    text: &'q str,
}

// === impl Question ===

impl Question {
    /// Reads one from a body.
    ///
    /// # Errors
    /// `BadRequest` when it is none.
    pub(super) fn read(body: &[u8]) -> Result<Self, Refusal> {
        object(body)
    }

    /// Whether the answer is to come as events.
    pub(super) fn is_stream(&self) -> bool {
        self.stream == Some(true)
    }

    /// The native request.
    ///
    /// # Errors
    /// `BadRequest` when there is nothing to ask, or it cannot be asked like this.
    pub(super) fn ready(&self, config: &AssistantConfig) -> Result<Ready, Refusal> {
        if self.message.trim().is_empty() {
            return Err(bad("`message` is empty: ask something."));
        }
        let history = self.history.as_deref().unwrap_or_default();
        if history.len() > MOST_TURNS {
            return Err(bad(format!("`history` may hold at most {MOST_TURNS} turns.")));
        }
        bounded("project_id", self.project_id.as_ref(), MAX_PROJECT_BYTES)?;
        bounded("user_id", self.user_id.as_ref(), UserId::MAX_BYTES)?;
        let model = self.model.as_deref().map_or(Ok(config.model.as_str()), model)?.to_owned();
        let verb = if self.is_stream() { "streamGenerateContent" } else { "generateContent" };
        let path = format!("/v1beta/models/{model}:{verb}");
        let body = self.native(history, config.system.as_deref());
        Ok(Ready { path, query: self.is_stream().then_some("alt=sse"), body, model })
    }

    fn native(&self, history: &[Turn], usual: Option<&str>) -> Bytes {
        let turns = history.iter().map(|turn| Content::of(Some(turn.role.native()), &turn.content));
        let contents = turns.chain([Content::of(Some("user"), &self.message)]).collect();
        let system = self.system.as_deref().filter(|system| !system.trim().is_empty()).or(usual);
        let native = Native { contents, system_instruction: system.map(|text| Content::of(None, text)) };
        // Texts and names are always JSON.
        Bytes::from(serde_json::to_vec(&native).unwrap_or_default())
    }
}

impl Role {
    fn native(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Assistant => "model",
        }
    }
}

impl<'q> Content<'q> {
    fn of(role: Option<&'static str>, text: &'q str) -> Self {
        Self { role, parts: [Part { text }] }
    }
}

/// A model's name as it may stand in a path.
fn model(name: &str) -> Result<&str, Refusal> {
    let short = name.strip_prefix("models/").unwrap_or(name);
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if (1..=MAX_MODEL_BYTES).contains(&short.len()) && short.bytes().all(is_fit) && !short.contains("..") {
        return Ok(short);
    }
    Err(bad("`model` is not the name of a model: letters, digits, - . and _, such as gemini-3.8-flash."))
}

fn bounded(field: &str, id: Option<&Id>, most: usize) -> Result<(), Refusal> {
    match id {
        Some(Id(id)) if id.len() > most => Err(bad(format!("`{field}` may hold at most {most} bytes."))),
        _ => Ok(()),
    }
}

/// Reads an object. Serde would take an array of its fields as well.
pub(super) fn object<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(bad("The request body must be a JSON object."));
    }
    serde_json::from_slice(body).map_err(|error| bad(format!("The request body is not understood: {error}.")))
}

pub(super) fn bad(message: impl Into<String>) -> Refusal {
    Refusal::new(ErrorKind::BadRequest, message)
}

// === impl Id ===

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyId)
    }
}

struct AnyId;

impl Visitor<'_> for AnyId {
    type Value = Id;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a whole number")
    }

    fn visit_str<E>(self, id: &str) -> Result<Id, E> {
        Ok(Id(id.to_owned()))
    }

    fn visit_i64<E>(self, id: i64) -> Result<Id, E> {
        Ok(Id(id.to_string()))
    }

    fn visit_u64<E>(self, id: u64) -> Result<Id, E> {
        Ok(Id(id.to_string()))
    }

    /// `7.0` is a whole number too, and what some languages make of 7.
    fn visit_f64<E: serde::de::Error>(self, id: f64) -> Result<Id, E> {
        if id.fract() == 0.0 && id.abs() < LARGEST_WHOLE {
            return Ok(Id(format!("{id:.0}")));
        }
        Err(E::invalid_type(Unexpected::Float(id), &self))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn config(system: Option<&str>) -> AssistantConfig {
        AssistantConfig { model: "gemini-usual".to_owned(), system: system.map(str::to_owned) }
    }

    fn ready(question: &Value, system: Option<&str>) -> Result<Ready, Refusal> {
        Question::read(question.to_string().as_bytes())?.ready(&config(system))
    }

    #[test]
    fn a_question_becomes_a_native_request() {
        let plain = ready(&json!({"message": "Hi"}), None).unwrap();
        assert_eq!(plain.path, "/v1beta/models/gemini-usual:generateContent");
        assert_eq!(plain.query, None);
        let body: Value = serde_json::from_slice(&plain.body).unwrap();
        assert_eq!(body, json!({"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}));
        let whole = json!({
            "message": "And now?", "project_id": 7.0, "user_id": -7, "model": "models/gemini-x", "system": "Be kind.",
            "history": [{"role": "user", "content": "Hi"}, {"role": "model", "text": "Hello"}], "stream": true, "extra": 1,
        });
        let whole = ready(&whole, Some("Be brief.")).unwrap();
        assert_eq!(whole.path, "/v1beta/models/gemini-x:streamGenerateContent");
        assert_eq!(whole.query, Some("alt=sse"));
        let body: Value = serde_json::from_slice(&whole.body).unwrap();
        let part = |text: &str| json!([{"text": text}]);
        assert_eq!(
            body,
            json!({
                "contents": [
                    {"role": "user", "parts": part("Hi")},
                    {"role": "model", "parts": part("Hello")},
                    {"role": "user", "parts": part("And now?")},
                ],
                "systemInstruction": {"parts": part("Be kind.")},
            })
        );
        let usual = ready(&json!({"message": "Hi", "system": null}), Some("Be brief.")).unwrap();
        let body: Value = serde_json::from_slice(&usual.body).unwrap();
        assert_eq!(body["systemInstruction"]["parts"], part("Be brief."));
    }

    #[test]
    fn what_cannot_be_asked_is_refused_with_what_is_wrong() {
        let check = |question: Value, why: &str| {
            let refusal = ready(&question, None).err().unwrap();
            assert_eq!(refusal.kind, ErrorKind::BadRequest);
            assert!(refusal.message.contains(why), "{question}: {}", refusal.message);
        };
        check(json!({}), "message");
        check(json!({"message": " "}), "empty");
        check(json!({"message": 7}), "string");
        check(json!([1]), "object");
        check(json!({"message": "x", "model": "a/../b"}), "`model`");
        check(json!({"message": "x", "model": ""}), "`model`");
        check(json!({"message": "x", "user_id": 1.5}), "whole number");
        check(json!({"message": "x", "user_id": 1e300}), "whole number");
        check(json!({"message": "x", "project_id": "x".repeat(257)}), "`project_id`");
        check(json!({"message": "x", "history": [{"role": "system", "content": "x"}]}), "system");
        check(json!({"message": "x", "history": vec![json!({"role": "user", "content": ""}); 1001]}), "1000");
    }
}
