//! What an error says about the key that met it: the fault table.
//!
//! [`report`] reads an error of any of Google's shapes into one form; the rows of [`quota`],
//! [`access`] and [`service`] are tried in that order, and the first that matches judges. Every
//! row has at least one fixture in `tests/fixtures/faults`.

mod access;
mod quota;
mod report;
mod row;
mod service;
mod waits;

#[cfg(test)]
mod fixtures;

use keygate_domain::{Failure, Fault, Hint, Spend};
use keygate_provider::AnswerHead;

use report::Report;
use row::{Case, Row};

/// The table, in the order in which it is read.
fn rows() -> impl Iterator<Item = &'static Row> {
    [quota::ROWS, access::ROWS, service::ROWS].into_iter().flatten()
}

/// Judges an error answer.
pub(crate) fn failure_of_answer(answer: &AnswerHead<'_>, estimate: Spend) -> Failure {
    judge(&Report::of_answer(answer.status.as_u16(), answer.body), estimate).1
}

/// Judges the `error` object of an answer that began as a success.
pub(crate) fn failure_in_stream(error: &[u8], estimate: Spend) -> Failure {
    judge(&Report::of_error_object(error), estimate).1
}

/// `finishReason: PUP_LIMITED_DISABLED`: the account is barred, told with a 200.
pub(crate) fn account_barred() -> Failure {
    Failure::of(Fault::GroupBlocked).hinting(Hint {
        retry_after: Some(waits::DAY),
        needs_human: true,
        reason: "the account behind the project is limited or disabled for policy violations",
        ..Hint::default()
    })
}

/// What was asked for by its name is not there for this project.
pub(crate) fn foreign() -> Failure {
    let reason = "what was asked for belongs to another project, or is gone";
    Failure::of(Fault::AffinityLost).hinting(Hint { reason, ..Hint::default() })
}

fn judge(report: &Report, estimate: Spend) -> (&'static str, Failure) {
    let case = Case { report, estimated_tokens: estimate.input_tokens };
    rows()
        .find(|row| (row.matches)(&case))
        .map_or_else(|| ("unlisted", service::unlisted()), |row| (row.id, (row.judge)(&case)))
}
