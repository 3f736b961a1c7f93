//! The requests sent and the answers expected: one table for both ends, so that a contestant that
//! changes, cuts or repeats a byte is caught.

use std::fmt::Write;

use bytes::Bytes;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// Events in one stream.
pub const EVENTS: usize = 50;

const UPLOAD_BYTES: usize = 1024 * 1024;
const CHAT_BYTES: usize = 1024;

/// What is asked for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A chat of 1 KiB, answered by about 700 B.
    Chat,
    /// The same, answered by 50 server-sent events.
    Stream,
    /// A chat with 1 MiB of inline data, answered by about 700 B.
    Upload,
}

impl Kind {
    /// The path and query asked for.
    pub fn target(self) -> &'static str {
        match self {
            Self::Chat | Self::Upload => "/v1beta/models/gemini-2.5-flash:generateContent",
            Self::Stream => "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
        }
    }

    /// The body sent.
    pub fn body(self) -> Vec<u8> {
        let (open, bytes) = match self {
            Self::Chat | Self::Stream => (r#"{"contents":[{"role":"user","parts":[{"text":""#, CHAT_BYTES),
            Self::Upload => (
                r#"{"contents":[{"role":"user","parts":[{"inlineData":{"mimeType":"image/png","data":""#,
                UPLOAD_BYTES,
            ),
        };
        let close = match self {
            Self::Chat | Self::Stream => r#""}]}]}"#,
            Self::Upload => r#""}}]}]}"#,
        };
        let padding = "A".repeat(bytes.saturating_sub(open.len() + close.len()));
        [open, &padding, close].concat().into_bytes()
    }

    /// The body expected back.
    pub fn expected(self) -> Bytes {
        match self {
            Self::Chat | Self::Upload => answer(self.body().len()),
            Self::Stream => (0..EVENTS).map(event).collect::<Vec<_>>().concat().into(),
        }
    }
}

/// The whole answer to a body of `received` bytes, about 700 B; it tells how many arrived.
pub fn answer(received: usize) -> Bytes {
    let text = "The quick brown fox jumps over the lazy dog. ".repeat(8);
    let json = serde_json::json!({
        "candidates": [{
            "content": { "parts": [{ "text": text }], "role": "model" },
            "finishReason": "STOP",
            "index": 0,
        }],
        "usageMetadata": {
            "promptTokenCount": received,
            "candidatesTokenCount": 80,
            "totalTokenCount": received + 80,
            "promptTokensDetails": [{ "modality": "TEXT", "tokenCount": received }],
        },
        "modelVersion": "gemini-2.5-flash",
        "responseId": "bench-answer-000000000001",
    });
    json.to_string().into()
}

/// Event `number` of a stream, terminated as Google terminates it.
pub fn event(number: usize) -> Bytes {
    let last = number + 1 == EVENTS;
    let mut event = String::from(r#"data: {"candidates": [{"content": {"parts": [{"text": ""#);
    let _infallible = write!(event, "word {number} of the answer");
    event.push_str(r#""}],"role": "model"}"#);
    if last {
        event.push_str(r#","finishReason": "STOP""#);
    }
    let _infallible = write!(
        event,
        r#","index": 0}}],"usageMetadata": {{"promptTokenCount": 250,"candidatesTokenCount": {},"totalTokenCount": {}}},"modelVersion": "gemini-2.5-flash"}}"#,
        number + 1,
        number + 251,
    );
    event.push_str("\r\n\r\n");
    event.into()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(Kind::Chat, 1024)]
    #[case(Kind::Stream, 1024)]
    #[case(Kind::Upload, 1_048_576)]
    fn bodies_have_their_size_and_are_json(#[case] kind: Kind, #[case] bytes: usize) {
        assert_eq!(kind.body().len(), bytes);
        assert!(serde_json::from_slice::<serde_json::Value>(&kind.body()).is_ok());
    }

    #[test]
    fn an_answer_is_about_700_bytes_and_tells_what_arrived() {
        let answer = answer(1024);
        assert!((600..800).contains(&answer.len()), "{}", answer.len());
        let json: serde_json::Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!(json["usageMetadata"]["promptTokenCount"], 1024);
    }

    #[test]
    fn every_event_is_json_between_its_prefix_and_an_empty_line() {
        for number in 0..EVENTS {
            let event = event(number);
            let text = std::str::from_utf8(&event).unwrap();
            let json = text.strip_prefix("data: ").unwrap().strip_suffix("\r\n\r\n").unwrap();
            assert!(serde_json::from_str::<serde_json::Value>(json).is_ok(), "{json}");
        }
    }
}
