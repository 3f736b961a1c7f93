//! An answer before it meets the wire: status, headers, and a body that may come as events.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::Serialize;

use crate::script::StreamEnding;

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// Boxed, as an answer is also the error of many a function.
    pub(crate) headers: Box<HeaderMap>,
    pub(crate) content: Content,
}

/// Its body.
pub(crate) enum Content {
    /// In one piece, with a length.
    Whole(Bytes),
    /// In pieces, each sent on its own.
    Events(Events),
}

/// How the events of a stream are framed; an error inside the stream follows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Framing {
    /// `data: …\r\n\r\n`
    Sse,
    /// `data: …\n\n`
    SseLineFeed,
    /// `event: …\ndata: …\n\n`
    NamedEvents,
    /// Elements of one JSON array.
    JsonArray,
    /// None: pieces of a whole body.
    Bytes,
}

/// The pieces of a streamed body and how it ends.
pub(crate) struct Events {
    pub(crate) framing: Framing,
    pub(crate) pieces: Vec<Bytes>,
    /// Real time before each piece but the first.
    pub(crate) pause: Option<Duration>,
    pub(crate) ending: StreamEnding,
    /// Whether the script is why it ends as it ends.
    pub(crate) scripted: bool,
}

impl Events {
    pub(crate) fn new(framing: Framing, pieces: Vec<Bytes>, pause: Option<Duration>) -> Self {
        Self { framing, pieces, pause, ending: StreamEnding::End, scripted: false }
    }
}

impl Answer {
    pub(crate) fn new(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let mut answer = Self {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            headers: Box::default(),
            content: Content::Whole(body.into()),
        };
        answer.headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        answer
    }

    /// Compact JSON. A value that cannot be JSON does not occur; it would answer `null`.
    pub(crate) fn json(status: u16, body: &impl Serialize) -> Self {
        Self::new(
            status,
            "application/json; charset=utf-8",
            serde_json::to_vec(body).unwrap_or_else(|_| b"null".to_vec()),
        )
    }

    /// A stream, 200.
    pub(crate) fn events(content_type: &'static str, events: Events) -> Self {
        Self { content: Content::Events(events), ..Self::new(200, content_type, Bytes::new()) }
    }

    /// Adds or replaces a header; what cannot be one is left out.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            self.headers.insert(name, value);
        }
        self
    }
}
