//! What is said in a request and in its answer, for spans that carry it (`telemetry.capture_content`).

mod elements;
mod native;
mod openai;

use keygate_domain::Intent;
use keygate_provider::Transcript;
use serde_json::Value;

use crate::operations as op;

/// Whether there are words in what is asked and answered.
pub(crate) fn transcribes(intent: &Intent) -> bool {
    matches!(
        intent.operation,
        op::GENERATE_CONTENT
            | op::STREAM_GENERATE_CONTENT
            | op::DYNAMIC_STREAM_GENERATE_CONTENT
            | op::CHAT_COMPLETIONS
    )
}

/// What was said, as far as it can be read.
pub(crate) fn transcript(intent: &Intent, asked: &[u8], answered: &[u8]) -> Transcript {
    let mut told = Transcript::default();
    let (answers, is_whole) = elements::of(intent.streaming, answered);
    let question = serde_json::from_slice::<Value>(asked).ok();
    told.has_gaps = question.is_none() || !is_whole;
    let question = question.unwrap_or_default();
    if intent.operation == op::CHAT_COMPLETIONS {
        openai::asked(&question, &mut told);
        told.output = openai::answered(&answers);
    } else {
        native::asked(&question, &mut told);
        told.output = native::answered(&answers);
    }
    told
}

/// The first member of these names. Google takes both spellings of a name.
fn any<'v>(object: &'v Value, names: &[&str]) -> Option<&'v Value> {
    names.iter().find_map(|name| object.get(*name).filter(|value| !value.is_null()))
}

fn text_of(object: &Value, names: &[&str]) -> Option<String> {
    any(object, names).and_then(Value::as_str).map(str::to_owned)
}

/// The elements of a list; what is no list is its own only one.
fn each(list: Option<&Value>) -> &[Value] {
    match list {
        None | Some(Value::Null) => &[],
        Some(Value::Array(list)) => list,
        Some(one) => std::slice::from_ref(one),
    }
}

/// Why a model stopped, in the words of the conventions where they have one.
fn finish_reason(told: &str) -> String {
    match told {
        "STOP" => "stop".to_owned(),
        "MAX_TOKENS" => "length".to_owned(),
        "SAFETY" | "RECITATION" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII" | "IMAGE_SAFETY" => {
            "content_filter".to_owned()
        }
        "tool_calls" => "tool_call".to_owned(),
        other => other.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests;
