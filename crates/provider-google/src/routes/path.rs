//! Segments of a path: decoded once, proven harmless, and encoded again.
//!
//! A model name comes from the caller and becomes part of the URL asked for with our key. It must
//! never be able to leave its segment, so the target is built anew from what was understood;
//! the caller's own bytes are not passed on.

use std::borrow::Cow;
use std::fmt::Write as _;

use keygate_domain::{ErrorKind, ModelName};
use keygate_provider::CallRejected;

use crate::query::decode;

/// Longest model name taken, in bytes; Google's own are below 64.
const MAX_MODEL_BYTES: usize = 256;

/// The path's segments, percent-decoded once.
///
/// # Errors
/// `BadRequest` when a segment is empty, is or contains `..`, or hides a separator, a control
/// character or a second encoding.
pub(crate) fn segments(path: &str) -> Result<Vec<Cow<'_, str>>, CallRejected> {
    path.strip_prefix('/').unwrap_or(path).split('/').map(segment).collect()
}

fn segment(raw: &str) -> Result<Cow<'_, str>, CallRejected> {
    decode(raw).filter(|decoded| is_harmless(decoded)).ok_or_else(|| {
        CallRejected::new(
            ErrorKind::BadRequest,
            "The path is malformed: a segment must not be empty, contain \"..\", or encode a slash, a backslash, \
             a percent sign or a control character.",
        )
    })
}

fn is_harmless(decoded: &str) -> bool {
    let has_dots = decoded.as_bytes().windows(2).any(|pair| pair == b"..");
    let has_harm = |c: char| c.is_control() || matches!(c, '/' | '\\' | '%');
    !decoded.is_empty() && decoded != "." && !has_dots && !decoded.chars().any(has_harm)
}

/// The model named by a segment or a body.
///
/// # Errors
/// `BadRequest` when the name is too long, or has a space (Google repeats model names in error
/// messages: a name must not be able to pass for one) or a colon (which ends a name in a path).
pub(super) fn model(name: &str) -> Result<ModelName, CallRejected> {
    let short = name.strip_prefix("models/").unwrap_or(name);
    let is_name = !short.is_empty() && short.len() <= MAX_MODEL_BYTES;
    if !is_name || short.contains(|c: char| c.is_whitespace() || c.is_control() || c == ':') {
        let message = "The model name is malformed: at most 256 bytes without spaces or colons.";
        return Err(CallRejected::new(ErrorKind::BadRequest, message));
    }
    Ok(ModelName::from(short))
}

/// `segment` as it may stand in a path.
pub(crate) fn encode(segment: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    if segment.bytes().all(is_plain) {
        return Cow::Borrowed(segment);
    }
    let mut encoded = String::with_capacity(segment.len() * 3);
    for byte in segment.bytes() {
        if is_plain(byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    Cow::Owned(encoded)
}
