//! Google's entry in the catalogue, and the translation behind it.

use std::sync::Arc;
use std::time::Duration;

use keygate_domain::{Access, Intent, ProviderName, Refusal, Reset, Verdict};
use keygate_provider::{
    Adapter, AnswerHead, CallRejected, FreeCall, Grant, Inbound, KeyVariables, Meter, Provider, Sockets,
    SurfaceAnswer, UpstreamRequest,
};

use crate::live::{self, LiveSockets};
use crate::surface::Surface;
use crate::{credentials, faults, operations, refusals, routes, usage};

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
    engine_hosts: &[],
    build: |_| Arc::new(Google),
};

/// The translation. It has no settings and no state.
struct Google;

impl Provider for Google {
    fn claims(&self, path: &str) -> bool {
        routes::claims(path)
    }

    fn understand(&self, inbound: &Inbound<'_>) -> Result<Intent, CallRejected> {
        if live::is_live(inbound.path) { live::understand(inbound) } else { routes::understand(inbound) }
    }

    fn request(&self, intent: &Intent, inbound: &Inbound<'_>, grant: &Grant<'_>) -> UpstreamRequest {
        let own = intent.access == Access::OwnCredential;
        let key = grant.key.filter(|_| !own);
        let mut headers = credentials::upstream_headers(Surface::of(inbound.path), inbound.headers, key);
        if own {
            live::own_credential(inbound, &mut headers);
        }
        UpstreamRequest {
            host: None,
            method: inbound.method.clone(),
            path_and_query: intent.target.clone(),
            headers,
            body: inbound.body.clone(),
        }
    }

    fn verdict(&self, intent: &Intent, answer: &AnswerHead<'_>) -> Verdict {
        if answer.status.is_success() {
            return Verdict::Served(intent.estimate);
        }
        if live::is_session(intent.operation) {
            return Verdict::Failed(live::on_handshake(answer, intent.estimate));
        }
        Verdict::Failed(faults::failure_of_answer(answer, intent.estimate))
    }

    fn sockets(&self) -> Option<&dyn Sockets> {
        Some(&LiveSockets)
    }

    fn meter(&self, intent: &Intent, inbound: &Inbound<'_>) -> Box<dyn Meter> {
        usage::meter(Surface::of(inbound.path), intent)
    }

    fn refusal(&self, path: &str, refusal: &Refusal, status: u16) -> SurfaceAnswer {
        refusals::answer(Surface::of(path), refusal, status)
    }
}
