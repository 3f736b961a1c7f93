//! URLs that point at this gateway, made to point at the provider again.
//!
//! A file's URI may have been rewritten on its way to the caller, or been built by the caller from the base
//! URL it knows; the provider knows its own only.

use bytes::{Bytes, BytesMut};
use keygate_provider::Inbound;

use super::name::{after_authority, is_version};
use super::{Named, name, scan};
use crate::ADAPTER;

/// The body for the provider, if any URL in it that names a resource points at this gateway.
pub(crate) fn at_providers(inbound: &Inbound<'_>) -> Option<Bytes> {
    let body: &[u8] = inbound.body;
    let mut rebased = BytesMut::new();
    let mut copied_to = 0;
    let look = |value: scan::Value<'_>| {
        if let Some(url) = value.text.read().and_then(|url| rebase(&url, inbound.origin.authority)) {
            rebased.extend_from_slice(&body[copied_to..value.start]);
            rebased.extend_from_slice(serde_json::Value::from(url).to_string().as_bytes());
            copied_to = value.end;
        }
        Ok::<(), Named>(())
    };
    // It never ends early.
    let _ = scan::values(body, look);
    if copied_to == 0 {
        return None;
    }
    rebased.extend_from_slice(&body[copied_to..]);
    Some(rebased.freeze())
}

fn rebase(url: &str, authority: &str) -> Option<String> {
    let url = url.trim();
    let path = after_authority(url)?;
    let host = url.split_once("://")?.1;
    let host = &host[..host.len() - path.len()];
    if !host.eq_ignore_ascii_case(authority) || name::in_value(url).is_none() {
        return None;
    }
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let version = segments.iter().position(|segment| is_version(segment))?;
    Some(format!("{}/{}", ADAPTER.base_url, segments[version..].join("/")))
}
