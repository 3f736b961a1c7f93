//! The address of an upload's session: remembered, and made to point at this gateway.

use std::time::Duration;

use http::header::LOCATION;
use http::{HeaderMap, HeaderName, HeaderValue};
use keygate_domain::{Binding, Intent};
use keygate_provider::{Inbound, Origin, Rewrite};

use super::{links, route};
use crate::{operations as op, query};

/// How long an upload may be continued. Google says nothing of it; its other resumable uploads are kept for a
/// day and longer.
const LIFETIME: Duration = Duration::from_hours(24);

/// Where the address stands: Google's own protocol, and the one of `uploadType=resumable`.
static PLACES: [HeaderName; 3] = [
    HeaderName::from_static("x-goog-upload-url"),
    HeaderName::from_static("x-goog-upload-control-url"),
    LOCATION,
];

/// Whose the session is that an answer names.
pub(crate) fn bindings(intent: &Intent, headers: &HeaderMap) -> Vec<Binding> {
    if intent.operation != op::UPLOAD {
        return Vec::new();
    }
    let mut ids: Vec<String> = addresses(headers).filter_map(|(_, url)| id_in(url)).collect();
    ids.sort_unstable();
    ids.dedup();
    let bound = |id: String| Binding { resource: route::session(&id), lifetime: LIFETIME, keepsake: None };
    ids.into_iter().map(bound).collect()
}

/// Changes the answers that name addresses only a key opens.
pub(crate) fn rewrite(
    intent: &Intent,
    inbound: &Inbound<'_>,
    headers: &HeaderMap,
) -> Option<Box<dyn Rewrite>> {
    if intent.operation != op::UPLOAD {
        return links::rewrite(intent, inbound, headers);
    }
    let moved = |(name, url): (&HeaderName, &str)| {
        let value = HeaderValue::from_str(&at_gateway(url, inbound.origin)?).ok()?;
        Some((name.clone(), value))
    };
    let moved: Vec<_> = addresses(headers).filter_map(moved).collect();
    if moved.is_empty() {
        // In one piece: the answer is the file's.
        return links::rewrite(intent, inbound, headers);
    }
    Some(Box::new(Moved(moved)))
}

/// Addresses in their new places.
struct Moved(Vec<(HeaderName, HeaderValue)>);

impl Rewrite for Moved {
    fn headers(&mut self, headers: &mut HeaderMap) {
        for (name, value) in self.0.drain(..) {
            headers.insert(name, value);
        }
    }

    fn changes_body(&self) -> bool {
        false
    }
}

fn addresses(headers: &HeaderMap) -> impl Iterator<Item = (&'static HeaderName, &str)> {
    PLACES.iter().filter_map(|name| Some((name, headers.get(name)?.to_str().ok()?)))
}

fn id_in(url: &str) -> Option<String> {
    route::upload_id_in(url.split_once('?')?.1)
}

/// The address at the gateway, without the key that Google repeats in it. The path prefix of the caller's base
/// URL is dropped by SDKs, so it is none of ours.
fn at_gateway(url: &str, origin: Origin<'_>) -> Option<String> {
    id_in(url)?;
    let (address, query) = url.split_once('?')?;
    let path = &address[address.find("/upload/")?..];
    Some(format!("{origin}{}", query::target(path.to_owned(), Some(query))))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(
        "https://generativelanguage.googleapis.com/upload/v1beta/files?upload_id=a%2Db&upload_protocol=resumable",
        Some("https://gw.example:8443/upload/v1beta/files?upload_id=a%2Db&upload_protocol=resumable")
    )]
    #[case(
        "https://generativelanguage.googleapis.com/upload/v1/files?key=AIzaReal&upload_id=a&%6Bey=AIzaReal",
        Some("https://gw.example:8443/upload/v1/files?upload_id=a")
    )]
    #[case(
        "http://127.0.0.1:9/prefix/upload/v1/environments/e/files/a/b.py?upload_id=a&overwrite=true",
        Some("https://gw.example:8443/upload/v1/environments/e/files/a/b.py?upload_id=a&overwrite=true")
    )]
    #[case("https://generativelanguage.googleapis.com/upload/v1/files", None)]
    #[case("https://generativelanguage.googleapis.com/upload/v1/files?upload_id=", None)]
    #[case("https://generativelanguage.googleapis.com/v1/files/abc?upload_id=a", None)]
    fn an_address_moves_to_the_gateway(#[case] url: &str, #[case] expected: Option<&str>) {
        let origin = Origin { scheme: "https", authority: "gw.example:8443" };
        assert_eq!(at_gateway(url, origin).as_deref(), expected);
    }
}
