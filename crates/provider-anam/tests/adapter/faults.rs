//! Every row of Anam's error tables: `fixtures/faults`, one file each.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use http::{HeaderMap, Method, StatusCode};
use keygate_domain::{Fault, Intent, Metric, Operation, Resource, RetryAdvice, Scope, Verdict};
use keygate_provider::AnswerHead;
use serde::Deserialize;

use crate::asking::{Asked, anam, session_token};

/// An answer and what follows from it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fixture {
    /// The row of the tables.
    row: String,
    operation: String,
    #[serde(default)]
    own_token: bool,
    #[serde(default)]
    for_preparation: bool,
    /// What the request names, as `kind/name`.
    #[serde(default)]
    references: Vec<String>,
    status: u16,
    #[serde(default)]
    headers: std::collections::BTreeMap<String, String>,
    json: Option<serde_json::Value>,
    text: Option<String>,
    verdict: Expected,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    fault: Fault,
    scope: Scope,
    retry: String,
    retry_after_seconds: Option<u64>,
    doubles_up_to_seconds: Option<u64>,
    #[serde(default)]
    metric: Metric,
    #[serde(default)]
    needs_human: bool,
}

impl Fixture {
    fn intent(&self) -> Intent {
        let asked = match self.operation.as_str() {
            "mint_session_token" => Asked::post("/v1/auth/session-token", "{}"),
            "start_session" if self.own_token => Asked::start_by(&session_token("org-1")),
            "start_session" => Asked::post("/v1/engine/session", "{}"),
            "session_concurrency" => Asked::new(Method::GET, "/v1/sessions/concurrency"),
            "stop_session" => Asked::post("/v1/sessions/s1/stop", ""),
            unknown => panic!("no such operation: {unknown}"),
        };
        let mut intent = asked.understood().unwrap();
        intent.references.extend(self.references.iter().filter_map(|reference| {
            let (kind, name) = reference.split_once('/')?;
            let kind = ["persona", "tool", "session"].into_iter().find(|known| *known == kind)?;
            Some(Resource::new(kind, name))
        }));
        assert_eq!(intent.operation, Operation(self.operation.clone().leak()));
        intent
    }

    fn verdict(&self) -> Verdict {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            headers.insert(name.parse::<http::HeaderName>().unwrap(), value.parse().unwrap());
        }
        let json = self.json.as_ref().map(ToString::to_string);
        let body = json.or_else(|| self.text.clone()).unwrap_or_default();
        let answer = AnswerHead {
            status: StatusCode::from_u16(self.status).unwrap(),
            headers: &headers,
            body: body.as_bytes(),
            for_preparation: self.for_preparation,
        };
        anam().verdict(&self.intent(), &answer)
    }

    fn check(&self, file: &str) {
        let Verdict::Failed(failure) = self.verdict() else { panic!("{file}: not a failure") };
        let expected = &self.verdict;
        let retry = match expected.retry.as_str() {
            "again" => RetryAdvice::Again,
            "once" => RetryAdvice::Once,
            "never" => RetryAdvice::Never,
            unknown => panic!("{file}: no such advice: {unknown}"),
        };
        let told = format!("{file} ({})", self.row);
        assert_eq!(failure.fault, expected.fault, "{told}");
        assert_eq!(failure.scope, expected.scope, "{told}");
        assert_eq!(failure.retry, retry, "{told}");
        assert_eq!(failure.hint.retry_after, expected.retry_after_seconds.map(Duration::from_secs), "{told}");
        assert_eq!(
            failure.hint.doubles_up_to,
            expected.doubles_up_to_seconds.map(Duration::from_secs),
            "{told}"
        );
        assert_eq!(failure.hint.metric, expected.metric, "{told}");
        assert_eq!(failure.hint.needs_human, expected.needs_human, "{told}");
        let takes_out = failure.takes_out();
        assert!(!takes_out || !failure.hint.reason.is_empty(), "{told}: operators are not told why");
    }
}

fn fixtures() -> Vec<(String, Fixture)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/faults");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
        .into_iter()
        .map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            let fixture = serde_json::from_str(&fs::read_to_string(&path).unwrap());
            (name.clone(), fixture.unwrap_or_else(|error| panic!("{name}: {error}")))
        })
        .collect()
}

#[test]
fn every_row_of_the_tables_leads_to_its_verdict() {
    for (file, fixture) in fixtures() {
        fixture.check(&file);
    }
}

#[test]
fn every_status_of_the_tables_has_a_row_for_either_credential() {
    let rows = |own_token: bool| -> BTreeSet<u16> {
        let fixtures = fixtures();
        let starts = fixtures.iter().filter(|(_, fixture)| fixture.operation == "start_session");
        starts
            .filter(|(_, fixture)| fixture.own_token == own_token)
            .map(|(_, fixture)| fixture.status)
            .collect()
    };
    assert!(rows(false).is_superset(&BTreeSet::from([400, 401, 402, 403, 422, 429, 500, 502, 503])));
    assert!(rows(true).is_superset(&BTreeSet::from([400, 401, 402, 403, 404, 429, 500, 503])));
}

#[test]
fn a_session_token_never_costs_a_key_anything() {
    for (file, fixture) in fixtures() {
        if !fixture.own_token || fixture.for_preparation {
            continue;
        }
        let Verdict::Failed(failure) = fixture.verdict() else { panic!("{file}: not a failure") };
        assert!(!matches!(failure.scope, Scope::Key | Scope::KeyRoute), "{file}: {:?}", failure.scope);
    }
}

#[test]
fn a_success_is_served_at_the_estimated_cost() {
    for status in [StatusCode::OK, StatusCode::CREATED, StatusCode::ACCEPTED, StatusCode::NO_CONTENT] {
        let intent = Asked::post("/v1/engine/session", "{}").understood().unwrap();
        let answer = AnswerHead { status, headers: &HeaderMap::new(), body: b"", for_preparation: false };
        assert_eq!(anam().verdict(&intent, &answer), Verdict::Served(intent.estimate));
    }
}
