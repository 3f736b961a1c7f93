//! What a user asks.

use keygate_domain::Intent;
use keygate_provider::Inbound;
use serde_json::Value;

use super::{any, body_of, offers_tools};
use crate::operations as op;

/// The last thing that was said, if the user said it in nothing but words, and a text can be the answer.
pub(crate) fn question(intent: &Intent, inbound: &Inbound<'_>) -> Option<String> {
    let is_native = matches!(
        intent.operation,
        op::GENERATE_CONTENT | op::STREAM_GENERATE_CONTENT | op::DYNAMIC_STREAM_GENERATE_CONTENT
    );
    if !is_native && !matches!(intent.operation, op::CHAT_COMPLETIONS | op::CREATE_INTERACTION) {
        return None;
    }
    let body = body_of(inbound.body).filter(|body| !offers_tools(body))?;
    let asked = match intent.operation {
        op::CHAT_COMPLETIONS => openai(&body),
        op::CREATE_INTERACTION => interaction(&body),
        _ => native(&body),
    };
    asked.filter(|text| !text.trim().is_empty())
}

fn native(body: &Value) -> Option<String> {
    if any(body, &["generationConfig", "generation_config"]).is_some_and(has_form) {
        return None;
    }
    let last = last_of(body.get("contents")?)?;
    let is_users = match last.get("role") {
        None | Some(Value::Null) => true,
        Some(role) => matches!(role.as_str(), Some("user" | "")),
    };
    let parts = last.get("parts").filter(|_| is_users)?;
    texts(parts, |part| {
        let is_text = part.as_object().is_some_and(|part| part.keys().all(|name| name == "text"));
        part.get("text").filter(|_| is_text)?.as_str()
    })
}

/// Whether the answer is to be something else than a plain text.
fn has_form(config: &Value) -> bool {
    let schemas = [
        "responseSchema",
        "response_schema",
        "responseJsonSchema",
        "response_json_schema",
        "responseFormat",
        "response_format",
    ];
    let kind = any(config, &["responseMimeType", "response_mime_type"]).and_then(Value::as_str);
    let is_plain = matches!(kind, None | Some("" | "text/plain"));
    !is_plain || any(config, &schemas).is_some() || !speaks(config)
}

/// Whether the answer may be in words.
fn speaks(config: &Value) -> bool {
    let modalities = any(config, &["responseModalities", "response_modalities", "modalities"]);
    let Some(modalities) = modalities.and_then(Value::as_array).filter(|list| !list.is_empty()) else {
        return true;
    };
    modalities.iter().all(|modality| modality.as_str().is_some_and(|name| name.eq_ignore_ascii_case("text")))
}

fn openai(body: &Value) -> Option<String> {
    let form = body.get("response_format").and_then(|format| format.get("type"));
    let is_plain = form.is_none_or(|form| form == "text") && speaks(body);
    let last = last_of(body.get("messages").filter(|_| is_plain)?)?;
    let content = last.get("content").filter(|_| last.get("role").is_some_and(|role| role == "user"))?;
    contents(content)
}

fn interaction(body: &Value) -> Option<String> {
    let forms = ["response_format", "response_mime_type"];
    let works_alone = body.get("background").is_some_and(|background| background == true);
    if works_alone || body.get("model").is_none() || any(body, &forms).is_some() || !speaks(body) {
        return None;
    }
    let input = body.get("input")?;
    match last_of(input) {
        // Turns and steps have contents of their own.
        Some(last) if last.get("content").is_some() => {
            let role = any(last, &["role", "type"]).and_then(Value::as_str);
            contents(last.get("content").filter(|_| matches!(role, Some("user" | "user_input")))?)
        }
        _ => contents(input),
    }
}

/// A text, or contents that all are texts.
fn contents(content: &Value) -> Option<String> {
    if let Some(text) = content.as_str() {
        return Some(text.to_owned());
    }
    texts(content, |part| {
        let is_text = part.get("type").is_some_and(|kind| kind == "text");
        part.get("text").filter(|_| is_text)?.as_str()
    })
}

/// The texts of parts, as `text_of` reads them; nothing if one of them is none.
fn texts<'v>(parts: &'v Value, text_of: impl Fn(&'v Value) -> Option<&'v str>) -> Option<String> {
    let parts = parts.as_array().map_or(std::slice::from_ref(parts), Vec::as_slice);
    let texts: Vec<&str> = parts.iter().map(text_of).collect::<Option<_>>()?;
    Some(texts.join("\n"))
}

/// The last of a list; what is no list is its own last.
fn last_of(list: &Value) -> Option<&Value> {
    list.as_array().map_or(Some(list), |list| list.last())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, Method};
    use keygate_provider::Origin;
    use rstest::rstest;
    use serde_json::json;

    use super::*;
    use crate::routes::understand;

    const NATIVE: &str = "/v1beta/models/m:generateContent";
    const CHAT: &str = "/v1beta/openai/chat/completions";
    const INTERACTION: &str = "/v1beta/interactions";

    fn asked(path: &str, body: &Value) -> Option<String> {
        let (headers, body) = (HeaderMap::new(), Bytes::from(body.to_string()));
        let origin = Origin::INSIDE;
        let inbound = Inbound {
            method: &Method::POST,
            path,
            query: None,
            headers: &headers,
            body: &body,
            origin,
            request_id: "a request",
        };
        question(&understand(&inbound).unwrap(), &inbound)
    }

    #[rstest]
    #[case(NATIVE, json!({"contents": [{"parts": [{"text": "a"}, {"text": "b"}]}]}), "a\nb")]
    #[case(NATIVE, json!({"contents": {"role": "user", "parts": {"text": "a"}}}), "a")]
    #[case(NATIVE, json!({"contents": [{"role": "user", "parts": [{"text": "first"}]}, {"role": "model", "parts": [{"text": "x"}]},
        {"role": "user", "parts": [{"text": "last"}]}], "tools": [], "generationConfig": {"responseMimeType": "text/plain"}}), "last")]
    #[case("/v1beta/models/m:streamGenerateContent", json!({"contents": [{"parts": [{"text": "a"}]}]}), "a")]
    #[case(CHAT, json!({"model": "m", "messages": [{"role": "system", "content": "x"}, {"role": "user", "content": "a"}]}), "a")]
    #[case(CHAT, json!({"model": "m", "messages": [{"role": "user", "content": [{"type": "text", "text": "a"}]}],
        "response_format": {"type": "text"}}), "a")]
    #[case(INTERACTION, json!({"model": "m", "input": "a"}), "a")]
    #[case(INTERACTION, json!({"model": "m", "input": [{"type": "text", "text": "a"}]}), "a")]
    #[case(INTERACTION, json!({"model": "m", "input": [{"role": "user", "content": "x"}, {"role": "model", "content": "y"},
        {"role": "user", "content": [{"type": "text", "text": "a"}]}]}), "a")]
    #[case(INTERACTION, json!({"model": "m", "input": [{"type": "user_input", "content": [{"type": "text", "text": "a"}]}]}), "a")]
    fn the_last_words_of_the_user_are_the_question(
        #[case] path: &str,
        #[case] body: Value,
        #[case] expected: &str,
    ) {
        assert_eq!(asked(path, &body).as_deref(), Some(expected));
    }

    #[rstest]
    #[case(NATIVE, json!({"contents": [{"parts": [{"text": "a"}]}], "tools": [{"googleSearch": {}}]}))]
    #[case(NATIVE, json!({"contents": [{"parts": [{"text": "a"}]}], "generationConfig": {"responseMimeType": "application/json"}}))]
    #[case(NATIVE, json!({"contents": [{"parts": [{"text": "a"}]}], "generation_config": {"response_schema": {}}}))]
    #[case(NATIVE, json!({"contents": [{"parts": [{"text": "a"}]}], "generationConfig": {"responseModalities": ["TEXT", "IMAGE"]}}))]
    #[case(NATIVE, json!({"contents": [{"role": "model", "parts": [{"text": "a"}]}]}))]
    #[case(NATIVE, json!({"contents": [{"role": "user", "parts": [{"functionResponse": {"name": "f"}}]}]}))]
    #[case(NATIVE, json!({"contents": [{"parts": [{"text": "what is this?"}, {"inlineData": {"data": ""}}]}]}))]
    #[case(NATIVE, json!({"contents": [{"parts": [{"text": " "}]}]}))]
    #[case(NATIVE, json!({"contents": []}))]
    #[case("/v1beta/models/m:countTokens", json!({"contents": [{"parts": [{"text": "a"}]}]}))]
    #[case("/v1beta/models/m:embedContent", json!({"content": {"parts": [{"text": "a"}]}}))]
    #[case(CHAT, json!({"model": "m", "messages": [{"role": "user", "content": "a"}], "tools": [{"type": "function"}]}))]
    #[case(CHAT, json!({"model": "m", "messages": [{"role": "user", "content": "a"}], "functions": [{}]}))]
    #[case(CHAT, json!({"model": "m", "messages": [{"role": "user", "content": "a"}], "response_format": {"type": "json_object"}}))]
    #[case(CHAT, json!({"model": "m", "messages": [{"role": "tool", "content": "a"}]}))]
    #[case(INTERACTION, json!({"model": "m", "input": "a", "background": true}))]
    #[case(INTERACTION, json!({"agent": "deep-research", "input": "a"}))]
    #[case(INTERACTION, json!({"model": "m", "input": [{"type": "function_result", "result": 1}]}))]
    fn what_a_text_cannot_answer_is_none(#[case] path: &str, #[case] body: Value) {
        assert_eq!(asked(path, &body), None);
    }
}
