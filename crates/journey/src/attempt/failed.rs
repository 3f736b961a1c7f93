//! An attempt that came to nothing, and what is left of it.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use keygate_domain::{Failure, Fault};
use keygate_limits::Reach;
use keygate_provider::Closing;
use keygate_upstream::{BodyLost, SendFailure, SendFailureKind};

/// An attempt that failed, its lease settled.
pub(crate) struct Failed {
    pub(crate) failure: Failure,
    pub(crate) reach: Reach,
    /// What the provider answered, for the caller if nothing better comes.
    pub(crate) kept: Option<Kept>,
    /// Whether it was not the request that failed, but the call that has to come first.
    pub(crate) is_preparations: bool,
}

/// A provider's answer kept whole.
pub(crate) struct Kept {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// False when it did not come to its end.
    pub(crate) is_whole: bool,
    /// What it was, if it was the close frame of a connection.
    pub(crate) closing: Option<Closing>,
}

impl Failed {
    /// Whether what the provider said is about the caller's own request, and about no key.
    pub(crate) fn is_for_the_caller(&self) -> bool {
        !self.is_preparations && !self.failure.takes_out()
    }

    pub(crate) fn unanswered(fault: Fault, reach: Reach) -> Self {
        Self { failure: Failure::of(fault), reach, kept: None, is_preparations: false }
    }
}

impl From<SendFailure> for Failed {
    fn from(failure: SendFailure) -> Self {
        let reach = if failure.never_written { Reach::NeverWritten } else { Reach::Unknown };
        match failure.kind {
            SendFailureKind::TimedOut => Self::unanswered(Fault::Timeout, reach),
            SendFailureKind::NotConnected | SendFailureKind::Broken => {
                Self::unanswered(Fault::Unreachable, reach)
            }
        }
    }
}

impl From<BodyLost> for Failed {
    fn from(lost: BodyLost) -> Self {
        let fault = match lost {
            BodyLost::TimedOut => Fault::Timeout,
            BodyLost::Broken => Fault::Unreachable,
            BodyLost::TooLong => Fault::ServerError,
        };
        Self::unanswered(fault, Reach::Unknown)
    }
}
