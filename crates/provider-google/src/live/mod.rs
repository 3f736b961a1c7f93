//! Live: a WebSocket on which a model hears and speaks.
//!
//! The model is named by the first frame only, so the key is chosen after it. The session is limited by
//! how many of them run at once; quota and policy are told by the code and reason of a close frame.

mod closes;
mod route;
mod setup;
mod token;
mod watcher;

use std::time::Duration;

use keygate_domain::{Intent, Operation};
use keygate_provider::{CallRejected, Closing, Frame, Inbound, Refused, Sockets, Terms, Watcher};

pub(crate) use route::{is_live, understand};
pub(crate) use token::own_credential;

/// `BidiGenerateContent`, constrained or not.
pub(crate) const LIVE: Operation = Operation("live");
/// `BidiGenerateMusic`.
pub(crate) const LIVE_MUSIC: Operation = Operation("live_music");

/// The provider ends a connection after ten minutes, and says so before (facts/gemini.md §1). Nobody relies
/// on that; what outlives this is a mistake.
const LONGEST: Duration = Duration::from_hours(24);

/// Whether the operation is one of these.
pub(crate) fn is_session(operation: Operation) -> bool {
    operation == LIVE || operation == LIVE_MUSIC
}

pub(crate) use closes::on_handshake;

/// Google's WebSockets.
pub(crate) struct LiveSockets;

impl Sockets for LiveSockets {
    fn is_socket(&self, path: &str) -> bool {
        is_live(path)
    }

    fn terms(&self, _intent: &Intent, _inbound: &Inbound<'_>) -> Terms {
        Terms {
            opens_with_frame: true,
            refuses_by_closing: false,
            is_session: true,
            about: None,
            longest: LONGEST,
        }
    }

    fn opened(&self, intent: Intent, first: Frame<'_>) -> Result<Intent, CallRejected> {
        setup::opened(intent, first.bytes())
    }

    fn watcher(&self, intent: &Intent) -> Box<dyn Watcher> {
        Box::new(watcher::LiveWatcher::new(intent.estimate))
    }

    fn closing(&self, why: &Refused<'_>) -> Closing {
        closes::of_refusal(why)
    }
}
