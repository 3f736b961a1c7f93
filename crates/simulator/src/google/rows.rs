//! The rows of Gemini's error tables, by name: each can be scripted, and be the state of a key
//! or project. Bodies are those of real captures where one is known.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::bodies as body;
use super::error::GoogleError;
use crate::config::Tier;
use crate::quota::QuotaKind::{RequestsPerDay, RequestsPerMinute, TokensPerDay, TokensPerMinute};
use crate::script::Row;

/// One row.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GoogleRow {
    /// 429: requests per minute.
    MinuteRequests,
    /// 429: input tokens per minute.
    MinuteTokens,
    /// 429: requests per day; its `retryDelay` lies.
    DayRequests,
    /// 429: input tokens per day; its `retryDelay` lies.
    DayTokens,
    /// 429: a minute's and a day's limit at once.
    DayAndMinute,
    /// 429: the model is not on the project's tier (limit 0).
    NotOnTier,
    /// 429: the spend-based limit of ten minutes.
    SpendRate,
    /// 429: prepaid credits are used up.
    PrepaymentDepleted,
    /// 402: prepaid credits are used up.
    PaymentRequired,
    /// 429: the month's spending cap.
    MonthlySpendingCap,
    /// 429: storage of files is full.
    FileStorage,
    /// 429: explicit caching is not on the free tier.
    CachedContentStorage,
    /// 429 without details.
    ExhaustedBare,
    /// 400: the key is no key.
    #[serde(alias = "invalid")]
    KeyInvalid,
    /// 400: the key was deleted.
    #[serde(alias = "not_found")]
    KeyNotFound,
    /// 400: the key expired.
    #[serde(alias = "expired")]
    KeyExpired,
    /// 400: two credentials.
    MultipleCredentials,
    /// 400: no free tier where the caller is.
    FreeTierCountry,
    /// 400: not offered where the caller is.
    LocationUnsupported,
    /// 400: a field nobody knows.
    UnknownField,
    /// 400: the input is longer than the model takes.
    InputTooLong,
    /// 401: an OAuth token was expected (a Bearer on a native path, a rejected standard key).
    AccessTokenExpected,
    /// 401: the endpoint takes no keys.
    KeysNotSupported,
    /// 403: the key was found in public.
    #[serde(alias = "leaked")]
    KeyLeaked,
    /// 403: the project is suspended; the message shows the whole key.
    #[serde(alias = "suspended")]
    ConsumerSuspended,
    /// 403: the project was denied access.
    ProjectDenied,
    /// 403: the API is not switched on.
    ServiceDisabled,
    /// 403: the key may not use this API.
    #[serde(alias = "blocked")]
    ServiceBlocked,
    /// 403: the key may not be used from this address.
    IpBlocked,
    /// 403: the key may not be used from this page.
    ReferrerBlocked,
    /// 403: billing is switched off.
    BillingDisabled,
    /// 403: the project does not exist.
    ConsumerInvalid,
    /// 403: no credential.
    UnregisteredCaller,
    /// 403: a file of another project, or none.
    FileForbidden,
    /// 403: a cache of another project, or none.
    CacheForbidden,
    /// 404: the model is withdrawn for newer projects.
    ModelWithdrawn,
    /// 404: no such model for this version.
    ModelNotFound,
    /// 409.
    Aborted,
    /// 499: the client went away.
    Cancelled,
    /// 500.
    Internal,
    /// 503: overloaded.
    Overloaded,
    /// 503: high demand.
    HighDemand,
    /// 504.
    Deadline,
}

impl From<GoogleRow> for Row {
    fn from(row: GoogleRow) -> Self {
        Self::Google(row)
    }
}

/// What a row's message names.
#[derive(Clone, Debug)]
pub(crate) struct Scene {
    pub(crate) key: String,
    pub(crate) project_number: String,
    pub(crate) tier: Tier,
    pub(crate) version: String,
    /// Service and method: `GenerativeService.GenerateContent`.
    pub(crate) rpc: String,
    /// The model as named by the caller.
    pub(crate) model: String,
    /// The quota bucket it counts in.
    pub(crate) bucket: String,
    pub(crate) family: Family,
    /// The resource asked for.
    pub(crate) resource: String,
    pub(crate) retry: Duration,
    pub(crate) limit: u64,
}

/// Which family of quotas a call counts in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Family {
    Generate,
    Embed,
}

impl GoogleRow {
    /// The row's error in a scene.
    pub(crate) fn error(self, scene: &Scene) -> GoogleError {
        match self {
            Self::MinuteRequests => body::quota(&[RequestsPerMinute], scene.limit, scene),
            Self::MinuteTokens => body::quota(&[TokensPerMinute], scene.limit, scene),
            Self::DayRequests => body::quota(&[RequestsPerDay], scene.limit, scene),
            Self::DayTokens => body::quota(&[TokensPerDay], scene.limit, scene),
            Self::DayAndMinute => body::quota(&[RequestsPerMinute, RequestsPerDay], scene.limit, scene),
            Self::NotOnTier => body::quota(&[RequestsPerDay, RequestsPerMinute], 0, scene),
            Self::SpendRate => body::spend_rate(scene),
            Self::PrepaymentDepleted => body::prepayment_depleted(429),
            Self::PaymentRequired => body::prepayment_depleted(402),
            Self::MonthlySpendingCap => body::monthly_spending_cap(),
            Self::FileStorage => body::file_storage(scene.limit),
            Self::CachedContentStorage => body::cached_content_storage(&scene.bucket),
            Self::ExhaustedBare => body::exhausted("Resource has been exhausted (e.g. check quota)."),
            Self::KeyInvalid => body::key_invalid("API key not valid. Please pass a valid API key."),
            Self::KeyNotFound => body::key_invalid("API Key not found. Please pass a valid API key."),
            Self::KeyExpired => body::key_invalid("API key expired. Please renew the API key."),
            Self::MultipleCredentials => GoogleError::invalid(body::MULTIPLE_CREDENTIALS),
            Self::FreeTierCountry => body::failed_precondition(body::FREE_TIER_COUNTRY),
            Self::LocationUnsupported => body::failed_precondition(body::LOCATION_UNSUPPORTED),
            Self::UnknownField => body::unknown_field("unknown_field"),
            Self::InputTooLong => body::input_too_long(scene.limit),
            Self::AccessTokenExpected => body::access_token_expected(scene),
            Self::KeysNotSupported => body::keys_not_supported(scene),
            Self::KeyLeaked => body::denied(body::KEY_LEAKED),
            Self::ConsumerSuspended => body::consumer_suspended(scene),
            Self::ProjectDenied => body::denied(body::PROJECT_DENIED),
            Self::ServiceDisabled => body::service_disabled(scene),
            Self::ServiceBlocked => body::service_blocked(scene),
            Self::IpBlocked => body::ip_blocked(scene),
            Self::ReferrerBlocked => body::referrer_blocked(scene),
            Self::BillingDisabled => body::billing_disabled(scene),
            Self::ConsumerInvalid => body::consumer_invalid(scene),
            Self::UnregisteredCaller => body::denied(body::UNREGISTERED_CALLER),
            Self::FileForbidden => body::file_forbidden(&scene.resource),
            Self::CacheForbidden => body::denied("CachedContent not found (or permission denied)"),
            Self::ModelWithdrawn => body::model_withdrawn(&scene.model),
            Self::ModelNotFound => body::model_not_found(scene),
            Self::Aborted => GoogleError::new(409, "ABORTED", "The operation was aborted."),
            Self::Cancelled => GoogleError::new(499, "CANCELLED", "The operation was cancelled."),
            Self::Internal => GoogleError::new(500, "INTERNAL", body::INTERNAL),
            Self::Overloaded => GoogleError::new(503, "UNAVAILABLE", body::OVERLOADED),
            Self::HighDemand => GoogleError::new(503, "UNAVAILABLE", body::HIGH_DEMAND),
            Self::Deadline => GoogleError::new(504, "DEADLINE_EXCEEDED", body::DEADLINE),
        }
    }
}
