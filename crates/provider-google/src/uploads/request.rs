//! What goes to Google with a file, and what its errors say.

use http::HeaderMap;
use keygate_domain::{Blame, Failure, Fault, Intent, Refusal, RetryAdvice};
use keygate_provider::{AnswerHead, Grant, Inbound, SurfaceAnswer, UpstreamRequest};

use crate::surface::Surface;
use crate::{credentials, faults, operations as op};

/// Headers that pass with uploads and downloads, besides those that always do.
const PASSING: [&str; 8] = [
    "range",
    "if-range",
    "if-none-match",
    "if-modified-since",
    "content-range",
    "content-md5",
    "digest",
    "x-goog-hash",
];

/// Beginnings of the names of further ones: the protocol of uploads, in its two dialects.
const PASSING_PREFIXES: [&str; 2] = ["x-goog-upload-", "x-upload-content-"];

const STATUS: &str = "x-goog-upload-status";

/// The request as Google wants it; nothing if it sends or fetches no file.
pub(crate) fn request(intent: &Intent, inbound: &Inbound<'_>, grant: &Grant<'_>) -> Option<UpstreamRequest> {
    if ![op::UPLOAD, op::UPLOAD_CHUNK, op::DOWNLOAD].contains(&intent.operation) {
        return None;
    }
    // The id of an upload is its credential, as Google's own SDKs have it. A key beside it could only fail:
    // when the one that began the upload is revoked meanwhile.
    let key = grant.key.filter(|_| intent.operation != op::UPLOAD_CHUNK);
    let mut headers = credentials::upstream_headers(Surface::Native, inbound.headers, key);
    copy_passing(inbound.headers, &mut headers);
    Some(UpstreamRequest {
        host: None,
        method: inbound.method.clone(),
        path_and_query: intent.target.clone(),
        headers,
        body: inbound.body.clone(),
    })
}

fn copy_passing(from: &HeaderMap, to: &mut HeaderMap) {
    for (name, value) in from {
        let passes = PASSING.contains(&name.as_str())
            || PASSING_PREFIXES.iter().any(|prefix| name.as_str().starts_with(prefix));
        if passes {
            to.append(name.clone(), value.clone());
        }
    }
}

/// What an error says.
///
/// A chunk goes without a key, so no key is to blame. And it is not sent again on an answer: how much of it was
/// kept only the client finds out, by asking (`X-Goog-Upload-Command: query`).
pub(crate) fn judge(intent: &Intent, answer: &AnswerHead<'_>) -> Failure {
    let failure = faults::failure_of_answer(answer, intent.estimate);
    if intent.operation != op::UPLOAD_CHUNK {
        return failure;
    }
    let blameless = if failure.fault.is_providers() { failure } else { Failure::of(Fault::Caller) };
    blameless.retrying(RetryAdvice::Never)
}

/// Tells the client of an upload whether it is worth going on. Without a status Google's SDKs send a chunk three
/// times more (google-genai, `_upload_fd`): right for what may pass, useless for what cannot.
pub(crate) fn note_refusal(path: &str, refusal: &Refusal, answer: &mut SurfaceAnswer) {
    let is_for_good = refusal.kind.blame() == Blame::Caller && refusal.retry_after.is_none();
    if path.starts_with("/upload/") && is_for_good {
        answer.headers.push((STATUS, "final".to_owned()));
    }
}
