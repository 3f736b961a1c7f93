//! Why somebody could not be told.

use http::StatusCode;
use keygate_upstream::{SendFailure, SendFailureKind};
use thiserror::Error;
use url::Url;

/// Why somebody could not be told. Never carries an address beyond host and port: those of chat rooms are secrets.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum SendTrouble {
    /// No connection could be made.
    #[error("no connection to {0}: is it running there, and may this machine connect to it?")]
    NotConnected(String),
    /// The connection broke.
    #[error("{0} closed the connection without an answer")]
    Broken(String),
    /// No answer came in time.
    #[error("{0} did not answer in time")]
    TimedOut(String),
    /// It answered with a status that is no success.
    #[error("{host} answered with status {status}{said}")]
    Refused {
        /// Who.
        host: String,
        /// Its status.
        status: u16,
        /// What it said, with a colon before it; empty if nothing that could be read.
        said: String,
    },
    /// The mail server said no.
    #[error("the mail server {host} {what}")]
    Mail {
        /// Which.
        host: String,
        /// What is wrong with it.
        what: String,
    },
    /// The settings make no message that could be sent.
    #[error("{0}")]
    Unusable(String),
}

impl SendTrouble {
    pub(crate) fn of_sending(url: &Url, failure: SendFailure) -> Self {
        let host = url.host_str().unwrap_or_default().to_owned();
        match failure.kind {
            SendFailureKind::NotConnected => {
                let port = url.port_or_known_default().map(|port| format!(":{port}")).unwrap_or_default();
                Self::NotConnected(format!("{host}{port}"))
            }
            SendFailureKind::Broken => Self::Broken(host),
            SendFailureKind::TimedOut => Self::TimedOut(host),
        }
    }

    pub(crate) fn of_answer(host: &str, status: StatusCode, body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        let text: String = text.trim().chars().filter(|c| !c.is_control()).take(80).collect();
        // A page is no sentence.
        let is_sentence = !text.is_empty() && !text.starts_with('<');
        let said = if is_sentence { format!(": {text}") } else { String::new() };
        Self::Refused { host: host.to_owned(), status: status.as_u16(), said }
    }
}
