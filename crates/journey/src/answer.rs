//! What comes out of a journey.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use keygate_actors::{Admission, LimiterRefusal};
use keygate_domain::{AnswerSource, KeyId, ModelName, ProviderName, Refusal};

use crate::{OpenSession, Relay, refuse};

/// An answer of the provider on its way to the caller.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The provider's headers that may pass.
    pub headers: HeaderMap,
    /// The body.
    pub body: AnswerBody,
    /// What the response headers tell of the way.
    pub facts: Facts,
    /// The session it opened, to be ended should nobody be there any more to be told of it.
    pub session: Option<OpenSession>,
}

/// The body of an answer.
#[derive(Debug)]
pub enum AnswerBody {
    /// Complete.
    Whole(Bytes),
    /// Still coming. Dropping it cancels the upstream and settles the lease.
    Stream {
        /// The bytes.
        relay: Box<Relay>,
        /// Their number, if the provider said it.
        length: Option<u64>,
    },
}

/// What is told of the way in response headers and on the root span.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The provider asked.
    pub provider: Option<ProviderName>,
    /// The key that served, or the last one tried.
    pub key: Option<KeyId>,
    /// How many attempts were made; a call that has to come first belongs to its attempt.
    pub attempts: u32,
    /// The limiter's numbers for the user, if it was asked.
    pub allowance: Option<keygate_limits::Admitted>,
    /// Where the answer comes from.
    pub source: AnswerSource,
    /// The model that answered in the place of the one that was asked.
    pub model: Option<ModelName>,
    /// What the cache had to do with it, where there is one.
    pub cache: Option<CacheUse>,
}

/// What the cache had to do with an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CacheUse {
    /// It gave it.
    Hit,
    /// It did not have it.
    Miss,
    /// It was not asked: the request is none for it, or its caller did not want that.
    Bypass,
}

impl CacheUse {
    /// As headers and spans tell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Bypass => "bypass",
        }
    }
}

/// A call the gateway itself refused.
#[derive(Debug)]
pub struct Refused {
    /// Why.
    pub refusal: Refusal,
    /// What is told of the way.
    pub facts: Facts,
    /// The user's limit, when that is what refused.
    pub turned_away: Option<keygate_limits::TurnedAway>,
}

impl Refused {
    /// A call that the limiter turned away.
    pub fn by_limiter(limited: LimiterRefusal, facts: Facts) -> Self {
        let (refusal, turned_away) = refuse::by_limiter(limited);
        Self { refusal, facts, turned_away }
    }
}

/// The user's slot, held until the answer has passed.
pub(crate) type Slot = Option<Admission>;
