//! Google's entry in the catalogue, and the translation behind it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use keygate_domain::{
    Access, Binding, Failure, Fault, Intent, ModelName, ProviderName, Refusal, Replay, Reset, Resource,
    Verdict,
};
use keygate_provider::{
    Adapter, AnswerHead, CallRejected, Extent, FreeCall, Grant, Inbound, KeyVariables, Listing, Meter,
    OtherModel, Provider, Rewrite, Sockets, StoredReply, SurfaceAnswer, Transcript, UpstreamRequest,
};

use crate::live::{self, LiveSockets};
use crate::openai::UsageHider;
use crate::surface::Surface;
use crate::{
    bindings, credentials, faults, lists, openai, operations, references, refusals, routes, standing_in,
    transcript, uploads, usage,
};

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
    busy_messages: &[
        ("en", "I'm experiencing high demand right now. Please try again in a few minutes."),
        ("id", "Saya sedang menerima banyak permintaan. Silakan coba lagi dalam beberapa menit."),
        ("vi", "Hiện tôi đang nhận rất nhiều yêu cầu. Vui lòng thử lại sau vài phút."),
    ],
    engine_hosts: &[],
    build: |_| Arc::new(Google),
};

/// The translation. It has no settings and no state.
struct Google;

impl Provider for Google {
    fn claims(&self, path: &str) -> bool {
        routes::claims(path)
    }

    fn streams_body(&self, method: &Method, path: &str) -> bool {
        uploads::streams_body(method, path)
    }

    fn extent(&self, inbound: &Inbound<'_>) -> Extent {
        uploads::extent(inbound)
    }

    fn understand(&self, inbound: &Inbound<'_>) -> Result<Intent, CallRejected> {
        if live::is_live(inbound.path) {
            live::understand(inbound)
        } else if uploads::claims(inbound) {
            uploads::understand(inbound)
        } else {
            routes::understand(inbound)
        }
    }

    fn chosen_name(&self, intent: &Intent, inbound: &Inbound<'_>) -> Option<Resource> {
        routes::chosen_name(intent, inbound)
    }

    fn request(&self, intent: &Intent, inbound: &Inbound<'_>, grant: &Grant<'_>) -> UpstreamRequest {
        if let Some(request) = uploads::request(intent, inbound, grant) {
            return request;
        }
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
            body: body(intent, inbound),
        }
    }

    fn is_served(&self, intent: &Intent, status: StatusCode) -> bool {
        uploads::is_served(intent, status)
    }

    fn onward(&self, intent: &Intent, path_and_query: &str) -> Option<Intent> {
        uploads::onward(intent, path_and_query)
    }

    fn bindings(&self, intent: &Intent, headers: &HeaderMap) -> Vec<Binding> {
        uploads::bindings(intent, headers)
    }

    fn rewrite(
        &self,
        intent: &Intent,
        inbound: &Inbound<'_>,
        headers: &HeaderMap,
    ) -> Option<Box<dyn Rewrite>> {
        let hides_usage = streams_completions(intent) && !openai::asks_for_usage_itself(inbound.body);
        if hides_usage {
            return Some(Box::new(UsageHider::new()));
        }
        uploads::rewrite(intent, inbound, headers)
    }

    fn verdict(&self, intent: &Intent, answer: &AnswerHead<'_>) -> Verdict {
        if answer.status.is_success() {
            return Verdict::Served(intent.estimate);
        }
        if live::is_session(intent.operation) {
            return Verdict::Failed(live::on_handshake(answer, intent.estimate));
        }
        let failure = uploads::judge(intent, answer);
        Verdict::Failed(if is_foreign(intent, answer, &failure) { faults::foreign() } else { failure })
    }

    fn listing(&self, intent: &Intent, inbound: &Inbound<'_>) -> Option<Box<dyn Listing>> {
        lists::listing(intent, inbound)
    }

    fn sockets(&self) -> Option<&dyn Sockets> {
        Some(&LiveSockets)
    }

    fn meter(&self, intent: &Intent, inbound: &Inbound<'_>) -> Box<dyn Meter> {
        let meter = uploads::meter(intent).unwrap_or_else(|| usage::meter(Surface::of(inbound.path), intent));
        bindings::watching(meter, intent, inbound)
    }

    fn retell(&self, path: &str, error: &Bytes) -> Option<Bytes> {
        if Surface::of(path) == Surface::OpenAi { openai::unwrapped(error) } else { None }
    }

    fn refusal(&self, path: &str, refusal: &Refusal, status: u16) -> SurfaceAnswer {
        let mut answer = refusals::answer(Surface::of(path), refusal, status);
        uploads::note_refusal(path, refusal, &mut answer);
        answer
    }

    fn of_other_model(
        &self,
        intent: &Intent,
        inbound: &Inbound<'_>,
        model: &ModelName,
    ) -> Option<OtherModel> {
        standing_in::of_other_model(intent, inbound, model)
    }

    fn question(&self, intent: &Intent, inbound: &Inbound<'_>) -> Option<String> {
        standing_in::question(intent, inbound)
    }

    fn stored_reply(
        &self,
        intent: &Intent,
        inbound: &Inbound<'_>,
        stored: &StoredReply<'_>,
    ) -> Option<SurfaceAnswer> {
        standing_in::stored_reply(intent, inbound, stored)
    }

    fn sameness(&self, intent: &Intent, inbound: &Inbound<'_>) -> Option<Vec<u8>> {
        standing_in::sameness(intent, inbound)
    }

    fn transcribes(&self, intent: &Intent) -> bool {
        transcript::transcribes(intent)
    }

    fn transcript(&self, intent: &Intent, asked: &[u8], answered: &[u8]) -> Transcript {
        transcript::transcript(intent, asked, answered)
    }

    fn may_be_given_again(&self, intent: &Intent, answer: &[u8]) -> bool {
        standing_in::may_be_given_again(intent, answer)
    }
}

/// Whether the answer is a stream of the OpenAI-compatible surface, whose usage has to be asked for.
fn streams_completions(intent: &Intent) -> bool {
    intent.operation == operations::CHAT_COMPLETIONS && intent.streaming.is_stream()
}

/// The body as the provider wants it: the caller's, unless a file in it is named by a URL of this gateway, or
/// the usage of a stream has to be asked for.
fn body(intent: &Intent, inbound: &Inbound<'_>) -> Bytes {
    let rebased = if intent.references.is_empty() { None } else { references::at_providers(inbound) };
    let body = rebased.unwrap_or_else(|| inbound.body.clone());
    if streams_completions(intent) { openai::with_usage_asked_for(&body) } else { body }
}

/// Whether a 403 to somebody who reads a thing by its name says no more than that this project has it not.
/// Elsewhere it may be about anything that a body names.
fn is_foreign(intent: &Intent, answer: &AnswerHead<'_>, failure: &Failure) -> bool {
    let is_read = intent.replay == Replay::Safe && intent.user_units == 0 && !intent.references.is_empty();
    is_read && answer.status == StatusCode::FORBIDDEN && failure.fault == Fault::Caller
}
