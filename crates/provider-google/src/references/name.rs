//! Names of resources, in all the ways in which they are written.

use std::borrow::Cow;
use std::fmt::Write as _;

use keygate_domain::Resource;
use sha2::{Digest, Sha256};

use super::collections::{OTHER, collection};
use crate::query::decode;

/// Longest id taken for one, in bytes; Google's own are below 64.
const MAX_ID_BYTES: usize = 512;

/// The resource with this relative name: `files/abc`, `fileSearchStores/s/documents/d`,
/// `models/m/operations/o`. What lies inside another is that other's: a document belongs to its store.
/// Nothing for a collection that is not known, and for models, which are nobody's.
pub(crate) fn named(relative: &str) -> Option<Resource> {
    of_segments(relative.split('/'))
}

/// The same from the segments of a path, where a collection that is not known may own something, too.
pub(crate) fn named_in_path(segments: &[&str]) -> Option<Resource> {
    let &[first, second, ..] = segments else { return None };
    if collection(first).is_some_and(|known| known.name != OTHER) {
        return of_segments(segments.iter().copied());
    }
    // A name of ours must not be that of another kind.
    let id = id_in(second)?;
    Some(Resource::new(OTHER, format!("{first}/{id}")))
}

fn of_segments<'a>(mut segments: impl Iterator<Item = &'a str>) -> Option<Resource> {
    let collection = collection(segments.next()?).filter(|collection| collection.name != OTHER)?;
    let id = id_in(segments.next()?)?;
    match collection.name {
        "models" | "dynamic" => {
            let rest: Vec<&str> = segments.collect();
            let ["operations", operation, ..] = rest.as_slice() else { return None };
            let operation = id_in(operation)?;
            Some(Resource::new(collection.name, format!("{id}/operations/{operation}")))
        }
        "auth_tokens" => Some(auth_token(id)),
        name => Some(Resource::new(name, id)),
    }
}

/// A resource of a collection by its bare id, as some fields name it.
pub(crate) fn with_id(collection: &'static str, id: &str) -> Option<Resource> {
    if collection == "auth_tokens" {
        return id_in(id).map(auth_token);
    }
    Some(Resource::new(collection, id_in(id)?))
}

/// An ephemeral token. It opens a session to whoever holds it, so it is known by its sum.
pub(crate) fn auth_token(name: &str) -> Resource {
    Resource::new("auth_tokens", sum(name.strip_prefix("auth_tokens/").unwrap_or(name)))
}

/// The token with which a long answer is gone on with: opaque, and of any length. It stands for bytes, which
/// Google writes in one alphabet of base64 and its Python SDK sends back in the other (google-genai,
/// `_common.py`): both spellings are one token.
pub(crate) fn continuation(token: &str) -> Resource {
    let spelled = token.trim_end_matches('=').replace('-', "+").replace('_', "/");
    Resource::new("continuation_tokens", sum(&spelled))
}

/// The resource that a value names: by its relative name, with or without a version, or by a URL of the
/// provider's or of this gateway's. The host says nothing: what is no name of Google's has no version in it.
pub(crate) fn in_value(value: &str) -> Option<Resource> {
    let value = value.trim();
    let url = after_authority(value);
    if url.is_none() && value.contains("://") {
        return None;
    }
    let path = url.unwrap_or(value).split(['?', '#']).next().unwrap_or_default();
    let segments: Vec<Cow<'_, str>> =
        path.split('/').filter(|segment| !segment.is_empty()).map(lenient).collect();
    let version = segments.iter().position(|segment| is_version(segment));
    let start = match (url, version) {
        (Some(_), Some(version)) | (None, Some(version @ 0)) => version + 1,
        (Some(_), None) => return None,
        (None, _) => 0,
    };
    of_segments(segments[start..].iter().map(|segment| &**segment))
}

/// The part of a URL behind its authority, with the slash.
pub(super) fn after_authority(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once("://")?;
    let is_web = scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http");
    is_web.then(|| rest.find('/').map_or("", |slash| &rest[slash..]))
}

/// `v1`, `v1beta`, `v1alpha`, and whatever comes after them.
pub(crate) fn is_version(segment: &str) -> bool {
    let mut characters = segment.chars();
    characters.next() == Some('v')
        && characters.next().is_some_and(|c| c.is_ascii_digit())
        && characters.all(|c| c.is_ascii_alphanumeric())
}

/// An id, without a verb behind it.
fn id_in(segment: &str) -> Option<&str> {
    let id = segment.split(':').next()?;
    let is_id = !id.is_empty() && id.len() <= MAX_ID_BYTES;
    (is_id && !id.contains(|c: char| c.is_whitespace() || c.is_control())).then_some(id)
}

fn lenient(raw: &str) -> Cow<'_, str> {
    decode(raw).unwrap_or(Cow::Borrowed(raw))
}

/// A secret name as it may be kept: the hex of its SHA-256.
pub(crate) fn sum(text: &str) -> String {
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(text.as_bytes()) {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("files/abc", Some("files/abc"))]
    #[case("v1beta/files/abc", Some("files/abc"))]
    #[case("/v1beta/files/abc", Some("files/abc"))]
    #[case("https://generativelanguage.googleapis.com/v1beta/files/abc", Some("files/abc"))]
    #[case("HTTPS://GenerativeLanguage.googleapis.com//v1//files/abc?alt=media#x", Some("files/abc"))]
    #[case("https://gw.example:8443/google/v1alpha/files/abc:download?alt=media", Some("files/abc"))]
    #[case("http://localhost:8080/download/v1beta/files/%61bc:download", Some("files/abc"))]
    #[case("cachedContents/c", Some("cachedContents/c"))]
    #[case("fileSearchStores/s/documents/d", Some("fileSearchStores/s"))]
    #[case("fileSearchStores/s/upload/operations/o", Some("fileSearchStores/s"))]
    #[case("tunedModels/t/operations/o", Some("tunedModels/t"))]
    #[case("models/m/operations/o", Some("models/m/operations/o"))]
    #[case("models/m", None)]
    #[case("operations/o", Some("operations/o"))]
    #[case("batches/b:cancel", Some("batches/b"))]
    #[case("files/", None)]
    #[case("files", None)]
    #[case("filesystem/abc", None)]
    #[case("see files/abc", None)]
    #[case("files/abc and more", None)]
    #[case("https://files.example/files/abc", None)]
    #[case("https://files.example/v1/pictures/abc", None)]
    #[case("https://files.example", None)]
    #[case("gs://files/abc", None)]
    #[case("resource/x", None)]
    #[case("ftp://host/v1/files/abc", None)]
    fn values_name_resources(#[case] value: &str, #[case] expected: Option<&str>) {
        assert_eq!(in_value(value).map(|resource| resource.to_string()).as_deref(), expected);
    }

    #[rstest]
    #[case(&["files", "abc:download"], Some("files/abc"))]
    #[case(&["futures", "f1", "parts", "p"], Some("resource/futures/f1"))]
    #[case(&["resource", "x"], Some("resource/resource/x"))]
    #[case(&["models", "m"], None)]
    #[case(&["futures"], None)]
    fn paths_name_resources(#[case] path: &[&str], #[case] expected: Option<&str>) {
        assert_eq!(named_in_path(path).map(|resource| resource.to_string()).as_deref(), expected);
    }

    #[test]
    fn tokens_are_known_by_their_sum() {
        let token = named("auth_tokens/secret").unwrap();
        assert!(!token.to_string().contains("secret") && token.name.len() == 64);
        assert_eq!(token, auth_token("auth_tokens/secret"));
        assert_eq!(token, auth_token("secret"));
        assert!(!continuation("secret").to_string().contains("secret"));
        assert_eq!(continuation("a-_b"), continuation("a+/b=="), "bytes in the other alphabet");
        assert_ne!(continuation("a"), continuation("b"));
    }
}
