//! One POST of JSON to one address.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, USER_AGENT};
use http::{HeaderMap, Method, StatusCode};
use jiff::Timestamp;
use keygate_domain::ApiKey;
use keygate_provider::UpstreamRequest;
use keygate_upstream::{ClientSettings, ClientUnusable, UpstreamClient};
use url::Url;

use crate::SendTrouble;
use crate::signature::{SIGNATURE_HEADER, TIMESTAMP_HEADER, signature};

/// Longest answer that is read, in bytes.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// The HTTP client of a thread. It does not follow redirects: what is signed is for whom it was addressed to.
#[derive(Clone)]
pub(crate) struct Post {
    client: UpstreamClient,
}

/// What was answered.
pub(crate) struct Posted {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
}

/// What is sent.
pub(crate) struct Parcel<'a> {
    pub(crate) url: &'a Url,
    pub(crate) content_type: &'static str,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) patience: Duration,
}

impl<'a> Parcel<'a> {
    pub(crate) fn json(url: &'a Url, body: Vec<u8>, patience: Duration) -> Self {
        Self { url, content_type: "application/json", headers: Vec::new(), body, patience }
    }

    /// The same, signed as of `at` if there is a secret.
    pub(crate) fn signed(mut self, secret: Option<&ApiKey>, at: Timestamp) -> Self {
        let seconds = at.as_second();
        self.headers.push((TIMESTAMP_HEADER, seconds.to_string()));
        if let Some(secret) = secret {
            self.headers.push((SIGNATURE_HEADER, signature(secret, seconds, &self.body)));
        }
        self
    }
}

impl Post {
    pub(crate) fn new() -> Result<Self, ClientUnusable> {
        UpstreamClient::new(ClientSettings::default()).map(|client| Self { client })
    }

    /// Sends it; any status is an answer.
    pub(crate) async fn send(&self, parcel: Parcel<'_>) -> Result<Posted, SendTrouble> {
        let Parcel { url, content_type, headers: further, body, patience } = parcel;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(USER_AGENT, HeaderValue::from_static("keygate"));
        for (name, value) in further {
            let unsendable =
                |_| SendTrouble::Unusable(format!("{name} holds a character that no header can carry"));
            let mut value = HeaderValue::try_from(value).map_err(unsendable)?;
            value.set_sensitive(true);
            headers.insert(HeaderName::from_static(name), value);
        }
        let path_and_query = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        let request =
            UpstreamRequest { method: Method::POST, host: None, path_and_query, headers, body: body.into() };
        let upstream = self.client.upstream(root_of(url));
        let sent = upstream.send(request, patience).await;
        let mut answer = sent.map_err(|failure| SendTrouble::of_sending(url, failure))?;
        let text = answer.text_up_to(MAX_ANSWER_BYTES, patience).await;
        Ok(Posted { status: answer.status(), body: text.bytes })
    }

    /// Sends it to who answers with success or has not taken it.
    pub(crate) async fn deliver(&self, parcel: Parcel<'_>) -> Result<(), SendTrouble> {
        let host = parcel.url.host_str().unwrap_or_default().to_owned();
        let posted = self.send(parcel).await?;
        if posted.status.is_success() {
            return Ok(());
        }
        Err(SendTrouble::of_answer(&host, posted.status, &posted.body))
    }
}

fn root_of(url: &Url) -> Url {
    let mut root = url.clone();
    root.set_path("");
    root.set_query(None);
    root.set_fragment(None);
    root
}
