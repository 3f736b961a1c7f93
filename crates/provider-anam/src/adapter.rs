//! Anam's entry in the catalogue, and the translation behind it put together.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};
use keygate_domain::{Intent, Keepsake, OpenedSession, ProviderName, Refusal, Reset, Resource, Verdict};
use keygate_provider::{
    Adapter, AnswerHead, CallRejected, FreeCall, Grant, Inbound, KeyVariables, LostStart, Meter, OwnCall,
    Provider, ProviderOptions, Rewrite, Sockets, SurfaceAnswer, UpstreamRequest,
};
use serde_json::Value;

use crate::signalling::{self, Signalling};
use crate::{avatar, bindings, credentials, faults, labels, refusals, remint, rewrite, routes};

/// Anam's entry in the catalogue.
///
/// The timeout is 8 s because Anam's JavaScript SDK aborts a session start after 10 s and starts
/// a second, billed one: an answer that comes later than that does harm. Its keys have no
/// documented prefix or shape, so none is shown beyond three characters or redacted by looks.
pub const ADAPTER: Adapter = Adapter {
    name: ProviderName::new("anam"),
    aliases: &[],
    display_name: "Anam",
    otel_name: "anam",
    base_url: "https://api.anam.ai",
    timeout: Duration::from_secs(8),
    day_ends: Reset::Midnight("UTC"),
    month_ends: Reset::MonthEnd("UTC"),
    operations: &routes::KNOWN,
    key_variables: KeyVariables {
        canonical: "ANAM_API_KEYS",
        lists: &["ANAM_API_KEYS", "ANAM_API_KEY"],
        numbered: &["ANAM_API_KEY_"],
    },
    public_key_prefixes: &[],
    key_shapes: &[],
    // How many sessions are taken: it wants a key, takes no slot and costs nothing.
    free_call: Some(FreeCall { path: routes::CONCURRENCY_PATH, query: None }),
    busy_messages: &[
        ("en", "All Anam API keys exhausted. Please try again later."),
        ("id", "Semua kunci API Anam sudah terpakai. Silakan coba lagi nanti."),
        ("vi", "Tất cả khóa API Anam đều đã hết. Vui lòng thử lại sau."),
    ],
    engine_hosts: &["*.anam.ai"],
    build: |options| Arc::new(Anam { options: options.clone() }),
};

struct Anam {
    options: ProviderOptions,
}

impl Provider for Anam {
    /// Never: `/v1/…` alone says nothing about whose it is, so Anam lives under `/anam` only.
    fn claims(&self, _path: &str) -> bool {
        false
    }

    fn answers_alone(&self, method: &Method, path: &str) -> Option<u16> {
        routes::answers_alone(method, path)
    }

    fn understand(&self, inbound: &Inbound<'_>) -> Result<Intent, CallRejected> {
        if signalling::is_signalling(inbound.path) {
            return signalling::understand(&self.options, inbound);
        }
        routes::understand(&self.options, inbound)
    }

    fn preparation(
        &self,
        intent: &Intent,
        inbound: &Inbound<'_>,
        grant: &Grant<'_>,
    ) -> Option<UpstreamRequest> {
        remint::preparation(&self.options, intent, inbound, grant)
    }

    fn request(&self, intent: &Intent, inbound: &Inbound<'_>, grant: &Grant<'_>) -> UpstreamRequest {
        credentials::request(&self.options, intent, inbound, grant)
    }

    fn verdict(&self, intent: &Intent, answer: &AnswerHead<'_>) -> Verdict {
        faults::verdict(intent, answer)
    }

    fn meter(&self, intent: &Intent, inbound: &Inbound<'_>) -> Box<dyn Meter> {
        bindings::meter(&self.options, intent, inbound)
    }

    fn rewrite(
        &self,
        intent: &Intent,
        inbound: &Inbound<'_>,
        headers: &HeaderMap,
    ) -> Option<Box<dyn Rewrite>> {
        rewrite::of(&self.options, intent, inbound, headers)
    }

    fn sockets(&self) -> Option<&dyn Sockets> {
        Some(&Signalling)
    }

    fn end_session(&self, session: &OpenedSession) -> Option<OwnCall> {
        let path = routes::stop_path(&session.session.name);
        Some(OwnCall { method: Method::POST, path, query: None, body: Bytes::new() })
    }

    fn lost_start(&self, intent: &Intent, request_id: &str, kept: Option<&Keepsake>) -> Option<LostStart> {
        labels::lost_start(intent, request_id, kept)
    }

    fn running(&self, lost: &LostStart, answer: &[u8]) -> Option<Vec<Resource>> {
        labels::running(&lost.label, answer)
    }

    fn avatar_token(&self, wish: &Value) -> Option<Result<OwnCall, CallRejected>> {
        Some(avatar::mint(wish))
    }

    fn refusal(&self, _path: &str, refusal: &Refusal, _status: u16) -> SurfaceAnswer {
        refusals::answer(refusal)
    }
}
