//! The answer to a start, for clients that would connect to the engine directly: they are led through the
//! gateway (facts/anam.md A3.1).
//!
//! Clients build their addresses from three fields: signalling from the host part of `engineHost` and
//! `signallingEndpoint`, speech from `engineHost` with its path. A query is no place for anything of ours:
//! the JavaScript SDK escapes the question mark.

use bytes::Bytes;
use http::HeaderMap;
use keygate_domain::Intent;
use keygate_provider::{EngineHosts, Inbound, ProviderOptions, Rewrite};
use serde_json::Value;

use crate::routes::START_SESSION;
use crate::talk::ENGINE_PATH;
use crate::{ADAPTER, contract};

/// Longest answer that is changed, in bytes. A start's answer lists ICE servers and takes a few KiB.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// Where signalling is connected to through the gateway: the host follows, then the path there.
const SIGNALLING_PATH: &str = "/ws/";

/// Changes the answer to a start, unless the caller knows how to go through a gateway by itself.
pub(crate) fn of(
    options: &ProviderOptions,
    intent: &Intent,
    inbound: &Inbound<'_>,
    headers: &HeaderMap,
) -> Option<Box<dyn Rewrite>> {
    let is_readable = !headers.contains_key("content-encoding");
    let is_meant = intent.operation == START_SESSION && is_readable && !contract::is_used(inbound);
    is_meant.then(|| {
        Box::new(Led {
            hosts: options.engine_hosts.clone(),
            scheme: inbound.origin.scheme.to_owned(),
            authority: inbound.origin.authority.to_owned(),
            held: Vec::new(),
            is_too_long: false,
        }) as Box<dyn Rewrite>
    })
}

struct Led {
    hosts: EngineHosts,
    scheme: String,
    authority: String,
    held: Vec<u8>,
    is_too_long: bool,
}

impl Rewrite for Led {
    fn pass(&mut self, chunk: Bytes) -> Bytes {
        if self.is_too_long {
            return chunk;
        }
        self.held.extend_from_slice(&chunk);
        if self.held.len() <= MAX_ANSWER_BYTES {
            return Bytes::new();
        }
        self.is_too_long = true;
        Bytes::from(std::mem::take(&mut self.held))
    }

    fn rest(&mut self) -> Bytes {
        let held = std::mem::take(&mut self.held);
        Bytes::from(self.led(&held).unwrap_or(held))
    }
}

impl Led {
    /// The answer with the gateway's addresses; nothing where there is no engine, or one that the gateway
    /// may not speak with either.
    fn led(&self, answer: &[u8]) -> Option<Vec<u8>> {
        let mut answer: Value = serde_json::from_slice(answer).ok()?;
        let engine = answer.get("engineHost")?.as_str()?;
        let (host, path) = engine.split_at(engine.find('/').unwrap_or(engine.len()));
        let host = self.hosts.find(host)?.authority;
        let endpoint = answer.get("signallingEndpoint")?.as_str()?.trim_start_matches('/');
        let prefix = ADAPTER.name.as_str();
        let signalling = format!("/{prefix}{SIGNALLING_PATH}{host}/{endpoint}");
        let engine = format!("{}/{prefix}{ENGINE_PATH}{host}{path}", self.authority);
        answer["engineHost"] = Value::String(engine);
        answer["engineProtocol"] = Value::String(self.scheme.clone());
        answer["signallingEndpoint"] = Value::String(signalling);
        serde_json::to_vec(&answer).ok()
    }
}
