//! A request, read in full.

use std::io;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Uri};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use serde_json::Value;

/// The largest body read: above the 100 MB Google takes inline.
const LARGEST_BODY_BYTES: usize = 128 << 20;

/// A request.
pub(crate) struct Call {
    pub(crate) method: Method,
    /// The path as sent.
    pub(crate) raw_path: String,
    /// The path decoded, runs of slashes made one.
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// The body still to be read, where it may be larger than memory: that of an upload.
    pub(crate) unread: Option<Incoming>,
    /// Length and SHA-256 of a body that was read and not kept.
    pub(crate) taken: Option<(u64, String)>,
    /// What the connection can become, if the client asked for that.
    pub(crate) upgrade: Option<OnUpgrade>,
}

impl Call {
    pub(super) async fn read(mut request: Request<Incoming>) -> io::Result<Self> {
        let upgrade =
            request.headers().contains_key(http::header::UPGRADE).then(|| hyper::upgrade::on(&mut request));
        let (head, body) = request.into_parts();
        let mut call = Self {
            method: head.method,
            raw_path: head.uri.path().to_owned(),
            path: normal_path(head.uri.path()),
            query: query_of(&head.uri),
            headers: head.headers,
            body: Bytes::new(),
            unread: Some(body),
            taken: None,
            upgrade,
        };
        if !call.path.starts_with("/upload/") {
            call.read_whole().await?;
        }
        Ok(call)
    }

    /// Reads the body into memory.
    pub(super) async fn read_whole(&mut self) -> io::Result<()> {
        if let Some(body) = self.unread.take() {
            let whole = Limited::new(body, LARGEST_BODY_BYTES).collect().await.map_err(io::Error::other)?;
            self.body = whole.to_bytes();
        }
        Ok(())
    }

    /// A request without body, headers and connection, for tests of routes.
    #[cfg(test)]
    pub(crate) fn bare(method: Method, path: &str) -> Self {
        let uri: Uri = path.parse().unwrap();
        Self {
            method,
            raw_path: uri.path().to_owned(),
            path: normal_path(uri.path()),
            query: query_of(&uri),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            unread: None,
            taken: None,
            upgrade: None,
        }
    }

    /// The parts of the path.
    pub(crate) fn segments(&self) -> Vec<&str> {
        self.path.split('/').filter(|part| !part.is_empty()).collect()
    }

    /// The first value of a query parameter.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A header as text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The body as JSON; an empty body is an empty object.
    pub(crate) fn json(&self) -> Result<Value, serde_json::Error> {
        if self.body.is_empty() {
            return Ok(Value::Object(serde_json::Map::new()));
        }
        serde_json::from_slice(&self.body)
    }
}

fn query_of(uri: &Uri) -> Vec<(String, String)> {
    url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect()
}

fn normal_path(raw: &str) -> String {
    let decoded = percent_decoded(raw);
    let parts: Vec<&str> = decoded.split('/').filter(|part| !part.is_empty()).collect();
    format!("/{}", parts.join("/"))
}

fn percent_decoded(raw: &str) -> String {
    let mut out = Vec::with_capacity(raw.len());
    let mut rest = raw.as_bytes();
    while let [first, tail @ ..] = rest {
        if let (b'%', [high, low, after @ ..]) = (first, tail)
            && let (Some(high), Some(low)) = ((*high as char).to_digit(16), (*low as char).to_digit(16))
        {
            out.push((high * 16 + low) as u8);
            rest = after;
        } else {
            out.push(*first);
            rest = tail;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_read_and_double_slashes_are_one() {
        let call = Call::bare(Method::POST, "//v1beta/models/m%3AgenerateContent?alt=sse&key=a%20b");
        assert_eq!(call.path, "/v1beta/models/m:generateContent");
        assert_eq!(call.raw_path, "//v1beta/models/m%3AgenerateContent");
        assert_eq!(call.parameter("key"), Some("a b"));
        assert_eq!(Call::bare(Method::GET, "/100%/x%zz").path, "/100%/x%zz");
    }
}
