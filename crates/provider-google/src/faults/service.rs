//! Rows about the service itself, and what is left: statuses alone decide.

use keygate_domain::{Failure, Fault, Hint, RetryAdvice};

use super::row::{Case, Row};

pub(super) const ROWS: &[Row] = &[
    Row {
        id: "cancelled",
        matches: |case| case.status(&[499]),
        judge: |case| Failure::of(Fault::Caller).hinting(case.hint("the request was cancelled")),
    },
    Row {
        id: "request_timeout",
        matches: |case| case.status(&[408]),
        judge: |case| of(case, Fault::Timeout, "the provider waited too long for the request"),
    },
    // A front end speaks here, not the API: what it says of the model is not to be relied on.
    Row {
        id: "front_end",
        matches: |case| case.report.status >= 500 && !case.report.is_json,
        judge: |case| of(case, Fault::ServerError, "the provider's front end failed"),
    },
    Row {
        id: "overloaded",
        matches: |case| case.status(&[503]),
        judge: |case| of(case, Fault::Overloaded, "the provider is out of capacity for the model"),
    },
    Row {
        id: "deadline",
        matches: |case| case.status(&[504]),
        judge: |case| of(case, Fault::Timeout, "the provider did not finish before the deadline"),
    },
    // 500 also answers an input that is too long, so trying on and on helps nobody.
    Row {
        id: "internal",
        matches: |case| case.status(&[500]),
        judge: |case| of(case, Fault::ServerError, "the provider failed").retrying(RetryAdvice::Once),
    },
    Row {
        id: "other_5xx",
        matches: |case| case.report.status >= 500,
        judge: |case| of(case, Fault::ServerError, "the provider failed"),
    },
    Row {
        id: "other_4xx",
        matches: |case| case.report.status >= 400,
        judge: |case| of(case, Fault::Caller, "the provider refused the request itself"),
    },
];

/// What is neither a success nor an error: a redirect, which is never followed (it would carry
/// the key to another place).
pub(super) fn unlisted() -> Failure {
    let reason = "the provider answered with a status that is neither a success nor an error";
    Failure::of(Fault::ServerError).hinting(Hint { reason, ..Hint::default() }).retrying(RetryAdvice::Once)
}

fn of(case: &Case<'_>, fault: Fault, reason: &'static str) -> Failure {
    Failure::of(fault).hinting(case.hint(reason))
}
