//! How large an upload is, as its requests say.

use keygate_provider::{Extent, Inbound};

use super::route;

/// Announced where an upload begins, in both dialects of its protocol.
const ANNOUNCED: [&str; 2] = ["x-goog-upload-header-content-length", "x-upload-content-length"];

/// What is said of the whole: by the first step, or by a chunk that says where in it it stands.
pub(crate) fn extent(inbound: &Inbound<'_>) -> Extent {
    let number = |name: &str| inbound.header(name).and_then(|value| value.trim().parse::<u64>().ok());
    if route::upload_id(inbound).is_none() {
        return Extent { whole: ANNOUNCED.into_iter().filter_map(number).max(), before: 0 };
    }
    let (first, whole) = inbound.header("content-range").and_then(range).unwrap_or_default();
    Extent { whole, before: number("x-goog-upload-offset").or(first).unwrap_or(0) }
}

/// `bytes 0-5/6`, `bytes 6-8/*`, `bytes */9`: where it begins, and the whole.
fn range(value: &str) -> Option<(Option<u64>, Option<u64>)> {
    let (span, whole) = value.trim().strip_prefix("bytes ")?.split_once('/')?;
    let first = span.split_once('-').and_then(|(first, _)| first.trim().parse().ok());
    Some((first, whole.trim().parse().ok()))
}
