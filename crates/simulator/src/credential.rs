//! Where a request carried credentials. The rule that there must be exactly one is judged here
//! by looking at all places, so that a leak shows as well as a lack.

use http::HeaderMap;
use serde::Serialize;

/// A credential as a record shows it: its place and whose it is, never the secret of a stranger.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct CredentialSeen {
    /// `header x-goog-api-key`, `header authorization`, `query key`, `query access_token`, …
    pub place: &'static str,
    /// The key's label, `session token of <organisation>`, or `unknown`.
    pub label: String,
}

/// A credential found in a request.
#[derive(Clone, Debug)]
pub(crate) struct Credential {
    pub(crate) place: Place,
    pub(crate) secret: String,
}

/// The places credentials travel in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    ApiKeyHeader,
    KeyQuery,
    Bearer,
    /// `Authorization: Token …`, ephemeral tokens of Live.
    Token,
    /// `Authorization` of another scheme.
    OtherAuthorization,
    AccessTokenQuery,
    UserProject,
    Cookie,
}

impl Place {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ApiKeyHeader => "header x-goog-api-key",
            Self::KeyQuery => "query key",
            Self::Bearer | Self::Token | Self::OtherAuthorization => "header authorization",
            Self::AccessTokenQuery => "query access_token",
            Self::UserProject => "header x-goog-user-project",
            Self::Cookie => "header cookie",
        }
    }
}

/// Everything in the request that looks like a credential, in a fixed order of places.
pub(crate) fn find(headers: &HeaderMap, query: &[(String, String)]) -> Vec<Credential> {
    let mut found = Vec::new();
    let mut add = |place, secret: &str| found.push(Credential { place, secret: secret.to_owned() });
    for value in headers.get_all("x-goog-api-key") {
        add(Place::ApiKeyHeader, text(value));
    }
    for value in headers.get_all("authorization") {
        let (place, secret) = authorization(text(value));
        add(place, secret);
    }
    for (name, value) in query {
        match name.as_str() {
            "key" => add(Place::KeyQuery, value),
            "access_token" => add(Place::AccessTokenQuery, value),
            _ => {}
        }
    }
    for (name, place) in [("x-goog-user-project", Place::UserProject), ("cookie", Place::Cookie)] {
        headers.get_all(name).iter().for_each(|value| add(place, text(value)));
    }
    found
}

fn text(value: &http::HeaderValue) -> &str {
    value.to_str().unwrap_or_default()
}

fn authorization(value: &str) -> (Place, &str) {
    let (scheme, secret) = value.split_once(' ').unwrap_or((value, ""));
    match scheme.to_ascii_lowercase().as_str() {
        "bearer" => (Place::Bearer, secret.trim()),
        "token" => (Place::Token, secret.trim()),
        _ => (Place::OtherAuthorization, value),
    }
}
