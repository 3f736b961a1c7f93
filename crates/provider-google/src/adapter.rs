//! Google's entry in the catalogue, and the translation behind it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use keygate_domain::{Intent, ProviderName, Refusal, Reset, Verdict};
use keygate_provider::{
    Adapter, AnswerHead, CallRejected, FreeCall, Grant, Inbound, KeyVariables, Meter, Provider, Rewrite,
    SurfaceAnswer, UpstreamRequest,
};

use crate::openai::UsageHider;
use crate::surface::Surface;
use crate::usage::Creates;
use crate::{credentials, faults, openai, operations, refusals, routes, usage};

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
            body: if streams_completions(intent) {
                openai::with_usage_asked_for(inbound.body)
            } else {
                inbound.body.clone()
            },
        }
    }

    fn verdict(&self, intent: &Intent, answer: &AnswerHead<'_>) -> Verdict {
        if answer.status.is_success() {
            return Verdict::Served(intent.estimate);
        }
        Verdict::Failed(faults::failure_of_answer(answer, intent.estimate))
    }

    fn meter(&self, intent: &Intent, inbound: &Inbound<'_>) -> Box<dyn Meter> {
        usage::meter(Surface::of(inbound.path), intent, Creates::of(inbound))
    }

    fn rewrite(
        &self,
        intent: &Intent,
        inbound: &Inbound<'_>,
        _headers: &HeaderMap,
    ) -> Option<Box<dyn Rewrite>> {
        let hides_usage = streams_completions(intent) && !openai::asks_for_usage_itself(inbound.body);
        hides_usage.then(|| -> Box<dyn Rewrite> { Box::new(UsageHider::new()) })
    }

    fn retell(&self, path: &str, error: &Bytes) -> Option<Bytes> {
        if Surface::of(path) == Surface::OpenAi { openai::unwrapped(error) } else { None }
    }

    fn refusal(&self, path: &str, refusal: &Refusal, status: u16) -> SurfaceAnswer {
        refusals::answer(Surface::of(path), refusal, status)
    }
}

/// Whether the answer is a stream of the OpenAI-compatible surface, whose usage has to be asked for.
fn streams_completions(intent: &Intent) -> bool {
    intent.operation == operations::CHAT_COMPLETIONS && intent.streaming.is_stream()
}
