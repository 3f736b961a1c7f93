//! What Gemini answers when nothing is wrong.

use rstest::rstest;
use serde_json::json;

use crate::client::{GENERATE, KEY, STREAM, google, post, saying, send, standing};

#[rstest]
#[case("/v1/models/gemini-3.8-flash:generateContent")]
#[case("/v1alpha/models/gemini-3.8-flash%3AgenerateContent")]
#[case("//v1beta//models/gemini-flash-latest:generateContent")]
fn it_says_the_text_back(#[case] path: &str) {
    let reply = post(&standing(), KEY, path, &saying("hello"));
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.at("/candidates/0/content/parts/0/text"), "You said: hello");
    assert_eq!(reply.at("/candidates/0/finishReason"), "STOP");
    let usage = json!({"promptTokenCount": 2, "candidatesTokenCount": 4, "totalTokenCount": 6});
    assert_eq!(reply.json()["usageMetadata"], usage);
    assert_eq!(reply.header("x-gemini-service-tier"), Some("standard"));
    assert_eq!(reply.header("retry-after"), None);
}

#[test]
fn events_end_in_crlf_crlf_and_each_is_a_chunk_of_its_own() {
    let reply = post(&standing(), KEY, STREAM, &saying("hello"));
    assert_eq!(reply.header("content-type"), Some("text/event-stream"));
    assert!(reply.is_complete);
    let texts: Vec<String> = reply
        .chunks
        .iter()
        .map(|chunk| {
            let event = std::str::from_utf8(chunk).unwrap();
            let data = event.strip_prefix("data: ").unwrap().strip_suffix("\r\n\r\n").unwrap();
            assert!(!data.contains('\n'));
            let data: serde_json::Value = serde_json::from_str(data).unwrap();
            assert!(data["responseId"].is_string());
            data["candidates"][0]["content"]["parts"][0]["text"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(texts, ["You ", "said: ", "hello"]);
    assert!(!reply.text().contains("[DONE]"));
}

#[test]
fn without_alt_the_stream_is_one_array_element_by_element() {
    let reply =
        post(&standing(), KEY, "/v1/models/gemini-3.8-flash:streamGenerateContent", &saying("stream 5"));
    assert_eq!(reply.header("content-type"), Some("application/json; charset=UTF-8"));
    assert_eq!(reply.json().as_array().unwrap().len(), 5);
    assert_eq!(reply.chunks.len(), 6);
    assert_eq!(reply.chunks[0][..2], *b"[{");
    assert_eq!(reply.chunks[1][..4], *b",\r\n{");
    assert_eq!(reply.chunks[5], b"]");
}

#[test]
fn usage_runs_along_and_thoughts_count() {
    let reply = post(&standing(), KEY, STREAM, &saying("think 12 hard"));
    let last = reply.chunks.last().unwrap();
    let last: serde_json::Value = serde_json::from_slice(&last[6..last.len() - 4]).unwrap();
    let expected = json!({
        "promptTokenCount": 4, "candidatesTokenCount": 6, "thoughtsTokenCount": 12, "totalTokenCount": 22,
    });
    assert_eq!(last["usageMetadata"], expected);
}

#[test]
fn a_blocked_prompt_has_no_candidates_and_an_odd_finish_is_served_with_200() {
    let simulator = standing();
    let blocked = post(&simulator, KEY, GENERATE, &saying("block SAFETY"));
    assert_eq!((blocked.status, blocked.at("/promptFeedback/blockReason").as_str()), (200, "SAFETY"));
    assert!(blocked.json().get("candidates").is_none());
    let odd = post(&simulator, KEY, GENERATE, &saying("finish PUP_LIMITED_DISABLED"));
    assert_eq!(odd.at("/candidates/0/finishReason"), "PUP_LIMITED_DISABLED");
}

#[test]
fn models_are_listed_in_pages_and_aliases_are_not_on_v1() {
    let simulator = standing();
    let page = google(&simulator, KEY, "GET", "/v1beta/models?pageSize=5", "");
    assert_eq!(page.json()["models"].as_array().unwrap().len(), 5);
    let next = format!("/v1beta/models?pageSize=5&pageToken={}", page.at("/nextPageToken"));
    assert_ne!(google(&simulator, KEY, "GET", &next, "").at("/models/0/name"), page.at("/models/0/name"));
    assert_eq!(google(&simulator, KEY, "GET", "/v1beta/models/gemini-pro-latest", "").status, 200);
    assert_eq!(google(&simulator, KEY, "GET", "/v1/models/gemini-pro-latest", "").status, 404);
    let compatible = google(&simulator, KEY, "GET", "/v1beta/openai/models", "");
    assert_eq!(compatible.at("/data/0/id"), "models/gemini-4-argon");
}

#[test]
fn tokens_are_counted_and_embeddings_are_the_same_for_the_same_text() {
    let simulator = standing();
    let count = post(&simulator, KEY, "/v1/models/gemini-3.8-flash:countTokens", &saying("12345678"));
    assert_eq!(count.at("/totalTokens"), "2");
    let one = json!({"content": {"parts": [{"text": "x"}]}, "outputDimensionality": 3});
    let single = post(&simulator, KEY, "/v1/models/gemini-embedding-001:embedContent", &one.to_string());
    let both = json!({"requests": [one, {"content": {"parts": [{"text": "y"}]}}]}).to_string();
    let batch =
        post(&simulator, "sim-google-beta-1", "/v1/models/gemini-embedding-001:batchEmbedContents", &both);
    assert_eq!(single.at("/embedding/values"), batch.at("/embeddings/0/values"));
    assert_eq!(batch.json()["embeddings"][1]["values"].as_array().unwrap().len(), 3072);
}

#[test]
fn openai_chat_takes_a_bearer_and_its_stream_is_done() {
    let simulator = standing();
    let messages = json!([{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}]);
    let mut body = json!({"model": "models/gemini-3.8-flash", "messages": messages});
    let ask = |body: &serde_json::Value| {
        let bearer = [("authorization", "Bearer sim-google-alpha-2")];
        send(simulator.google_url(), "POST", "/v1beta/openai/chat/completions", &bearer, &body.to_string())
    };
    let whole = ask(&body);
    assert_eq!(whole.at("/choices/0/message/content"), "You said: hi");
    assert_eq!(whole.json()["usage"], json!({"prompt_tokens": 3, "completion_tokens": 3, "total_tokens": 6}));
    body["stream"] = json!(true);
    let stream = ask(&body).text();
    assert!(stream.ends_with("data: [DONE]\n\n") && !stream.contains("usage"), "{stream}");
    body["stream_options"] = json!({"include_usage": true});
    let events = ask(&body).text();
    let before_done = events.split("\n\n").nth(3).unwrap().trim_start_matches("data: ");
    let chunk: serde_json::Value = serde_json::from_str(before_done).unwrap();
    assert_eq!((chunk["choices"].clone(), chunk["usage"]["total_tokens"].clone()), (json!([]), json!(6)));
}

#[test]
fn openai_embeddings_come_as_numbers_or_base64() {
    let simulator = standing();
    let ask = |format: &str| {
        let body = json!({"model": "gemini-embedding-001", "input": ["a", "b"], "dimensions": 2, "encoding_format": format});
        google(&simulator, KEY, "POST", "/v1beta/openai/embeddings", &body.to_string())
    };
    assert_eq!(ask("float").json()["data"][1]["embedding"].as_array().unwrap().len(), 2);
    assert_eq!(ask("base64").at("/data/0/embedding").len(), 12);
}

#[test]
fn an_unknown_page_is_html_and_a_made_up_path_of_the_api_needs_a_key_first() {
    let simulator = standing();
    let page = send(simulator.google_url(), "GET", "/nowhere", &[], "");
    assert_eq!((page.status, page.header("content-type")), (404, Some("text/html; charset=UTF-8")));
    assert_eq!(send(simulator.google_url(), "GET", "/v1/nowhere", &[], "").status, 403);
}

fn compatible(
    sim: &keygate_simulator::RunningSimulator,
    path: &str,
    body: &serde_json::Value,
) -> crate::client::Reply {
    let bearer = format!("Bearer {KEY}");
    let path = format!("/v1beta/openai/{path}");
    let method = if body.is_null() { "GET" } else { "POST" };
    let text = if body.is_null() { String::new() } else { body.to_string() };
    send(sim.google_url(), method, &path, &[("authorization", &bearer)], &text)
}

#[test]
fn a_completion_calls_the_function_it_is_asked_to() {
    let sim = standing();
    let mut body = json!({
        "model": "gemini-3.8-flash",
        "messages": [{"role": "user", "content": "call weather {\"city\":\"Hanoi\"}"}],
        "tools": [{"type": "function", "function": {"name": "weather"}}],
    });
    let reply = compatible(&sim, "chat/completions", &body);
    assert_eq!(reply.at("/choices/0/finish_reason"), "tool_calls");
    assert_eq!(reply.at("/choices/0/message/tool_calls/0/function/arguments"), "{\"city\":\"Hanoi\"}");
    body["messages"] = json!([
        {"role": "user", "content": "call weather"},
        {"role": "tool", "tool_call_id": "c", "content": "sunny"},
    ]);
    let reply = compatible(&sim, "chat/completions", &body);
    assert_eq!(reply.at("/choices/0/message/content"), "You said: The function says sunny");
}

#[test]
fn images_videos_and_batches_are_made() {
    let sim = standing();
    let image = json!({"model": "gemini-3.1-flash-image", "prompt": "a cat", "n": 2});
    let made = compatible(&sim, "images/generations", &image);
    assert_eq!(made.json()["data"].as_array().map(Vec::len), Some(2), "{}", made.text());
    let video = compatible(&sim, "videos", &json!({"prompt": "a cat"}));
    let path = video.at("/id");
    assert_eq!(video.at("/status"), "queued", "{}", video.text());
    let look = || compatible(&sim, &path, &json!(null)).at("/status");
    assert_eq!([look(), look(), look()], ["queued", "queued", "completed"]);
    let batch = compatible(&sim, "batches", &json!({"input_file_id": "files/nobody's"}));
    assert_eq!(batch.status, 403, "{}", batch.text());
    assert_eq!(batch.at("/0/error/status"), "PERMISSION_DENIED");
}
