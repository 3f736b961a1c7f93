//! Tokens: where callers put them, and whom they stand for.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName};
use keygate_config::{ClientToken, ClientsConfig};
use keygate_domain::{ClientId, Right};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

const X_GOOG_API_KEY: HeaderName = HeaderName::from_static("x-goog-api-key");

/// A client, as its requests need it: cheap to clone.
pub(crate) struct KnownClient {
    pub(crate) id: ClientId,
    pub(crate) name: Arc<str>,
    pub(crate) rights: Arc<[Right]>,
    sha256: [u8; 32],
}

/// Knows the tokens, by their SHA-256 only.
pub(crate) struct Doorkeeper {
    clients: BTreeMap<[u8; 32], KnownClient>,
    admin: Option<[u8; 32]>,
}

/// What a request shows of itself.
pub(crate) enum Shown<'a> {
    /// No credential.
    Nothing,
    /// One, in one or several places.
    One(Cow<'a, str>),
    /// Two different ones: whichever were believed, half of the callers would be wrong.
    Several,
}

impl Doorkeeper {
    pub(crate) fn new(clients: &ClientsConfig) -> Self {
        Self {
            clients: clients.tokens.iter().map(|token| (token.sha256, KnownClient::of(token))).collect(),
            admin: clients.admin_token_sha256,
        }
    }

    /// The client of a token. The look-up goes by digest, so its timing tells nothing of the
    /// token; the final comparison is in constant time all the same.
    pub(crate) fn client_of(&self, token: &str) -> Option<&KnownClient> {
        let digest = sha256(token);
        let client = self.clients.get(&digest)?;
        bool::from(client.sha256.ct_eq(&digest)).then_some(client)
    }

    /// Whether any admin token exists at all.
    pub(crate) fn has_admin(&self) -> bool {
        self.admin.is_some() || self.clients.values().any(|client| client.rights.contains(&Right::Admin))
    }

    /// Whether `token` opens operators' routes.
    pub(crate) fn is_admin(&self, token: &str) -> bool {
        let digest = sha256(token);
        let is_the_admin_token = self.admin.is_some_and(|admin| bool::from(admin.ct_eq(&digest)));
        let is_an_admin =
            || self.client_of(token).is_some_and(|client| client.rights.contains(&Right::Admin));
        is_the_admin_token || is_an_admin()
    }
}

impl KnownClient {
    fn of(token: &ClientToken) -> Self {
        Self {
            id: ClientId::from(token.name.as_str()),
            name: Arc::from(token.name.as_str()),
            rights: token.rights.iter().copied().collect(),
            sha256: token.sha256,
        }
    }
}

/// The token of `Authorization: Bearer …`.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    bearers(headers).next()
}

/// The token of an operator: in a header of its own, else where a client's would be.
pub(crate) fn admin_token(headers: &HeaderMap) -> Option<&str> {
    let own = headers.get("x-keygate-admin-token").and_then(|value| value.to_str().ok());
    own.or_else(|| bearer(headers))
}

/// What a request shows, in all the places where SDKs put a key.
pub(crate) fn shown<'a>(headers: &'a HeaderMap, query: Option<&'a str>) -> Shown<'a> {
    let in_header = headers.get_all(X_GOOG_API_KEY).into_iter().filter_map(|value| value.to_str().ok());
    let in_query = query.into_iter().flat_map(keys_of_query);
    let places = in_header.map(Cow::Borrowed).chain(in_query).chain(bearers(headers).map(Cow::Borrowed));
    // An SDK whose key is not set sends an empty one.
    let mut places = places.filter(|token| !token.is_empty());
    match places.next() {
        None => Shown::Nothing,
        Some(first) if places.all(|other| other == first) => Shown::One(first),
        Some(_) => Shown::Several,
    }
}

fn bearers(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers.get_all(AUTHORIZATION).into_iter().filter_map(|value| {
        let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    })
}

fn keys_of_query(query: &str) -> impl Iterator<Item = Cow<'_, str>> {
    url::form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "key").map(|(_, value)| value)
}

fn sha256(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn a_token_is_found_wherever_an_sdk_puts_it() {
        let check = |pairs: &[(&'static str, &'static str)], query: Option<&str>, expected: &str| {
            let headers = headers(pairs);
            let shown = match shown(&headers, query) {
                Shown::Nothing => "nothing".to_owned(),
                Shown::One(token) => token.into_owned(),
                Shown::Several => "several".to_owned(),
            };
            assert_eq!(shown, expected);
        };
        check(&[], None, "nothing");
        check(&[("x-goog-api-key", "t")], None, "t");
        check(&[("authorization", "bearer t")], None, "t");
        check(&[("authorization", "Basic dDp0")], None, "nothing");
        check(&[("x-goog-api-key", ""), ("authorization", "Bearer ")], Some("key="), "nothing");
        check(&[("x-goog-api-key", ""), ("authorization", "Bearer t")], None, "t");
        check(&[], Some("alt=sse&key=t%2Fu"), "t/u");
        check(&[("x-goog-api-key", "t"), ("authorization", "Bearer t")], Some("key=t"), "t");
        check(&[("x-goog-api-key", "t"), ("authorization", "Bearer u")], None, "several");
        check(&[("x-goog-api-key", "t"), ("x-goog-api-key", "u")], None, "several");
        check(&[("authorization", "Bearer t"), ("authorization", "Bearer u")], None, "several");
        check(&[], Some("key=t&key=u"), "several");
    }
}
