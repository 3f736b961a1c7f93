//! The adapter as the house sees it: through the catalogue entry and the contract alone.

#![expect(clippy::unwrap_used, reason = "the steps around a test may fail it, too")]

mod bindings;
mod catalogue;
mod creations;
mod free_call;
mod last_words;
mod live;
mod meters;
mod refusals;
mod requests;
mod resources;
mod routes;
mod uploads;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method};
use keygate_domain::Intent;
use keygate_provider::{CallRejected, Inbound, Origin, Provider, ProviderOptions};
use keygate_provider_google::ADAPTER;

/// A caller's request that owns its parts.
struct Call {
    method: Method,
    path: String,
    query: Option<String>,
    headers: HeaderMap,
    body: Bytes,
}

impl Call {
    fn new(method: &str, target: &str) -> Self {
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path.to_owned(), Some(query.to_owned())),
            None => (target.to_owned(), None),
        };
        let method = method.parse().unwrap();
        Self { method, path, query, headers: HeaderMap::new(), body: Bytes::new() }
    }

    fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    fn post(target: &str, body: impl Into<Bytes>) -> Self {
        Self { body: body.into(), ..Self::new("POST", target) }
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.append(HeaderName::from_static(name), value.parse().unwrap());
        self
    }

    fn inbound(&self) -> Inbound<'_> {
        Inbound {
            method: &self.method,
            path: &self.path,
            query: self.query.as_deref(),
            headers: &self.headers,
            body: &self.body,
            origin: Origin { scheme: "https", authority: "gateway.example" },
            request_id: "order-17",
        }
    }

    fn understood(&self) -> Result<Intent, CallRejected> {
        google().understand(&self.inbound())
    }
}

fn google() -> Arc<dyn Provider> {
    (ADAPTER.build)(&ProviderOptions::default())
}
