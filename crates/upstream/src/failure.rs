//! Why no answer came.

use thiserror::Error;

/// Why a request got no answer, and whether the provider can have received it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("{kind}")]
pub struct SendFailure {
    /// What happened.
    pub kind: SendFailureKind,
    /// True when not a byte of the request was written: sending it again cannot double it.
    pub never_written: bool,
}

/// What happened to a request that got no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum SendFailureKind {
    /// No connection could be made.
    #[error("no connection to the provider")]
    NotConnected,
    /// The connection broke before the head of an answer.
    #[error("the provider closed the connection without an answer")]
    Broken,
    /// The time allowed passed.
    #[error("the provider did not answer in time")]
    TimedOut,
}

impl SendFailure {
    pub(crate) fn unknown(kind: SendFailureKind) -> Self {
        Self { kind, never_written: false }
    }
}

impl From<reqwest::Error> for SendFailure {
    fn from(error: reqwest::Error) -> Self {
        if error.is_connect() {
            Self { kind: SendFailureKind::NotConnected, never_written: true }
        } else if error.is_timeout() {
            Self::unknown(SendFailureKind::TimedOut)
        } else {
            Self::unknown(SendFailureKind::Broken)
        }
    }
}

/// The HTTP client cannot be built here.
#[derive(Debug, Error)]
#[error(
    "cannot set up TLS for calls to providers; install the system's CA certificates (package ca-certificates)"
)]
pub struct ClientUnusable {
    source: reqwest::Error,
}

impl From<reqwest::Error> for ClientUnusable {
    fn from(error: reqwest::Error) -> Self {
        Self { source: error.without_url() }
    }
}
