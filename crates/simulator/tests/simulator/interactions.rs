//! Interactions: whole, as events, in the background, and one after the other.

use serde_json::{Value, json};

use crate::client::{KEY, google, post, standing};

const PATH: &str = "/v1beta/interactions";

fn asking(changes: &Value) -> String {
    let mut body = json!({"model": "gemini-3.8-flash", "input": "hello"});
    for (name, value) in changes.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    body.to_string()
}

#[test]
fn it_answers_in_steps_with_usage() {
    let reply = post(&standing(), KEY, PATH, &asking(&json!({})));
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert!(reply.at("/id").starts_with("v1_"));
    assert_eq!(reply.at("/status"), "completed");
    assert_eq!(reply.at("/steps/0/content/0/text"), "You said: hello");
    assert_eq!(reply.at("/usage/total_tokens"), "6");
}

#[test]
fn events_are_named_numbered_and_end_with_done() {
    let reply = post(&standing(), KEY, PATH, &asking(&json!({"stream": true})));
    assert_eq!(reply.header("content-type"), Some("text/event-stream"));
    let text = reply.text();
    let names: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    assert_eq!(
        names,
        [
            "interaction.created",
            "step.start",
            "step.delta",
            "step.delta",
            "step.delta",
            "step.stop",
            "interaction.completed",
            "done"
        ]
    );
    assert!(text.ends_with("event: done\ndata: [DONE]\n\n"), "{text}");
    assert!(!text.contains('\r'));
}

#[test]
fn what_is_stored_is_found_by_its_project_only() {
    let sim = standing();
    let first = post(&sim, KEY, PATH, &asking(&json!({})));
    let id = first.at("/id");
    let next = asking(&json!({"previous_interaction_id": id}));
    assert_eq!(post(&sim, KEY, PATH, &next).status, 200);
    let sibling = post(&sim, "sim-google-alpha-2", PATH, &next);
    assert_eq!(sibling.status, 200, "a project owns it, and not a key");
    let stranger = post(&sim, "sim-google-beta-1", PATH, &next);
    assert_eq!(stranger.status, 404);
    assert_eq!(stranger.at("/error/code"), "not_found");
    let path = format!("{PATH}/{id}");
    assert_eq!(google(&sim, KEY, "GET", &path, "").at("/id"), id);
    assert_eq!(google(&sim, KEY, "DELETE", &path, "").status, 200);
    assert_eq!(google(&sim, KEY, "GET", &path, "").status, 404);
}

#[test]
fn the_background_needs_two_looks_and_can_be_cancelled() {
    let sim = standing();
    let begin = || post(&sim, KEY, PATH, &asking(&json!({"background": true})));
    let first = begin();
    assert_eq!(first.at("/status"), "in_progress");
    let path = format!("{PATH}/{}", first.at("/id"));
    let look = || google(&sim, KEY, "GET", &path, "").at("/status");
    assert_eq!([look(), look(), look()], ["in_progress", "in_progress", "completed"]);
    let second = format!("{PATH}/{}/cancel", begin().at("/id"));
    assert_eq!(post(&sim, KEY, &second, "{}").at("/status"), "cancelled");
    assert_eq!(post(&sim, KEY, &second, "{}").status, 400);
}

#[test]
fn a_stream_is_gone_on_with_behind_an_event() {
    let sim = standing();
    let first = post(&sim, KEY, PATH, &asking(&json!({})));
    let path = format!("{PATH}/{}?stream=true&last_event_id=e3", first.at("/id"));
    let rest = google(&sim, KEY, "GET", &path, "").text();
    assert!(rest.contains("\"e4\"") && !rest.contains("\"e3\""), "{rest}");
}
