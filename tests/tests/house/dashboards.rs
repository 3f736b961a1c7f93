//! The dashboard and the alerts that are shipped name nothing that a gateway does not tell.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use keygate_tests::sim::{Action, Fault, GoogleRow, ScriptedAnswer};
use keygate_tests::{configuration, eventually};
use serde_json::{Value, json};

use super::answer::Answer;
use super::scrape::Scrape;
use super::stage::{FLASH, House};

/// What Prometheus itself adds, and what functions and variables are called.
const OTHERS: &[&str] = &["instance", "job", "le"];

/// What only some gateways tell: a forecast takes minutes of use.
const LATER: &[&str] = &["keygate_budget_runs_out_seconds"];

/// The beginnings of our names.
const OURS: &[&str] = &["keygate_", "gemini_", "gen_ai_client_", "process_"];

fn shipped(path: &str) -> String {
    let root: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a parent").join("deploy");
    fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every expression of the dashboard, its variables' included.
fn of_dashboard() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&shipped("grafana/keygate.json")).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let expressions = targets.map(|target| target["expr"].as_str().expect("an expression").to_owned());
    let variables = dashboard["templating"]["list"].as_array().expect("variables").iter();
    let queries = variables.filter_map(|variable| variable["query"]["query"].as_str().map(str::to_owned));
    let ids: BTreeSet<i64> = panels.iter().filter_map(|panel| panel["id"].as_i64()).collect();
    assert_eq!(ids.len(), panels.len(), "each panel has an id of its own");
    expressions.chain(queries).collect()
}

/// Every expression of the alerts: what stands behind `expr:`, and below it where it is folded.
fn of_alerts() -> Vec<String> {
    let rules = shipped("prometheus/rules.yml");
    let alerts = rules.split("- alert: ").skip(1);
    alerts
        .map(|alert| {
            let rest = alert.split("expr: ").nth(1).expect("an expression");
            let end =
                ["\n        for:", "\n        labels:"].into_iter().filter_map(|end| rest.find(end)).min();
            rest[..end.expect("something follows")].to_owned()
        })
        .collect()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

/// The labels of an expression: what stands in braces before a comparison, and in the brackets of `by` and `on`.
fn labels(expression: &str) -> Vec<String> {
    let mut found = Vec::new();
    let bare: String = expression.split('"').step_by(2).collect::<Vec<_>>().join("\"\"");
    for inside in bare.split('{').skip(1).filter_map(|rest| rest.split('}').next()) {
        found.extend(inside.split(',').filter_map(|one| words(one).next()).map(str::to_owned));
    }
    for grouping in ["by (", "on ("] {
        for inside in bare.split(grouping).skip(1).filter_map(|rest| rest.split(')').next()) {
            found.extend(words(inside).map(str::to_owned));
        }
    }
    found
}

/// Traffic that makes a gateway tell everything it can.
async fn busy() -> House {
    let budgets = json!({"requests_per_minute": 50, "requests_per_day": 1000});
    let house = House::open(json!({
        "cache": {"enabled": true},
        "limits": {"per_user": {"requests_per_minute": 5}},
        "providers": {"google": {
            "keys": [{"secret": "env:ALPHA_1", "label": "alpha_1"}], "budgets": {"default": budgets},
        }},
    }))
    .await;
    let retry = Some(Duration::from_secs(1));
    let row = Some(GoogleRow::MinuteRequests.into());
    let refusal = ScriptedAnswer { row, retry, ..ScriptedAnswer::default() };
    house.sim.script([Fault::new(Action::Answer(refusal))]).expect("a valid script");
    assert_eq!(house.generate(FLASH, "hello").await.status, 200);
    assert_eq!(Answer::to(house.stream("stream 3")).await.status, 200);
    for _ in 0..5 {
        house.generate(FLASH, "hello again").await;
    }
    house
}

#[tokio::test]
async fn everything_that_dashboard_and_alerts_name_is_told() {
    let house = busy().await;
    let told = eventually("everything is told", async || {
        let scrape = Scrape::of(&house).await;
        scrape.value("keygate_refusals_total", &[]).map(|_| scrape)
    })
    .await;
    let families = told.families();
    let every_label: BTreeSet<&str> =
        families.values().flatten().map(String::as_str).chain(OTHERS.iter().copied()).collect();
    let mut named = BTreeSet::new();
    for expression in of_dashboard().into_iter().chain(of_alerts()) {
        let names: Vec<&str> =
            words(&expression).filter(|word| OURS.iter().any(|start| word.starts_with(start))).collect();
        let is_scrape_itself = expression.starts_with("up{");
        assert!(!names.is_empty() || is_scrape_itself, "no name of ours in {expression}");
        for name in names {
            assert!(
                families.contains_key(name) || LATER.contains(&name),
                "{name} is told by nobody: {expression}"
            );
            named.insert(name.to_owned());
        }
        for label in labels(&expression) {
            let is_laters = LATER.iter().any(|name| expression.contains(name));
            assert!(every_label.contains(&*label) || is_laters, "{label} is no label: {expression}");
        }
    }
    assert!(named.len() > 30, "the dashboard and the alerts name much: {named:?}");
    house.close().await;
}

#[tokio::test]
async fn every_family_that_is_documented_is_told() {
    let house = busy().await;
    // What is counted only where it happens, and otherwise is not there.
    house.gateway.write("keygate.yaml", &configuration(house.sim.endpoints(), &json!({})));
    Scrape::until(&house, "keygate_config_reloads_total", &[("result", "applied")], 1.0).await;
    let families = Scrape::of(&house).await.families();
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/metrics.md");
    let document = fs::read_to_string(document).expect("the document");
    let rows = document.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    for name in rows.filter(|name| !LATER.contains(name)) {
        let parts = [name.to_owned(), format!("{name}_count")];
        assert!(parts.iter().any(|part| families.contains_key(part)), "{name} is told by nobody");
    }
    house.close().await;
}

#[test]
fn labels_are_found_where_they_stand() {
    let found = labels(r#"sum by (a, b) (rate(x{c="d, e{", f=~"$f"}[5m])) and on (g) y"#);
    assert_eq!(found, ["c", "f", "a", "b", "g"]);
}
