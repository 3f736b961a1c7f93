//! Connections over which both sides send frames (WebSockets, RFC 6455): what an adapter knows of them.
//!
//! The journey connects, relays and ends; an adapter says where to, under which terms, and what the
//! frames that pass mean. Like everything of an adapter it is pure.

use std::time::Duration;

use http::StatusCode;
use keygate_domain::{Binding, Failure, Intent, Refusal, Resource, Usage};

use crate::{CallRejected, Ended, Inbound, Metered};

/// A provider's WebSockets.
pub trait Sockets {
    /// Whether a path (prefix removed) is that of a WebSocket. Everything else is asked for with plain
    /// requests, whatever a caller writes in `Upgrade`.
    fn is_socket(&self, path: &str) -> bool;

    /// How the connection that `intent` wants is handled.
    fn terms(&self, intent: &Intent, inbound: &Inbound<'_>) -> Terms;

    /// What is wanted, now that the caller's first frame is known. Asked only where
    /// [`Terms::opens_with_frame`].
    ///
    /// # Errors
    /// [`CallRejected`] when the frame cannot be what opens such a connection. No key is touched then.
    fn opened(&self, intent: Intent, first: Frame<'_>) -> Result<Intent, CallRejected> {
        let _ = first;
        Ok(intent)
    }

    /// Watches the frames of one connection pass. Made anew for each attempt.
    fn watcher(&self, intent: &Intent) -> Box<dyn Watcher>;

    /// How a connection that is open on the caller's side is closed when nothing comes of it.
    fn closing(&self, why: &Refused<'_>) -> Closing;
}

/// How a connection is handled.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Terms {
    /// Whether the caller's first frame says what it wants (the model, a session to resume). Its side is
    /// opened before the provider's then: the choice of a key needs that frame.
    pub opens_with_frame: bool,
    /// Whether the caller's SDK reads refusals from the code a connection is closed with, and not from
    /// the status with which it is not opened.
    pub refuses_by_closing: bool,
    /// Whether the connection itself is the session that occupies a place of its group.
    pub is_session: bool,
    /// The session that the connection is about, and how long it goes on without one: a caller that is
    /// back within this time (a change of networks) has not left. None where no session hangs on it.
    pub about: Option<(Resource, Duration)>,
    /// The longest it may last; a safety net far beyond what the provider grants.
    pub longest: Duration,
}

/// One message, as it passes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Frame<'a> {
    /// UTF-8.
    Text(&'a str),
    /// Anything.
    Binary(&'a [u8]),
}

impl<'a> Frame<'a> {
    /// Its bytes: some providers send JSON either way.
    pub fn bytes(&self) -> &'a [u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }
}

/// A message of the gateway's own making.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OwnFrame {
    /// UTF-8.
    Text(String),
    /// Anything.
    Binary(Vec<u8>),
}

/// The code and reason of a close frame (RFC 6455 §7.4).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Closing {
    /// The code.
    pub code: u16,
    /// The reason; longer ones than a frame holds are cut where it is written.
    pub reason: String,
}

impl Closing {
    /// The end that nothing is wrong with.
    pub const NORMAL: u16 = 1000;
    /// The end of a side that goes away.
    pub const GOING_AWAY: u16 = 1001;
    /// A message that no rule of the protocol allows.
    pub const PROTOCOL: u16 = 1002;
    /// A close frame without a code; never sent.
    pub const NO_CODE: u16 = 1005;
    /// A message that is not what its type says, or that the other side cannot understand.
    pub const INVALID: u16 = 1007;
    /// A rule that is not the protocol's.
    pub const POLICY: u16 = 1008;
    /// A message that is too large.
    pub const TOO_LARGE: u16 = 1009;
    /// Something that the other side did not expect.
    pub const INTERNAL: u16 = 1011;

    /// A close frame.
    pub fn new(code: u16, reason: impl Into<String>) -> Self {
        Self { code, reason: reason.into() }
    }
}

/// Why nothing comes of a connection.
#[derive(Clone, Copy, Debug)]
pub enum Refused<'a> {
    /// The gateway says so itself, with the status it would have on the surface.
    Here(&'a Refusal, u16),
    /// The provider answered the request for it with a status and a body.
    There(StatusCode, &'a [u8]),
}

/// Why a connection ends that the caller did not end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Parting<'a> {
    /// The provider closed it; without a close frame's code if it gave none.
    Closed(Option<&'a Closing>),
    /// The connection to the provider broke, or fell silent.
    Broken,
    /// The gateway goes away.
    Leaving,
    /// It lasted as long as anything may.
    TooLong,
}

/// Sees the frames of one connection pass; never changes them. Must be cheap and keep a bounded amount.
pub trait Watcher: Send {
    /// A frame of the caller's goes to the provider.
    fn sent(&mut self, frame: Frame<'_>) {
        let _ = frame;
    }

    /// A frame of the provider's goes to the caller.
    fn received(&mut self, frame: Frame<'_>);

    /// Whether the provider has taken the caller in. Until then nothing of it passes, and another key
    /// can make good what fails.
    fn is_taken_in(&self) -> bool {
        true
    }

    /// What frames have created since this was asked last. Told at once: it may be used on another
    /// connection before this one ends.
    fn created(&mut self) -> Vec<Binding> {
        Vec::new()
    }

    /// What was used since this was asked last, if anything. Asked after each frame: what a long session uses
    /// counts when it is used, and not at its end.
    fn used(&mut self) -> Option<Usage> {
        None
    }

    /// What the provider's end of the connection says about the key; nothing if it is an ordinary one.
    fn failure(&self, closing: Option<&Closing>) -> Option<Failure>;

    /// How the caller is told of an end that was not its own.
    fn told(&self, parting: Parting<'_>) -> Closing;

    /// What the caller is told while there is time to come back on another connection: this one ends
    /// `within` that time.
    fn farewell(&self, within: Duration) -> Option<OwnFrame> {
        let _ = within;
        None
    }

    /// What was seen, at the end.
    fn finish(self: Box<Self>, ended: Ended) -> Metered;
}
