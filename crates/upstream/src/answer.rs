//! A provider's answer: the head at once, the body as it comes.

use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode};
use reqwest::Response;
use thiserror::Error;
use tokio::time::timeout;

use crate::PipeIn;

/// An answer whose body has not been read yet. Dropping it cancels what is still to come.
#[derive(Debug)]
pub struct UpstreamAnswer {
    response: Response,
    /// Kept open while the answer is read, where the provider answered before the end of the request.
    #[expect(dead_code, reason = "it is held, and dropped with the answer")]
    request: Option<PipeIn>,
}

/// The connection broke inside a body.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("the provider's answer broke off")]
pub struct BodyBroken;

/// As much of an error's body as could be had.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ErrorText {
    /// The body, or its beginning.
    pub bytes: Bytes,
    /// False when it is longer than was asked for, broke off or fell silent.
    pub is_whole: bool,
}

/// Why a body could not be had as a whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum BodyLost {
    /// The connection broke inside it.
    #[error("the provider's answer broke off")]
    Broken,
    /// The time allowed passed inside it.
    #[error("the provider's answer did not come to its end in time")]
    TimedOut,
    /// It is longer than is allowed.
    #[error("the provider's answer is too long")]
    TooLong,
}

impl From<BodyBroken> for BodyLost {
    fn from(_: BodyBroken) -> Self {
        Self::Broken
    }
}

impl UpstreamAnswer {
    pub(crate) fn new(response: Response) -> Self {
        Self { response, request: None }
    }

    /// The same, while the request's body is not to break off.
    #[must_use]
    pub fn holding(self, request: PipeIn) -> Self {
        Self { request: Some(request), ..self }
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// The next bytes as they came from the socket; `None` at the end.
    ///
    /// # Errors
    /// When the connection breaks before the body's end.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, BodyBroken> {
        self.response.chunk().await.map_err(|_| BodyBroken)
    }

    /// The same for callers that poll. No byte is lost between two polls: what has arrived stays
    /// with the answer until it is taken.
    ///
    /// # Errors
    /// When the connection breaks before the body's end.
    pub fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, BodyBroken>> {
        pin!(self.chunk()).poll(cx)
    }

    /// What comes of the body within `patience`, up to `limit` bytes; what is beyond is not read. This
    /// is for the bodies of errors, where any text is better than none.
    pub async fn text_up_to(&mut self, limit: usize, patience: Duration) -> ErrorText {
        let mut bytes = BytesMut::new();
        let reading = async {
            loop {
                match self.chunk().await {
                    Ok(Some(chunk)) if bytes.len() + chunk.len() <= limit => bytes.extend_from_slice(&chunk),
                    Ok(Some(chunk)) => {
                        bytes.extend_from_slice(&chunk[..limit - bytes.len()]);
                        return false;
                    }
                    Ok(None) => return true,
                    Err(_broken) => return false,
                }
            }
        };
        let is_whole = timeout(patience, reading).await.unwrap_or(false);
        ErrorText { bytes: bytes.freeze(), is_whole }
    }

    /// The whole body, which must come within `patience` and have at most `limit` bytes.
    ///
    /// # Errors
    /// [`BodyLost`] when half of it would be taken for the whole.
    pub async fn whole(&mut self, limit: usize, patience: Duration) -> Result<Bytes, BodyLost> {
        let mut whole = BytesMut::new();
        let reading = async {
            while let Some(chunk) = self.chunk().await? {
                if whole.len() + chunk.len() > limit {
                    return Err(BodyLost::TooLong);
                }
                whole.extend_from_slice(&chunk);
            }
            Ok(())
        };
        timeout(patience, reading).await.map_err(|_elapsed| BodyLost::TimedOut)??;
        Ok(whole.freeze())
    }
}
