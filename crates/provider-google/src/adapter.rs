//! Google's entry in the catalogue, and the translation behind it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use keygate_domain::{Failure, Fault, Intent, ProviderName, Refusal, Replay, Reset, Verdict};
use keygate_provider::{
    Adapter, AnswerHead, CallRejected, FreeCall, Grant, Inbound, KeyVariables, Listing, Meter, Provider,
    SurfaceAnswer, UpstreamRequest,
};

use crate::surface::Surface;
use crate::{bindings, credentials, faults, lists, operations, references, refusals, routes, usage};

/// Google Gemini (the Gemini Developer API) in the catalogue of providers.
pub const ADAPTER: Adapter = Adapter {
    name: ProviderName::new("google"),
    aliases: &["gemini"],
    display_name: "Gemini",
    otel_name: "gcp.gemini",
    base_url: "https://generativelanguage.googleapis.com",
    timeout: Duration::from_mins(2),
    day_ends: Reset::Midnight("America/Los_Angeles"),
    month_ends: Reset::MonthEnd("America/Los_Angeles"),
    operations: &operations::KNOWN,
    key_variables: KeyVariables {
        canonical: "GEMINI_KEYS",
        lists: &["GEMINI_API_KEYS", "GEMINI_KEYS", "GEMINI_API_KEY", "GOOGLE_API_KEY"],
        numbered: &["GEMINI_API_KEY_", "GOOGLE_API_KEY_"],
    },
    public_key_prefixes: &["AIza", "AQ."],
    key_shapes: &[r"AIza[0-9A-Za-z_-]{35}", r"AQ\.[0-9A-Za-z_-]{20,}"],
    // One line of the list of models: told to any key that is let in, and counted in no model's quota.
    free_call: Some(FreeCall { path: "/v1beta/models", query: Some("pageSize=1") }),
    build: || Arc::new(Google),
};

/// The translation. It has no settings and no state.
struct Google;

impl Provider for Google {
    fn claims(&self, path: &str) -> bool {
        routes::claims(path)
    }

    fn understand(&self, inbound: &Inbound<'_>) -> Result<Intent, CallRejected> {
        routes::understand(inbound)
    }

    fn request(&self, intent: &Intent, inbound: &Inbound<'_>, grant: &Grant<'_>) -> UpstreamRequest {
        UpstreamRequest {
            method: inbound.method.clone(),
            path_and_query: intent.target.clone(),
            headers: credentials::upstream_headers(Surface::of(inbound.path), inbound.headers, grant.key),
            body: body(intent, inbound),
        }
    }

    fn verdict(&self, intent: &Intent, answer: &AnswerHead<'_>) -> Verdict {
        if answer.status.is_success() {
            return Verdict::Served(intent.estimate);
        }
        let failure = faults::failure_of_answer(answer, intent.estimate);
        Verdict::Failed(if is_foreign(intent, answer, &failure) { faults::foreign() } else { failure })
    }

    fn listing(&self, intent: &Intent, inbound: &Inbound<'_>) -> Option<Box<dyn Listing>> {
        lists::listing(intent, inbound)
    }

    fn meter(&self, intent: &Intent, inbound: &Inbound<'_>) -> Box<dyn Meter> {
        bindings::watching(usage::meter(Surface::of(inbound.path), intent), intent, inbound)
    }

    fn refusal(&self, path: &str, refusal: &Refusal, status: u16) -> SurfaceAnswer {
        refusals::answer(Surface::of(path), refusal, status)
    }
}

/// The body as the provider wants it: the caller's, unless a file in it is named by a URL of this gateway.
fn body(intent: &Intent, inbound: &Inbound<'_>) -> Bytes {
    let rebased = if intent.references.is_empty() { None } else { references::at_providers(inbound) };
    rebased.unwrap_or_else(|| inbound.body.clone())
}

/// Whether a 403 to somebody who reads a thing by its name says no more than that this project has it not.
/// Elsewhere it may be about anything that a body names.
fn is_foreign(intent: &Intent, answer: &AnswerHead<'_>, failure: &Failure) -> bool {
    let is_read = intent.replay == Replay::Safe && intent.user_units == 0 && !intent.references.is_empty();
    is_read && answer.status == http::StatusCode::FORBIDDEN && failure.fault == Fault::Caller
}
