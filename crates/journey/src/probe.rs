//! The house's own way to a provider: the free call that tells whether a disabled key works again.
//!
//! No lease, no user, no retry. The answer is judged by the adapter's own table, and nothing of it is kept
//! but the verdict: a provider may print the key in it.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use keygate_domain::{ApiKey, Failure, Fault, Verdict};
use keygate_provider::{Adapter, AnswerHead, Grant, ProviderOptions};
use keygate_upstream::{SendFailure, SendFailureKind, Upstream};

/// How long the head of the answer may take, and then its body.
const PATIENCE: Duration = Duration::from_secs(5);

/// Makes the provider's free call with `key`; [`Verdict::Unsent`] where there is none.
pub async fn probe(adapter: &Adapter, upstream: &Upstream, key: &ApiKey) -> Verdict {
    let (provider, headers, body) =
        ((adapter.build)(&ProviderOptions::default()), HeaderMap::new(), Bytes::new());
    let Some(inbound) = adapter.free_call.map(|call| call.inbound(&headers, &body)) else {
        return Verdict::Unsent;
    };
    let Ok(intent) = provider.understand(&inbound) else { return Verdict::Unsent };
    let request = provider.request(&intent, &inbound, &Grant { key: Some(key), ..Grant::default() });
    let mut answer = match upstream.send(request, PATIENCE).await {
        Ok(answer) => answer,
        Err(failure) => return unanswered(failure),
    };
    // To the end, also of a success: what is left unread would look like a caller that hung up.
    let text = answer.text_up_to(AnswerHead::MAX_ERROR_BYTES, PATIENCE).await;
    let body = if answer.status().is_success() { &[] } else { &*text.bytes };
    let (status, headers) = (answer.status(), answer.headers());
    provider.verdict(&intent, &AnswerHead { status, headers, body, for_preparation: false })
}

fn unanswered(failure: SendFailure) -> Verdict {
    let fault = match failure.kind {
        SendFailureKind::TimedOut => Fault::Timeout,
        SendFailureKind::NotConnected | SendFailureKind::Broken => Fault::Unreachable,
    };
    Verdict::Failed(Failure::of(fault))
}
