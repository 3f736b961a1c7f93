//! What a request wants, as the cache tells it from others.

use http::HeaderMap;
use keygate_domain::{Intent, ModelName};
use sha2::{Digest, Sha256};

use super::Key;
use crate::{Call, Caller, Lane};

/// A request whose answer may be given again.
pub(crate) struct Wish {
    pub(crate) key: Key,
    /// The caller does not want an answer that was given before.
    pub(crate) insists: bool,
    /// The caller lets its answer be kept.
    pub(crate) may_be_kept: bool,
}

impl Wish {
    /// What is wanted; nothing if that must be asked anew each time.
    pub(crate) fn of(lane: &Lane, call: &Call<'_>, caller: &Caller, intent: &Intent) -> Option<Self> {
        if call.inflow.is_some() {
            return None;
        }
        let same = lane.provider.sameness(intent, &call.inbound())?;
        let model = intent.model.as_ref().map_or("", ModelName::as_str);
        let mut digest = Sha256::new();
        for part in [
            caller.client.as_str().as_bytes(),
            caller.user.name.as_bytes(),
            lane.adapter.name.as_str().as_bytes(),
            intent.operation.0.as_bytes(),
            model.as_bytes(),
            intent.target.as_bytes(),
            call.path.as_bytes(),
            &same,
        ] {
            // With its length before it no part can pass for the end of another.
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        let told = Told::of(&call.headers);
        Some(Self {
            key: digest.finalize().into(),
            insists: told.no_cache || told.no_store,
            may_be_kept: !told.no_store,
        })
    }
}

/// What `Cache-Control` says (RFC 9111 §5.2.1).
struct Told {
    no_cache: bool,
    no_store: bool,
}

impl Told {
    fn of(headers: &HeaderMap) -> Self {
        let values = headers.get_all("cache-control").iter().filter_map(|value| value.to_str().ok());
        let mut told = Self { no_cache: false, no_store: false };
        for directive in values.flat_map(|value| value.split(',')) {
            match directive.trim().to_ascii_lowercase().as_str() {
                "no-cache" | "max-age=0" => told.no_cache = true,
                "no-store" => told.no_store = true,
                _ => {}
            }
        }
        told
    }
}
