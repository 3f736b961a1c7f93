//! What requests that make something say of it: a model in a form, a name that is asked for.

use keygate_domain::{ModelName, Resource};

use super::{Call, google};

/// The openai SDKs send a video's description as a form.
#[test]
fn the_model_of_a_form_is_read() {
    let field = |name: &str, value: &str| {
        format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let picture = field("input_reference\"; filename=\"cat.png", &"\"files/no\"".repeat(10_000));
    let prompt = field("prompt", "a cat beside \"files/no\" and \"fileUri\": \"files/no\"");
    for model in ["gemini-omni-1.2-flash", "models/gemini-omni-1.2-flash"] {
        let body = [&*picture, &prompt, &field("model", model), &field("file_id", "files/f"), "--b--\r\n"];
        let call = Call::post("/openai/v1/videos", body.concat());
        let intent = call.with("content-type", "multipart/form-data; boundary=b").understood().unwrap();
        assert_eq!(intent.model.as_ref().map(ModelName::as_str), Some("gemini-omni-1.2-flash"));
        assert_eq!(
            intent.references,
            [Resource::new("files", "f")],
            "what is written in a picture is no name"
        );
        assert_eq!(intent.estimate.requests, 1);
        assert!((10..50).contains(&intent.estimate.input_tokens), "a picture is no text: {intent:?}");
    }
    let bad = Call::post("/openai/v1/videos", [&*field("model", "a b"), "--b--"].concat());
    assert!(bad.with("content-type", "multipart/form-data; boundary=b").understood().is_err());
}

/// What says that it is a form is read as one only where forms are taken.
#[test]
fn a_form_hides_no_names() {
    let body = r#"{"contents":[],"cachedContent":"cachedContents/c"}"#;
    for path in ["/v1/models/m:generateContent", "/openai/v1/videos"] {
        let call = Call::post(path, body).with("content-type", "multipart/form-data; boundary=b");
        assert_eq!(call.understood().unwrap().references, [Resource::new("cachedContents", "c")], "{path}");
    }
}

#[test]
fn a_name_that_is_asked_for_is_told_and_names_nothing_yet() {
    for (path, body, expected) in [
        ("/v1beta/agents", r#"{"id":"helper","base_agent":"x"}"#, Some("agents/helper")),
        ("/v1beta/tunedModels?tunedModelId=mine", "{}", Some("tunedModels/mine")),
        ("/v1beta/tunedModels", r#"{"name":"tunedModels/mine"}"#, Some("tunedModels/mine")),
        ("/v1beta/corpora", r#"{"name":"corpora/c","displayName":"C"}"#, Some("corpora/c")),
        ("/v1/futures", r#"{"id":"f"}"#, Some("resource/futures/f")),
        ("/v1beta/tunedModels", r#"{"displayName":"mine"}"#, None),
        ("/v1beta/agents", r#"{"id":"a b"}"#, None),
        ("/v1beta/cachedContents", r#"{"name":"cachedContents/c"}"#, None),
        ("/v1/interactions", r#"{"id":"x","model":"m"}"#, None),
        ("/v1/files:register", r#"{"id":"x"}"#, None),
        ("/openai/v1/batches", r#"{"id":"x"}"#, None),
        ("/v1/models/m:generateContent", r#"{"id":"x"}"#, None),
    ] {
        let call = Call::post(path, body);
        let intent = call.understood().unwrap();
        let chosen = google().chosen_name(&intent, &call.inbound());
        assert_eq!(chosen.as_ref().map(Resource::to_string).as_deref(), expected, "{path} {body}");
        assert!(chosen.is_none_or(|chosen| !intent.references.contains(&chosen)), "{path} {body}");
    }
}
