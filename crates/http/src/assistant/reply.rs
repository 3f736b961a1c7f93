//! What Gemini answered, in plain words.

use keygate_domain::AnswerSource;
use serde::{Deserialize, Serialize};

/// A native answer, or one event of a stream, as far as a reply needs it.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Native {
    candidates: Vec<Candidate>,
    prompt_feedback: Option<Feedback>,
    usage_metadata: Option<Counts>,
    model_version: Option<String>,
    /// An error inside a stream.
    pub(super) error: Option<NativeError>,
}

/// An error as Google writes it.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct NativeError {
    pub(super) code: Option<u16>,
    pub(super) message: Option<String>,
}

/// The body of an error answer.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ErrorBody {
    pub(super) error: NativeError,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Candidate {
    content: Content,
    finish_reason: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Content {
    parts: Vec<Part>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Part {
    text: String,
    /// A summary of what the model thought, which is no part of its reply.
    thought: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Feedback {
    block_reason: Option<String>,
}

/// Google's counts; a zero is left out.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "they are Google's names")]
struct Counts {
    prompt_token_count: u64,
    tool_use_prompt_token_count: u64,
    candidates_token_count: u64,
    thoughts_token_count: u64,
    cached_content_token_count: u64,
    total_token_count: u64,
}

/// A reply, as a backend gets it.
#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the contract calls the text so, too")]
pub(super) struct Reply {
    pub(super) reply: String,
    pub(super) model: String,
    pub(super) source: &'static str,
    pub(super) usage: ReplyUsage,
    /// Why the model stopped, in Google's words in lower case; `null` if it does not say.
    pub(super) finish_reason: Option<String>,
    pub(super) request_id: String,
}

/// What a reply cost, in tokens.
#[derive(Clone, Copy, Default, Serialize)]
#[expect(clippy::struct_field_names, reason = "all of them are tokens")]
pub(super) struct ReplyUsage {
    input_tokens: u64,
    output_tokens: u64,
    thought_tokens: u64,
    cached_tokens: u64,
    total_tokens: u64,
}

/// A reply in the making: from one answer, or from the events of a stream.
pub(super) struct Draft {
    text: String,
    model: String,
    usage: ReplyUsage,
    finish_reason: Option<String>,
    source: AnswerSource,
}

impl Draft {
    /// Nothing yet, from the model that was asked.
    pub(super) fn of(model: &str, source: AnswerSource) -> Self {
        Self {
            source,
            text: String::new(),
            model: model.to_owned(),
            usage: ReplyUsage::default(),
            finish_reason: None,
        }
    }

    /// Takes what an answer, or the next event, adds; returns the new text.
    pub(super) fn take(&mut self, native: Native) -> String {
        let blocked = native.prompt_feedback.and_then(|feedback| feedback.block_reason);
        let candidate = native.candidates.into_iter().next().unwrap_or_default();
        let reason = candidate.finish_reason.or(blocked);
        if let Some(reason) = reason {
            self.finish_reason = Some(reason.to_ascii_lowercase());
        }
        // Running values: the last one is the whole.
        if let Some(counts) = native.usage_metadata {
            self.usage = counts.usage();
        }
        if let Some(model) = native.model_version {
            self.model = model;
        }
        let parts = candidate.content.parts.into_iter().filter(|part| !part.thought);
        let text: String = parts.map(|part| part.text).collect();
        self.text.push_str(&text);
        text
    }

    /// Whether the model said why it stopped; a stream without that broke off.
    pub(super) fn is_finished(&self) -> bool {
        self.finish_reason.is_some()
    }

    /// The reply.
    pub(super) fn reply(self, request_id: &str) -> Reply {
        Reply {
            reply: self.text,
            model: self.model,
            source: self.source.as_str(),
            usage: self.usage,
            finish_reason: self.finish_reason,
            request_id: request_id.to_owned(),
        }
    }
}

impl Counts {
    fn usage(&self) -> ReplyUsage {
        let input_tokens = self.prompt_token_count + self.tool_use_prompt_token_count;
        let (output_tokens, thought_tokens) = (self.candidates_token_count, self.thoughts_token_count);
        let summed = input_tokens + output_tokens + thought_tokens;
        ReplyUsage {
            input_tokens,
            output_tokens,
            thought_tokens,
            cached_tokens: self.cached_content_token_count,
            total_tokens: if self.total_token_count > 0 { self.total_token_count } else { summed },
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn reply(events: &[Value]) -> Value {
        let mut draft = Draft::of("asked", AnswerSource::Provider);
        for event in events {
            draft.take(serde_json::from_value(event.clone()).unwrap());
        }
        serde_json::to_value(draft.reply("r-1")).unwrap()
    }

    #[test]
    fn thoughts_are_left_out_and_counts_are_the_last() {
        let told = reply(&[
            json!({"candidates": [{"content": {"parts": [{"text": "hm", "thought": true}, {"text": "Hel"}]}}],
                   "usageMetadata": {"promptTokenCount": 7}}),
            json!({"candidates": [{"content": {"parts": [{"text": "lo"}]}, "finishReason": "MAX_TOKENS"}], "modelVersion": "m-1",
                   "usageMetadata": {"promptTokenCount": 7, "candidatesTokenCount": 2, "thoughtsTokenCount": 3, "totalTokenCount": 12}}),
        ]);
        let usage = json!({"input_tokens": 7, "output_tokens": 2, "thought_tokens": 3, "cached_tokens": 0, "total_tokens": 12});
        assert_eq!(
            told,
            json!({"reply": "Hello", "model": "m-1", "source": "provider", "usage": usage, "finish_reason": "max_tokens", "request_id": "r-1"})
        );
    }

    #[test]
    fn a_blocked_prompt_says_so() {
        let told = reply(&[json!({"promptFeedback": {"blockReason": "SAFETY"}})]);
        assert_eq!((&told["reply"], &told["finish_reason"]), (&json!(""), &json!("safety")));
        assert_eq!(told["model"], "asked");
    }
}
