//! An error of Google's, whatever its shape, read into one form.
//!
//! Shapes: `{"error":{code,message,status,details}}` (native), the same in an array of one
//! (OpenAI-compatible), `{"error":{"code":"snake_case","message"}}` (Interactions), text or HTML
//! (front ends, upload back ends).

use std::time::Duration;

use keygate_domain::{BucketName, GroupId, Tier};
use serde_json::Value;

use super::waits;

/// Most violations looked at.
const MAX_VIOLATIONS: usize = 16;
/// Longest bucket name kept, in bytes.
const MAX_BUCKET_BYTES: usize = 128;

/// What an error says.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// The HTTP status; for an error inside a stream the one it stands for.
    pub status: u16,
    /// Whether the body was JSON.
    pub is_json: bool,
    /// `error.status` (`RESOURCE_EXHAUSTED`), or `error.code` where that is text.
    pub code: String,
    /// `error.message` in lower case.
    pub message: String,
    /// `reason` of the `ErrorInfo`.
    pub reason: String,
    /// The quotas violated.
    pub violations: Vec<Violation>,
    /// How long Google asks to wait: exact from the message, else the truncated `retryDelay`.
    pub wait: Option<Duration>,
    /// The project, as `projects/123`, where a field names it.
    pub group: Option<GroupId>,
}

/// One quota that was violated.
#[derive(Debug, Default)]
pub(super) struct Violation {
    /// Its id (and metric, where the id does not say enough), in lower case: only parts of it are
    /// looked for, because Google coins new ids.
    pub name: String,
    /// Its limit.
    pub limit: Option<u64>,
    /// The bucket the model is counted in.
    pub bucket: Option<BucketName>,
}

impl Report {
    /// The project: what a field names, else what the message does. Keys are put together by it, so
    /// messages are read only of statuses whose messages repeat nothing of the caller's.
    pub(super) fn project(&self) -> Option<GroupId> {
        let in_message = || project_in(&self.message).filter(|_| matches!(self.status, 402 | 403 | 429));
        self.group.clone().or_else(in_message)
    }

    /// The tier that the name of any violated quota tells.
    pub(super) fn tier(&self) -> Option<Tier> {
        self.violations.iter().find_map(|violation| {
            let has_any = |parts: &[&str]| parts.iter().any(|part| violation.name.contains(part));
            if has_any(&["freetier", "free_tier"]) {
                return Some(Tier::Free);
            }
            has_any(&["paidtier", "paid_tier"]).then_some(Tier::Paid)
        })
    }

    /// Reads an error answer. A body that was cut off reads like one that is no JSON.
    pub(super) fn of_answer(status: u16, body: &[u8]) -> Self {
        match serde_json::from_slice::<Value>(body) {
            Ok(body) => Self { status, ..Self::of_error(error_in(&body)) },
            Err(_) => Self { status, ..Self::default() },
        }
    }

    /// Reads the `error` object of a stream.
    pub(super) fn of_error_object(error: &[u8]) -> Self {
        let error = serde_json::from_slice(error).unwrap_or(Value::Null);
        let report = Self::of_error(&error);
        let status = error["code"].as_u64().and_then(|code| u16::try_from(code).ok());
        let status = status.filter(|code| *code >= 400).unwrap_or_else(|| status_of(&report.code));
        Self { status, ..report }
    }

    fn of_error(error: &Value) -> Self {
        let raw_message = error["message"].as_str().or_else(|| error.as_str()).unwrap_or_default();
        let message = raw_message.to_ascii_lowercase();
        let code = error["status"].as_str().or_else(|| error["code"].as_str()).unwrap_or_default().to_owned();
        let info = detail(error, "ErrorInfo");
        Self {
            status: 0,
            is_json: true,
            code,
            reason: info["reason"].as_str().unwrap_or_default().to_owned(),
            violations: violations(error, &message),
            wait: wait(error, &message),
            group: info["metadata"]["consumer"]
                .as_str()
                .and_then(|consumer| project_after(consumer, "projects/")),
            message,
        }
    }
}

/// The error object of a body: wrapped in an array on the OpenAI-compatible surface.
fn error_in(body: &Value) -> &Value {
    let object = body.get(0).unwrap_or(body);
    object.get("error").unwrap_or(object)
}

/// The detail whose type ends in `name`.
fn detail<'v>(error: &'v Value, name: &str) -> &'v Value {
    let details = error["details"].as_array().map(Vec::as_slice).unwrap_or_default();
    let is_wanted = |detail: &&Value| detail["@type"].as_str().is_some_and(|kind| kind.ends_with(name));
    details.iter().find(is_wanted).unwrap_or(&Value::Null)
}

fn wait(error: &Value, message: &str) -> Option<Duration> {
    let exact = message.split_once("please retry in ").and_then(|(_, wait)| waits::parse(wait));
    exact.or_else(|| waits::parse(detail(error, "RetryInfo")["retryDelay"].as_str()?))
}

fn violations(error: &Value, message: &str) -> Vec<Violation> {
    let listed =
        detail(error, "QuotaFailure")["violations"].as_array().map(Vec::as_slice).unwrap_or_default();
    if listed.is_empty() {
        return message.lines().filter_map(violation_in_text).take(MAX_VIOLATIONS).collect();
    }
    listed.iter().take(MAX_VIOLATIONS).map(violation).collect()
}

fn violation(listed: &Value) -> Violation {
    let id = listed["quotaId"].as_str().unwrap_or_default();
    let metric = listed["quotaMetric"].as_str().unwrap_or_default();
    let value = &listed["quotaValue"];
    Violation {
        name: format!("{id} {metric}").to_ascii_lowercase(),
        // int64 as text, as proto3 JSON has it; some back ends send a number.
        limit: value.as_str().map_or_else(|| value.as_u64(), |text| text.parse().ok()),
        bucket: listed["quotaDimensions"]["model"].as_str().and_then(bucket),
    }
}

/// `* Quota exceeded for metric: M, limit: 20, model: X`, where there are no details.
fn violation_in_text(line: &str) -> Option<Violation> {
    let (_, facts) = line.split_once("quota exceeded for metric: ")?;
    let fact = |name: &str| {
        let (_, after) = facts.split_once(name)?;
        after.split([',', ' ']).next()
    };
    Some(Violation {
        name: facts.split(',').next().unwrap_or_default().to_owned(),
        limit: fact("limit: ").and_then(|limit| limit.trim_end_matches('.').parse().ok()),
        bucket: fact("model: ").and_then(bucket),
    })
}

fn bucket(name: &str) -> Option<BucketName> {
    (!name.is_empty() && name.len() <= MAX_BUCKET_BYTES).then(|| BucketName::from(name))
}

/// `project_number:123`, `projects/123` or `project 123` in a message.
fn project_in(message: &str) -> Option<GroupId> {
    ["project_number:", "projects/", "project "].iter().find_map(|before| project_after(message, before))
}

fn project_after(text: &str, before: &str) -> Option<GroupId> {
    text.split(before).skip(1).find_map(|after| {
        let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
        // Project numbers are 64 bits wide; anything longer is something else.
        (1..=20).contains(&digits).then(|| GroupId::new(format!("projects/{}", &after[..digits])))
    })
}

/// The HTTP status that a named error stands for (google.rpc.Code, and its spelling in snake
/// case on the Interactions surface).
fn status_of(code: &str) -> u16 {
    match code.to_ascii_lowercase().as_str() {
        "invalid_argument" | "failed_precondition" | "out_of_range" | "invalid_request" => 400,
        "unauthenticated" | "authentication" => 401,
        "payment_required" => 402,
        "permission_denied" => 403,
        "not_found" | "model_not_found" => 404,
        "aborted" | "already_exists" => 409,
        "resource_exhausted" | "rate_limit_exceeded" | "too_many_requests" | "quota_exceeded" => 429,
        "cancelled" => 499,
        "unavailable" | "service_unavailable" => 503,
        "deadline_exceeded" => 504,
        _ => 500,
    }
}
