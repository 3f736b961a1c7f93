//! Acme, a provider that does not exist, in the order of `docs/adding-a-provider.md`.
//!
//! Its API: `POST /v1/complete {"model", "text"}` with the key in `X-Acme-Key` answers
//! `{"text", "tokens": {"in", "out"}}`. 401 means a bad key, 429 a full minute with
//! `Retry-After`, 5xx its own trouble; errors are `{"problem": "…"}`.

mod faults;
mod meter;

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method};
use keygate_domain::{
    Access, ErrorKind, Intent, ModelName, Operation, Placement, ProviderName, Refusal, Replay, Reset, Right,
    Spend, Streaming, Verdict,
};
use keygate_provider::{
    Adapter, AnswerHead, CallRejected, Grant, Inbound, KeyVariables, KnownOperation, Meter, Provider,
    SurfaceAnswer, UpstreamRequest,
};
use serde_json::json;

/// Acme's entry in a catalogue.
pub const ADAPTER: Adapter = Adapter {
    name: ProviderName::new("acme"),
    aliases: &[],
    display_name: "Acme",
    otel_name: "acme",
    base_url: "https://api.acme.example",
    timeout: Duration::from_secs(30),
    day_ends: Reset::Midnight("UTC"),
    month_ends: Reset::MonthEnd("UTC"),
    operations: &[KnownOperation::of_model(COMPLETE)],
    key_variables: KeyVariables {
        canonical: "ACME_API_KEYS",
        lists: &["ACME_API_KEYS", "ACME_API_KEY"],
        numbered: &["ACME_API_KEY_"],
    },
    public_key_prefixes: &[],
    key_shapes: &[],
    // Acme charges for whatever it answers.
    free_call: None,
    busy_messages: &[("en", "Nobody at Acme can answer right now. Please try again in a minute.")],
    engine_hosts: &[],
    build: |_| Arc::new(Acme),
};

const COMPLETE: Operation = Operation("complete");

/// Acme as a translation.
struct Acme;

impl Provider for Acme {
    /// Acme lives under `/acme/…` only.
    fn claims(&self, _path: &str) -> bool {
        false
    }

    fn understand(&self, inbound: &Inbound<'_>) -> Result<Intent, CallRejected> {
        if inbound.path != "/v1/complete" {
            let message = "Acme is served at POST /acme/v1/complete.";
            return Err(CallRejected::new(ErrorKind::NotFound, message));
        }
        if inbound.method != Method::POST {
            return Err(CallRejected::new(ErrorKind::MethodNotAllowed, "Use POST."));
        }
        let body: serde_json::Value = serde_json::from_slice(inbound.body).map_err(|error| {
            CallRejected::new(ErrorKind::BadRequest, format!("The body is not JSON: {error}"))
        })?;
        Ok(Intent {
            operation: COMPLETE,
            route: "/v1/complete",
            target: "/v1/complete".to_owned(),
            model: body["model"].as_str().map(ModelName::from),
            streaming: Streaming::Whole,
            replay: Replay::Safe,
            right: Right::Chat,
            opens_session: false,
            user_units: 1,
            references: Vec::new(),
            placement: Placement::Any,
            access: Access::Token,
            estimate: Spend { requests: 1, input_tokens: inbound.body.len() as u64 / 4, output_tokens: 0 },
            caller_deadline: None,
        })
    }

    fn request(&self, intent: &Intent, inbound: &Inbound<'_>, grant: &Grant<'_>) -> UpstreamRequest {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        if let Some(Ok(mut key)) = grant.key.map(|key| HeaderValue::from_str(key.expose())) {
            key.set_sensitive(true);
            headers.insert("x-acme-key", key);
        }
        UpstreamRequest {
            host: None,
            method: Method::POST,
            path_and_query: intent.target.clone(),
            headers,
            body: inbound.body.clone(),
        }
    }

    fn verdict(&self, intent: &Intent, answer: &AnswerHead<'_>) -> Verdict {
        faults::verdict(intent, answer)
    }

    fn meter(&self, _intent: &Intent, _inbound: &Inbound<'_>) -> Box<dyn Meter> {
        Box::new(meter::TokensMeter::default())
    }

    fn refusal(&self, _path: &str, refusal: &Refusal, _status: u16) -> SurfaceAnswer {
        SurfaceAnswer::json(&json!({ "problem": refusal.message }))
    }
}
