//! Ephemeral tokens: what a browser is given instead of a key. One is made by a project, opens sessions of
//! that project only, and goes upstream as it is; no key goes beside it.

use std::borrow::Cow;

use http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use keygate_provider::Inbound;

use crate::query;

/// What every such token begins with.
const PREFIX: &str = "auth_tokens/";

/// The token that the caller shows, wherever SDKs put it: in `Authorization: Token`, in `?access_token=`,
/// or in the place of a key. Nothing else is passed on as the caller's own.
pub(super) fn own_token<'a>(inbound: &Inbound<'a>) -> Option<Cow<'a, str>> {
    let authorization = inbound.headers.get_all(AUTHORIZATION).iter().filter_map(|value| {
        let (_scheme, token) = value.to_str().ok()?.split_once(' ')?;
        Some(Cow::Borrowed(token.trim()))
    });
    let in_query = inbound.query_pairs().filter_map(|(name, value)| {
        let is_place = matches!(&*query::decode(name)?, "access_token" | "key");
        is_place.then(|| query::decode(value)).flatten()
    });
    let as_key = inbound.header("x-goog-api-key").map(Cow::Borrowed);
    authorization.chain(in_query).chain(as_key).find(|token| is_token(token))
}

fn is_token(shown: &str) -> bool {
    shown.strip_prefix(PREFIX).is_some_and(|id| !id.is_empty() && id.bytes().all(|b| b.is_ascii_graphic()))
}

/// Puts the caller's own token where Google expects it.
pub(crate) fn own_credential(inbound: &Inbound<'_>, headers: &mut HeaderMap) {
    let token = own_token(inbound).and_then(|token| HeaderValue::try_from(format!("Token {token}")).ok());
    if let Some(mut token) = token {
        token.set_sensitive(true);
        headers.insert(AUTHORIZATION, token);
    }
}
