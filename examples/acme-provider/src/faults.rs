//! Acme's error table.

use std::time::Duration;

use keygate_domain::{Failure, Fault, Hint, Intent, Metric, Verdict};
use keygate_provider::AnswerHead;

/// What an answer says about the key.
pub(crate) fn verdict(intent: &Intent, answer: &AnswerHead<'_>) -> Verdict {
    match answer.status.as_u16() {
        200..300 => Verdict::Served(intent.estimate),
        401 => Verdict::Failed(Failure::of(Fault::KeyInvalid).hinting(Hint {
            needs_human: true,
            reason: "acme does not know this key",
            ..Hint::default()
        })),
        429 => Verdict::Failed(Failure::of(Fault::RateLimited).hinting(Hint {
            retry_after: retry_after(answer),
            metric: Metric::RequestsPerMinute,
            reason: "acme's minute is full",
            ..Hint::default()
        })),
        503 => Verdict::Failed(Failure::of(Fault::Overloaded)),
        500.. => Verdict::Failed(Failure::of(Fault::ServerError)),
        _ => Verdict::Failed(Failure::of(Fault::Caller)),
    }
}

fn retry_after(answer: &AnswerHead<'_>) -> Option<Duration> {
    let seconds = answer.headers.get("retry-after")?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};
    use keygate_domain::Scope;

    use super::*;

    fn failure(status: u16, headers: &HeaderMap) -> Failure {
        let status = StatusCode::from_u16(status).unwrap();
        let answer = AnswerHead { status, headers, body: b"{}", for_preparation: false };
        let inbound_body = bytes::Bytes::from_static(b"{}");
        let inbound = keygate_provider::Inbound {
            method: &http::Method::POST,
            path: "/v1/complete",
            query: None,
            headers,
            body: &inbound_body,
            origin: keygate_provider::Origin::INSIDE,
            request_id: "",
        };
        let provider = (crate::ADAPTER.build)(&keygate_provider::ProviderOptions::default());
        let intent = provider.understand(&inbound).unwrap();
        let Verdict::Failed(failure) = provider.verdict(&intent, &answer) else { panic!("not a failure") };
        failure
    }

    #[test]
    fn every_row_of_the_table() {
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", "7".parse().unwrap());
        assert_eq!(failure(401, &headers).scope, Scope::Key);
        assert_eq!(failure(429, &headers).hint.retry_after, Some(Duration::from_secs(7)));
        assert_eq!(failure(503, &headers).fault, Fault::Overloaded);
        assert_eq!(failure(500, &headers).fault, Fault::ServerError);
        assert_eq!(failure(400, &headers).scope, Scope::Nothing);
    }
}
