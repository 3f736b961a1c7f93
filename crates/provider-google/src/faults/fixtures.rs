//! Every fixture of `tests/fixtures/faults` against the table, and every row against the fixtures.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use http::{HeaderMap, HeaderName, StatusCode};
use keygate_domain::{Failure, Fault, Metric, Reset, RetryAdvice, Scope, Spend, Tier};
use serde::Deserialize;
use serde_json::Value;

use super::*;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fixture {
    /// What the fixture is there to show, where its name does not say it.
    #[serde(default, rename = "why")]
    _why: String,
    row: String,
    status: u16,
    #[serde(default)]
    headers: std::collections::BTreeMap<String, String>,
    #[serde(default = "one_kibibyte")]
    request_bytes: u64,
    body: Option<Value>,
    text: Option<String>,
    expect: Expected,
}

/// A verdict in full: what a fixture does not mention must not be there.
#[derive(Deserialize, PartialEq, Debug)]
#[serde(deny_unknown_fields)]
struct Expected {
    fault: Fault,
    scope: Scope,
    retry: String,
    retry_after_seconds: Option<u64>,
    resets: Option<String>,
    doubles_up_to_seconds: Option<u64>,
    #[serde(default)]
    metric: Metric,
    limit: Option<u64>,
    bucket: Option<String>,
    group: Option<String>,
    tier: Option<Tier>,
    #[serde(default)]
    may_be_providers: bool,
    #[serde(default)]
    needs_human: bool,
}

fn one_kibibyte() -> u64 {
    1024
}

impl Expected {
    fn of(failure: &Failure) -> Self {
        let Failure { fault, scope, hint, retry } = failure;
        Self {
            fault: *fault,
            scope: *scope,
            retry: match retry {
                RetryAdvice::Again => "again",
                RetryAdvice::Once => "once",
                RetryAdvice::Never => "never",
            }
            .to_owned(),
            retry_after_seconds: hint.retry_after.map(|wait| wait.as_secs()),
            resets: hint.resets.map(|reset| match reset {
                Reset::Midnight(zone) => zone.to_owned(),
                Reset::MonthEnd(zone) => format!("month end in {zone}"),
            }),
            doubles_up_to_seconds: hint.doubles_up_to.map(|wait| wait.as_secs()),
            metric: hint.metric,
            limit: hint.limit,
            bucket: hint.bucket.as_ref().map(ToString::to_string),
            group: hint.group.as_ref().map(ToString::to_string),
            tier: hint.tier,
            may_be_providers: hint.may_be_providers,
            needs_human: hint.needs_human,
        }
    }
}

impl Fixture {
    fn bytes(&self) -> Vec<u8> {
        match (&self.body, &self.text) {
            (Some(body), None) => serde_json::to_vec_pretty(body).unwrap(),
            (None, Some(text)) => text.clone().into_bytes(),
            _ => panic!("a fixture has either a body or a text"),
        }
    }

    fn headers(&self) -> HeaderMap {
        let header = |(name, value): (&String, &String)| {
            (HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap())
        };
        self.headers.iter().map(header).collect()
    }

    fn estimate(&self) -> Spend {
        Spend { requests: 1, input_tokens: self.request_bytes.div_ceil(4), output_tokens: 0 }
    }
}

fn fixtures() -> Vec<(String, Fixture)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/faults");
    let mut found: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            let fixture = serde_json::from_slice(&fs::read(&path).unwrap())
                .unwrap_or_else(|fault| panic!("{name}: {fault}"));
            (name, fixture)
        })
        .collect();
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    found
}

#[test]
fn every_fixture_gets_its_verdict() {
    for (name, fixture) in fixtures() {
        let (headers, body) = (fixture.headers(), fixture.bytes());
        let status = StatusCode::from_u16(fixture.status).unwrap();
        let answer = AnswerHead { status, headers: &headers, body: &body, for_preparation: false };
        let failure = failure_of_answer(&answer, fixture.estimate());
        assert_eq!(Expected::of(&failure), fixture.expect, "{name}");
        assert!(!failure.hint.reason.is_empty(), "{name}: operators are told why");
    }
}

#[test]
fn every_row_has_a_fixture_and_judges_it() {
    let mut judged = BTreeSet::new();
    for (name, fixture) in fixtures() {
        let report = Report::of_answer(fixture.status, &fixture.bytes());
        assert_eq!(judge(&report, fixture.estimate()).0, fixture.row, "{name}");
        judged.insert(fixture.row);
    }
    let rows: BTreeSet<String> = rows().map(|row| row.id.to_owned()).chain(["unlisted".to_owned()]).collect();
    assert_eq!(judged, rows);
}

/// An error inside a stream is judged like the same error as an answer.
#[test]
fn every_native_error_means_the_same_inside_a_stream() {
    for (name, fixture) in fixtures() {
        let error = fixture.body.as_ref().map(|body| body.get(0).unwrap_or(body)["error"].clone());
        let Some(error) = error.filter(|error| error["code"].is_u64()) else { continue };
        let failure = failure_in_stream(error.to_string().as_bytes(), fixture.estimate());
        assert_eq!(Expected::of(&failure), fixture.expect, "{name}");
    }
}

#[test]
fn named_errors_inside_a_stream_stand_for_a_status() {
    let fault = |error: &str| failure_in_stream(error.as_bytes(), Spend::default()).fault;
    assert_eq!(fault(r#"{"code":"rate_limit_exceeded","message":"slow down"}"#), Fault::RateLimited);
    assert_eq!(fault(r#"{"code":"quota_exceeded","message":"no more today"}"#), Fault::QuotaExhausted);
    assert_eq!(fault(r#"{"code":"payment_required","message":"pay"}"#), Fault::GroupBlocked);
    assert_eq!(fault(r#"{"status":"UNAVAILABLE"}"#), Fault::Overloaded);
    assert_eq!(fault(r#"{"code":200,"status":"UNAVAILABLE"}"#), Fault::Overloaded);
    assert_eq!(fault(r#"{"code":"deadline_exceeded"}"#), Fault::Timeout);
    assert_eq!(fault("{}"), Fault::ServerError);
    assert_eq!(fault(r#""just text""#), Fault::ServerError);
}

/// No status and no body, however odd, is without a verdict; and a caller is never told to try
/// again what the service refused for good.
#[test]
fn odd_answers_have_verdicts() {
    let bodies = [
        "",
        "null",
        "[]",
        "{}",
        "[{}]",
        "3",
        "\"text\"",
        "{\"error\":null}",
        "{\"error\":\"text\"}",
        "{\"err",
    ];
    for status in (300..=599).filter_map(|status| StatusCode::from_u16(status).ok()) {
        for body in bodies {
            let answer = AnswerHead {
                status,
                headers: &HeaderMap::new(),
                body: body.as_bytes(),
                for_preparation: false,
            };
            let failure = failure_of_answer(&answer, Spend::default());
            if status.is_client_error() && !matches!(status.as_u16(), 402 | 408 | 429) {
                assert_eq!(failure.fault, Fault::Caller, "{status} {body}");
            }
            if status.is_server_error() || status.is_redirection() {
                assert!(failure.fault.is_providers(), "{status} {body}");
            }
        }
    }
}
