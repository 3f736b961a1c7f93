//! Rows about quotas and money: 429 and 402.
//!
//! One 429 may list several violations; the longest wait must win. That is why the rows stand in
//! this order: no tier, day, minute, unnamed.

use std::time::Duration;

use keygate_domain::{Failure, Fault, Metric, Reset, Scope};

use super::row::{Case, Row, Window};
use super::waits::{self, HOUR, MINUTE};

/// Google's day for daily quotas.
const GOOGLES_DAY: Reset = Reset::Midnight("America/Los_Angeles");
/// A minute's window is over after this, whatever the answer says.
const LONGEST_MINUTE: Duration = Duration::from_secs(65);
/// The window of the spend-based limit.
const SPEND_WINDOW: Duration = Duration::from_mins(10);
/// Between two looks at an account that must be paid for.
const BILLING: Duration = Duration::from_mins(30);

pub(super) const ROWS: &[Row] = &[
    Row {
        id: "spend_rate",
        matches: |case| case.status(&[429]) && case.mentions("spend-based rate limit"),
        judge: spend_rate,
    },
    Row {
        id: "prepayment_depleted",
        matches: |case| {
            case.status(&[402])
                || case.code(&["payment_required"])
                || (case.status(&[429]) && case.mentions("prepayment credits are depleted"))
        },
        judge: |case| {
            blocked(case, BILLING, Some(HOUR), "the prepaid credits of the billing account are used up")
        },
    },
    Row {
        id: "monthly_spending_cap",
        matches: |case| case.status(&[429]) && case.mentions("exceeded its monthly spending cap"),
        judge: |case| blocked(case, HOUR, None, "the project reached its monthly spending cap"),
    },
    Row { id: "storage_full", matches: is_storage, judge: storage_full },
    Row { id: "not_on_tier", matches: |case| case.status(&[429]) && is_limit_zero(case), judge: not_on_tier },
    Row { id: "per_day", matches: is_daily, judge: per_day },
    Row {
        id: "poison",
        matches: |case| case.status(&[429]) && case.poisoned().is_some(),
        judge: |case| {
            Failure::of(Fault::Poison).hinting(
                case.quota_hint(
                    case.poisoned(),
                    "this request alone may exceed the project's tokens per minute",
                ),
            )
        },
    },
    Row { id: "per_minute", matches: is_minutely, judge: per_minute },
    Row {
        id: "other_window",
        matches: |case| case.status(&[429]) && !case.report.violations.is_empty(),
        judge: other_window,
    },
    Row { id: "unnamed_quota", matches: |case| case.status(&[429]), judge: unnamed_quota },
];

fn is_storage(case: &Case<'_>) -> bool {
    let is_named = case.violation(Window::Storage).is_some() || case.mentions("cachedcontentstorage");
    case.status(&[429]) && is_named
}

/// `quotaValue: "0"`, or only the text: proto3 JSON leaves a zero out.
fn is_limit_zero(case: &Case<'_>) -> bool {
    let is_zero =
        |after: &str| after.starts_with('0') && !after[1..].starts_with(|c: char| c.is_ascii_digit());
    let in_text = |before: &str| case.report.message.split(before).skip(1).any(is_zero);
    case.report.violations.iter().any(|violation| violation.limit == Some(0))
        || in_text("limit: ")
        || in_text("limit=")
}

fn is_daily(case: &Case<'_>) -> bool {
    case.status(&[429]) && (case.violation(Window::Day).is_some() || case.code(&["quota_exceeded"]))
}

fn is_minutely(case: &Case<'_>) -> bool {
    let is_named = case.violation(Window::Minute).is_some();
    case.status(&[429]) && (is_named || case.code(&["rate_limit_exceeded", "too_many_requests"]))
}

fn spend_rate(case: &Case<'_>) -> Failure {
    let mut hint = case.hint("the spend of the last ten minutes reached the tier's limit");
    hint.retry_after = Some(case.wait(SPEND_WINDOW).unwrap_or(MINUTE));
    hint.doubles_up_to = Some(SPEND_WINDOW);
    hint.metric = Metric::Spend;
    Failure::of(Fault::RateLimited).at(Scope::Group).hinting(hint)
}

fn blocked(case: &Case<'_>, rest: Duration, up_to: Option<Duration>, reason: &'static str) -> Failure {
    let mut hint = case.hint(reason);
    hint.retry_after = Some(rest);
    hint.doubles_up_to = up_to;
    Failure::of(Fault::GroupBlocked).hinting(hint)
}

/// Nothing but the operation that stores is over; files expire by themselves.
fn storage_full(case: &Case<'_>) -> Failure {
    let mut hint = case.quota_hint(case.violation(Window::Storage), "the project's storage is full");
    hint.metric = Metric::Storage;
    hint.retry_after = Some(HOUR);
    Failure::of(Fault::QuotaExhausted).at(Scope::GroupRoute).hinting(hint)
}

fn not_on_tier(case: &Case<'_>) -> Failure {
    let mut hint = case.quota_hint(case.report.violations.first(), "the model is not on the project's tier");
    hint.metric = Metric::Tier;
    hint.limit = Some(0);
    hint.retry_after = Some(waits::DAY);
    Failure::of(Fault::QuotaExhausted).hinting(hint)
}

/// A daily 429 comes with a `retryDelay` of seconds, which is not true: it is ignored.
fn per_day(case: &Case<'_>) -> Failure {
    let mut hint = case.quota_hint(case.violation(Window::Day), "the project's quota of the day is used up");
    hint.resets = Some(GOOGLES_DAY);
    if hint.metric == Metric::Unnamed {
        hint.metric = Metric::RequestsPerDay;
    }
    Failure::of(Fault::QuotaExhausted).hinting(hint)
}

fn per_minute(case: &Case<'_>) -> Failure {
    let mut hint =
        case.quota_hint(case.violation(Window::Minute), "the project's quota of the minute is used up");
    hint.retry_after = case.wait(LONGEST_MINUTE);
    Failure::of(Fault::RateLimited).hinting(hint)
}

/// A quota is named, its window is not (the OpenAI-compatible surface drops the details): the
/// wait asked for may belong to a day, so it doubles while the fault repeats.
fn other_window(case: &Case<'_>) -> Failure {
    let mut hint = case.quota_hint(case.report.violations.first(), "a quota of the project is used up");
    hint.retry_after = Some(case.wait(HOUR).unwrap_or(MINUTE));
    hint.doubles_up_to = Some(HOUR);
    Failure::of(Fault::RateLimited).hinting(hint)
}

/// Ambiguous: the project's quota, or a congested model. Short at first, doubling.
fn unnamed_quota(case: &Case<'_>) -> Failure {
    let mut hint = case.hint("a limit was reached that the answer does not name");
    hint.retry_after = Some(case.wait(2 * MINUTE).unwrap_or(Duration::from_secs(5)));
    hint.doubles_up_to = Some(2 * MINUTE);
    hint.may_be_providers = true;
    Failure::of(Fault::RateLimited).hinting(hint)
}
