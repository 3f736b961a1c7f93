//! The request as Anam gets it: one bearer, a few harmless headers, nothing else of the caller's.

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, USER_AGENT};
use http::{HeaderMap, HeaderValue};
use keygate_domain::{Access, Intent};
use keygate_provider::{Grant, Inbound, ProviderOptions, UpstreamRequest};

use crate::routes::{TALK, UPLOAD_TOKEN};
use crate::signalling::SIGNALLING;
use crate::{labels, personas, session_token, signalling, talk};

/// The caller's headers that go on. A list of what may pass, not of what may not: cookies,
/// `X-Anam-Target-Url` and whatever else a proxy or a browser adds end here. No
/// `accept-encoding` among them: the token and the session id are read from the answer as it
/// passes, so it must come uncompressed.
const FORWARDED: [HeaderName; 3] = [CONTENT_TYPE, ACCEPT, USER_AGENT];

/// The caller's request under the credential the grant calls for.
pub(crate) fn request(
    options: &ProviderOptions,
    intent: &Intent,
    inbound: &Inbound<'_>,
    grant: &Grant<'_>,
) -> UpstreamRequest {
    let mut headers = forwarded(inbound.headers);
    let mut host = None;
    if intent.operation == TALK {
        // An engine takes no credential, and none of the house's is for it to see.
        host = talk::find(options, inbound).and_then(Result::ok).map(|spoken| spoken.host);
    } else if intent.operation == SIGNALLING {
        host = signalling::find(options, inbound).ok().map(|line| line.host);
    } else if let Some(token) = upload_token(intent, inbound) {
        headers.insert(UPLOAD_TOKEN, token);
    } else {
        authorise(&mut headers, credential(intent, inbound, grant).as_deref());
    }
    UpstreamRequest {
        method: inbound.method.clone(),
        host,
        path_and_query: intent.target.clone(),
        headers,
        body: labels::marked(intent, inbound, personas::in_words_of(options, grant.group, inbound.body)),
    }
}

/// The token that stands in for the key where a document is uploaded.
fn upload_token(intent: &Intent, inbound: &Inbound<'_>) -> Option<HeaderValue> {
    let is_own = intent.access == Access::OwnCredential && inbound.bearer().is_none();
    let mut token = inbound.headers.get(UPLOAD_TOKEN).filter(|_| is_own)?.clone();
    token.set_sensitive(true);
    Some(token)
}

/// Puts `token` where Anam looks for it. A token that cannot stand in a header is left out, and
/// Anam's 401 then says of the key what there is to say.
pub(crate) fn authorise(headers: &mut HeaderMap, token: Option<&str>) {
    let bearer = token.map(|token| HeaderValue::try_from(format!("Bearer {token}")));
    if let Some(Ok(mut bearer)) = bearer {
        bearer.set_sensitive(true);
        headers.insert(AUTHORIZATION, bearer);
    }
}

/// The caller's own session token in its home organisation; abroad the one minted there. Should
/// a mint have succeeded without a token in its answer, the caller's is used: it can at worst be
/// refused where it was refused before.
fn credential(intent: &Intent, inbound: &Inbound<'_>, grant: &Grant<'_>) -> Option<String> {
    if intent.access != Access::OwnCredential {
        return grant.key.map(|key| key.expose().to_owned());
    }
    let minted = grant.away.and(grant.prepared).and_then(session_token::in_answer);
    minted.or_else(|| inbound.bearer().map(str::to_owned))
}

fn forwarded(inbound: &HeaderMap) -> HeaderMap {
    let kept = FORWARDED.iter().filter_map(|name| Some((name.clone(), inbound.get(name)?.clone())));
    kept.collect()
}
