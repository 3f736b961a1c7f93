//! Why the gateway itself refuses a request.
//!
//! An own enum instead of HTTP statuses: one kind is 429 on one surface and 503 on another, and
//! only the front knows surfaces.

use std::time::Duration;

/// Whose doing an error is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Blame {
    /// The caller can fix it.
    Caller,
    /// The operator or the gateway.
    Gateway,
    /// The provider.
    Upstream,
}

/// Every reason the gateway has for refusing a request. `docs/errors.md` explains each.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ErrorKind {
    /// No token, or a wrong one.
    Unauthenticated,
    /// The token does not allow this.
    Forbidden,
    /// Two different credentials in one request.
    AmbiguousCredentials,
    /// The request cannot be understood.
    BadRequest,
    /// No such route.
    NotFound,
    /// The route exists, the method does not.
    MethodNotAllowed,
    /// The body is larger than `server.max_body`.
    TooLarge,
    /// The user used up their share.
    UserLimited,
    /// The user's plan has nothing left until its day or month is over.
    PlanExhausted,
    /// The resources named belong to different owners, or to another client.
    AffinityConflict,
    /// The configuration that was to be put in force is not valid.
    ConfigurationRefused,
    /// Every key rests; time will cure it.
    PoolExhausted,
    /// Every key is disabled; only an operator can cure it.
    PoolDisabled,
    /// A queue is full.
    Overloaded,
    /// The deadline passed.
    DeadlineExceeded,
    /// No connection to the provider, or it broke.
    UpstreamUnreachable,
    /// The provider answered something no client could read.
    UpstreamGarbled,
    /// The provider itself is in trouble, and nobody is sent there for a while.
    UpstreamOverloaded,
    /// The gateway is broken or restarting.
    Internal,
}

impl ErrorKind {
    /// All kinds, for tables and their tests.
    pub const ALL: [Self; 19] = [
        Self::Unauthenticated,
        Self::Forbidden,
        Self::AmbiguousCredentials,
        Self::BadRequest,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::TooLarge,
        Self::UserLimited,
        Self::PlanExhausted,
        Self::AffinityConflict,
        Self::ConfigurationRefused,
        Self::PoolExhausted,
        Self::PoolDisabled,
        Self::Overloaded,
        Self::DeadlineExceeded,
        Self::UpstreamUnreachable,
        Self::UpstreamGarbled,
        Self::UpstreamOverloaded,
        Self::Internal,
    ];

    /// The value of the `x-keygate-error` header.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::AmbiguousCredentials => "ambiguous_credentials",
            Self::BadRequest => "bad_request",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::TooLarge => "too_large",
            Self::UserLimited => "user_limited",
            Self::PlanExhausted => "plan_exhausted",
            Self::AffinityConflict => "affinity_conflict",
            Self::ConfigurationRefused => "configuration_refused",
            Self::PoolExhausted => "pool_exhausted",
            Self::PoolDisabled => "pool_disabled",
            Self::Overloaded => "overloaded",
            Self::DeadlineExceeded => "deadline_exceeded",
            Self::UpstreamUnreachable => "upstream_unreachable",
            Self::UpstreamGarbled => "upstream_garbled",
            Self::UpstreamOverloaded => "upstream_overloaded",
            Self::Internal => "internal",
        }
    }

    /// Whose doing it is.
    pub fn blame(self) -> Blame {
        match self {
            Self::Unauthenticated
            | Self::Forbidden
            | Self::AmbiguousCredentials
            | Self::BadRequest
            | Self::NotFound
            | Self::MethodNotAllowed
            | Self::TooLarge
            | Self::UserLimited
            | Self::PlanExhausted
            | Self::AffinityConflict
            | Self::ConfigurationRefused => Blame::Caller,
            Self::PoolExhausted | Self::PoolDisabled | Self::Overloaded | Self::Internal => Blame::Gateway,
            Self::DeadlineExceeded
            | Self::UpstreamUnreachable
            | Self::UpstreamGarbled
            | Self::UpstreamOverloaded => Blame::Upstream,
        }
    }
}

/// A refusal on its way to the caller. `message` is written for the caller and names no key
/// and no host inside.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// Why.
    pub kind: ErrorKind,
    /// What the caller is told.
    pub message: String,
    /// When asking again makes sense; present on every refusal that time can cure.
    pub retry_after: Option<Duration>,
}

impl Refusal {
    /// A refusal that time does not cure.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), retry_after: None }
    }

    /// A refusal that is over in `retry_after`; never told as less than a second (KP-5).
    pub fn for_a_while(kind: ErrorKind, message: impl Into<String>, retry_after: Duration) -> Self {
        Self { kind, message: message.into(), retry_after: Some(retry_after.max(Duration::from_secs(1))) }
    }

    /// `retry_after` in whole seconds, rounded up, as the `Retry-After` header wants it.
    pub fn retry_after_seconds(&self) -> Option<u64> {
        self.retry_after.map(|wait| wait.as_secs() + u64::from(wait.subsec_nanos() > 0))
    }
}
