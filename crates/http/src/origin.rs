//! Where a caller reached the gateway.

use actix_web::HttpRequest;
use actix_web::http::header::{HOST, HeaderName};
use keygate_provider::Origin;
use url::Position;

use crate::rules::Rules;

const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The gateway as this caller addresses it: as configured, else by its `Host` (RFC 9110 §7.2), and `https` if the
/// listener or a proxy in front says so. Only its own answer repeats it, so that whoever lies about it misleads nobody else.
pub(crate) fn of<'a>(request: &'a HttpRequest, rules: &'a Rules) -> Origin<'a> {
    if let Some(url) = &rules.public_url {
        let authority = url[Position::BeforeHost..Position::AfterPath].trim_end_matches('/');
        return Origin { scheme: url.scheme(), authority };
    }
    let header = |name: &HeaderName| request.headers().get(name).and_then(|value| value.to_str().ok());
    let by_proxy = header(&X_FORWARDED_PROTO).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"));
    let is_secure = by_proxy || request.app_config().secure();
    let authority =
        header(&HOST).or_else(|| request.uri().authority().map(actix_web::http::uri::Authority::as_str));
    Origin {
        scheme: if is_secure { "https" } else { "http" },
        authority: authority.unwrap_or(Origin::INSIDE.authority),
    }
}
