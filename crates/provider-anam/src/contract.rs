//! The `apiGateway` option of Anam's JavaScript SDK: requests come with the address they are meant for.

use keygate_domain::ErrorKind;
use keygate_provider::{CallRejected, EngineHosts, Inbound};

/// Where the SDK puts that address.
pub(crate) const TARGET_HEADER: &str = "x-anam-target-url";

/// Anam's API as clients know it; it stands for whatever `base_url` is configured.
const API_HOST: &str = "api.anam.ai";

/// Whether the caller uses the option. It connects to engines by the same contract then, and wants their
/// true addresses.
pub(crate) fn is_used(inbound: &Inbound<'_>) -> bool {
    inbound.headers.contains_key(TARGET_HEADER)
}

/// Checks that the address is that of the API, with the path that is asked for. Nothing else is taken from
/// it: where a request goes follows from its path.
///
/// # Errors
/// `Forbidden` for any other host, `BadRequest` for any other path.
pub(crate) fn check(inbound: &Inbound<'_>) -> Result<(), CallRejected> {
    let Some(target) = inbound.headers.get(TARGET_HEADER) else { return Ok(()) };
    let target = target.to_str().map_err(|_| no_such_host())?;
    if names_gateway(target, inbound) {
        return Ok(());
    }
    let api = EngineHosts::parse([API_HOST]).unwrap_or_default();
    let (_, rest) = api.find_in_url(target).ok_or_else(no_such_host)?;
    let path = rest.split(['?', '#']).next().unwrap_or_default();
    if single_slashes(path) == inbound.path {
        return Ok(());
    }
    Err(CallRejected::new(
        ErrorKind::BadRequest,
        format!("{TARGET_HEADER} names another path than the request"),
    ))
}

/// A client that was given the gateway's address as the API's *and* as the gateway's.
fn names_gateway(target: &str, inbound: &Inbound<'_>) -> bool {
    let here = inbound.origin.to_string();
    let path = target.strip_prefix(here.as_str()).filter(|path| path.starts_with('/'));
    path.is_some_and(|path| path.split('?').next().is_some_and(|path| path.ends_with(inbound.path)))
}

fn single_slashes(path: &str) -> String {
    let mut single = String::with_capacity(path.len());
    for character in path.chars() {
        if character != '/' || !single.ends_with('/') {
            single.push(character);
        }
    }
    single
}

fn no_such_host() -> CallRejected {
    CallRejected::new(
        ErrorKind::Forbidden,
        format!("{TARGET_HEADER} names a host that this gateway does not speak with"),
    )
}
