//! What was said, as attributes: JSON in the shape of the GenAI conventions, without secrets, cut to size.

use keygate_domain::Redactor;
use keygate_provider::{Message, Part, Transcript};
use opentelemetry::KeyValue;
use serde_json::{Map, Value, json};

use crate::spans::names;

/// What a message or a part costs besides its words.
const FRAME_BYTES: usize = 48;

/// Secrets are looked for this far behind a cut: half of one is no part of what is told.
const LONGEST_SECRET_BYTES: usize = 4096;

/// The attributes of a span with this content.
pub(super) fn attributes(told: &Transcript, redactor: &Redactor, max_bytes: usize) -> Vec<KeyValue> {
    let half = max_bytes / 2;
    // Instructions may be long, and what was said last must have its room.
    let mut asked = Cutter::new(redactor, half / 4);
    let system = asked.parts(&told.system);
    asked.left += half - half / 4;
    let mut input: Vec<Value> = told.input.iter().rev().map_while(|said| asked.message(said)).collect();
    input.reverse();
    let mut answered = Cutter::new(redactor, half);
    let output: Vec<Value> = told.output.iter().map_while(|said| answered.message(said)).collect();
    let is_cut = asked.is_cut || answered.is_cut || told.has_gaps;
    let lists = [
        (names::SYSTEM_INSTRUCTIONS, system),
        (names::INPUT_MESSAGES, input),
        (names::OUTPUT_MESSAGES, output),
    ];
    let full = lists.into_iter().filter(|(_, list)| !list.is_empty());
    let mut attributes: Vec<KeyValue> =
        full.map(|(name, list)| KeyValue::new(name, Value::from(list).to_string())).collect();
    if is_cut {
        attributes.push(KeyValue::new(names::CONTENT_TRUNCATED, true));
    }
    attributes
}

/// Takes secrets out, and cuts off what is too much.
struct Cutter<'a> {
    redactor: &'a Redactor,
    left: usize,
    is_cut: bool,
}

impl<'a> Cutter<'a> {
    fn new(redactor: &'a Redactor, left: usize) -> Self {
        Self { redactor, left, is_cut: false }
    }

    /// A message; nothing once there is no room for another.
    fn message(&mut self, said: &Message) -> Option<Value> {
        self.frame()?;
        let mut message = Map::new();
        message.insert("role".to_owned(), self.text(&said.role).into());
        message.insert("parts".to_owned(), self.parts(&said.parts).into());
        if let Some(reason) = &said.finish_reason {
            message.insert("finish_reason".to_owned(), reason.as_str().into());
        }
        Some(message.into())
    }

    fn parts(&mut self, parts: &[Part]) -> Vec<Value> {
        parts.iter().map_while(|part| self.part(part)).collect()
    }

    fn part(&mut self, part: &Part) -> Option<Value> {
        self.frame()?;
        Some(match part {
            Part::Text(text) => json!({"type": "text", "content": self.text(text)}),
            Part::Reasoning(text) => json!({"type": "reasoning", "content": self.text(text)}),
            Part::ToolCall { id, name, arguments } => json!({
                "type": "tool_call", "id": self.some(id.as_deref()), "name": self.text(name),
                "arguments": self.value(arguments),
            }),
            Part::ToolResponse { id, response } => json!({
                "type": "tool_call_response", "id": self.some(id.as_deref()), "response": self.value(response),
            }),
            // The conventions want the bytes in `content`; they stay here.
            Part::Media { mime_type, size } => json!({
                "type": "blob", "mime_type": self.some(mime_type.as_deref()),
                "modality": modality(mime_type.as_deref()), "content": "", "size_bytes": size,
            }),
            Part::Elsewhere { mime_type, uri } => json!({
                "type": "uri", "mime_type": self.some(mime_type.as_deref()),
                "modality": modality(mime_type.as_deref()), "uri": self.text(uri),
            }),
            Part::Other(kind) => json!({"type": self.text(kind)}),
        })
    }

    /// Takes the room of a frame. Nothing where there is none, and the rest is cut off.
    fn frame(&mut self) -> Option<()> {
        self.is_cut |= self.left < FRAME_BYTES;
        self.left = self.left.checked_sub(FRAME_BYTES)?;
        Some(())
    }

    fn some(&mut self, text: Option<&str>) -> Value {
        text.map_or(Value::Null, |text| self.text(text).into())
    }

    /// What tools are handed and hand back: as it is while there is room, else the beginning as a text.
    fn value(&mut self, value: &Value) -> Value {
        if let Value::String(text) = value {
            return self.text(text).into();
        }
        let whole = value.to_string();
        let clean = self.text(&whole);
        serde_json::from_str(&clean).unwrap_or(Value::String(clean))
    }

    fn text(&mut self, text: &str) -> String {
        let window = &text[..text.floor_char_boundary(self.left.saturating_add(LONGEST_SECRET_BYTES))];
        let clean = self.redactor.scrub_text(window);
        let (end, spent) = fitting(&clean, self.left);
        self.left -= spent;
        if end == clean.len() && window.len() == text.len() {
            return clean.into_owned();
        }
        self.is_cut = true;
        self.left = 0;
        format!("{}… [{} bytes left out]", &clean[..end], text.len().saturating_sub(end))
    }
}

/// How much of a text fits into so many bytes of JSON, and how many it takes.
fn fitting(text: &str, room: usize) -> (usize, usize) {
    let (mut end, mut spent) = (0, 0);
    for character in text.chars() {
        if spent + cost(character) > room {
            break;
        }
        end += character.len_utf8();
        spent += cost(character);
    }
    (end, spent)
}

/// The bytes of a character within a text of JSON.
fn cost(character: char) -> usize {
    match character {
        '"' | '\\' | '\n' | '\r' | '\t' => 2,
        control if control < ' ' => 6,
        other => other.len_utf8(),
    }
}

fn modality(mime_type: Option<&str>) -> &str {
    let kind = mime_type.and_then(|kind| kind.split('/').next()).unwrap_or_default();
    if matches!(kind, "image" | "video" | "audio") { kind } else { "document" }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "planted-secret-0123456789";

    fn redactor() -> Redactor {
        Redactor::new([SECRET], &[]).unwrap()
    }

    fn user(text: &str) -> Message {
        let parts = vec![Part::Text(text.to_owned())];
        Message { role: "user".to_owned(), parts, finish_reason: None }
    }

    fn told(transcript: &Transcript, max_bytes: usize) -> Vec<(String, String)> {
        let attributes = attributes(transcript, &redactor(), max_bytes);
        attributes.into_iter().map(|one| (one.key.to_string(), one.value.to_string())).collect()
    }

    #[test]
    fn messages_have_the_shape_of_the_conventions() {
        let media = Part::Media { mime_type: Some("image/png".to_owned()), size: 7 };
        let call = Part::ToolCall { id: None, name: "look".to_owned(), arguments: json!({"at": 1}) };
        let transcript = Transcript {
            system: vec![Part::Text("be brief".to_owned())],
            input: vec![Message { parts: vec![Part::Text("hello".to_owned()), media], ..user("") }],
            output: vec![Message {
                role: "assistant".to_owned(),
                parts: vec![call],
                finish_reason: Some("stop".to_owned()),
            }],
            has_gaps: false,
        };
        let told = told(&transcript, 4096);
        let read = |place: usize| serde_json::from_str::<Value>(&told[place].1).unwrap();
        assert_eq!(
            told.iter().map(|(name, _)| &**name).collect::<Vec<_>>(),
            ["gen_ai.system_instructions", "gen_ai.input.messages", "gen_ai.output.messages"]
        );
        assert_eq!(read(0), json!([{"type": "text", "content": "be brief"}]));
        assert_eq!(
            read(1),
            json!([{"role": "user", "parts": [
                {"type": "text", "content": "hello"},
                {"type": "blob", "mime_type": "image/png", "modality": "image", "content": "", "size_bytes": 7},
            ]}])
        );
        assert_eq!(
            read(2),
            json!([{"role": "assistant", "finish_reason": "stop", "parts": [
                {"type": "tool_call", "id": null, "name": "look", "arguments": {"at": 1}},
            ]}])
        );
    }

    #[test]
    fn what_is_too_much_is_cut_off_visibly_and_the_last_words_stay() {
        let history = (0..100).map(|number| user(&format!("said {number}: {}", "x".repeat(100))));
        let transcript = Transcript {
            system: vec![Part::Text("\"".repeat(100_000))],
            input: history.collect(),
            output: vec![user(&"y".repeat(100_000))],
            has_gaps: false,
        };
        let told = told(&transcript, 4096);
        let size: usize = told.iter().map(|(_, value)| value.len()).sum();
        assert!(size < 5000, "{size}");
        assert_eq!(told[3], ("keygate.content.truncated".to_owned(), "true".to_owned()));
        assert!(told[0].1.contains("bytes left out]"), "{}", told[0].1);
        assert!(told[1].1.contains("said 99") && !told[1].1.contains("said 1:"), "{}", told[1].1);
        assert!(told[2].1.contains("yyy… [9"), "{}", told[2].1);
        for (_, value) in &told[..3] {
            serde_json::from_str::<Value>(value).unwrap();
        }
    }

    #[test]
    fn no_part_of_a_secret_is_told_wherever_the_cut_is() {
        for filler in 0..120 {
            let text = format!("{}{SECRET} {}", "z".repeat(filler), "z".repeat(9000));
            let transcript = Transcript { input: vec![user(&text)], ..Transcript::default() };
            let told = told(&transcript, 300);
            assert!(!told[0].1.contains("planted"), "{filler}: {}", told[0].1);
        }
        let arguments = json!({"key": SECRET});
        let part = Part::ToolCall { id: None, name: "f".to_owned(), arguments };
        let transcript =
            Transcript { input: vec![Message { parts: vec![part], ..user("") }], ..Transcript::default() };
        assert!(!format!("{:?}", told(&transcript, 4096)).contains(SECRET));
    }

    #[test]
    fn gaps_are_told() {
        let transcript = Transcript { has_gaps: true, ..Transcript::default() };
        assert_eq!(told(&transcript, 4096), [("keygate.content.truncated".to_owned(), "true".to_owned())]);
    }
}
