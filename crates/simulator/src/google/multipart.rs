//! `multipart/related`: the description of a file, and the file.

use bytes::Bytes;
use serde_json::Value;

/// The second part.
pub(super) struct Media {
    pub(super) content_type: Option<String>,
    pub(super) bytes: Bytes,
}

/// Both parts; nothing if there are not two.
pub(super) fn parts(content_type: &str, body: &Bytes) -> Option<(Value, Media)> {
    let boundary = content_type.split(';').find_map(|part| part.trim().strip_prefix("boundary="))?;
    let delimiter = format!("--{}", boundary.trim_matches('"'));
    let starts = positions(body, delimiter.as_bytes());
    let [first, second, end, ..] = starts.as_slice() else { return None };
    let part = |from: usize, to: usize| {
        let part = &body[from + delimiter.len()..to];
        let head = positions(part, b"\r\n\r\n").first().copied()?;
        let bytes = &part[head + 4..];
        Some((
            String::from_utf8_lossy(&part[..head]).into_owned(),
            bytes.strip_suffix(b"\r\n").unwrap_or(bytes),
        ))
    };
    let (_, description) = part(*first, *second)?;
    let (head, bytes) = part(*second, *end)?;
    let content_type = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-type").then(|| value.trim().to_owned())
    });
    Some((serde_json::from_slice(description).ok()?, Media { content_type, bytes: body.slice_ref(bytes) }))
}

fn positions(body: &[u8], needle: &[u8]) -> Vec<usize> {
    body.windows(needle.len()).enumerate().filter(|(_, window)| *window == needle).map(|(at, _)| at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_parts_are_found() {
        let body = "--b\r\ncontent-type: application/json\r\n\r\n{\"file\": {}}\r\n--b\r\nContent-Type: text/plain\r\n\r\nline\r\n\r\nline\r\n--b--";
        let (description, media) = parts("multipart/related; boundary=\"b\"", &Bytes::from(body)).unwrap();
        assert_eq!(description["file"], serde_json::json!({}));
        assert_eq!(
            (media.content_type.as_deref(), &media.bytes[..]),
            (Some("text/plain"), &b"line\r\n\r\nline"[..])
        );
        assert!(parts("multipart/related; boundary=b", &Bytes::from("--b\r\n\r\nx--b--")).is_none());
    }
}
