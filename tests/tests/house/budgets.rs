//! Budgets against providers that really count: no request is one too many, and none that is granted is
//! left unused.

use futures_util::future::join_all;
use keygate_tests::sim::{GoogleConfig, GoogleKey, GoogleProject, ModelLimits, Population, RunningSimulator};
use serde_json::{Value, json};

use super::answer::Answer;
use super::stage::{FLASH, House, PRO, chat, generate_path};

const KEYS: [(&str, &str, &str); 3] = [
    ("alpha", "sim-google-alpha-1", "ALPHA_1"),
    ("alpha", "sim-google-alpha-2", "ALPHA_2"),
    ("beta", "sim-google-beta-1", "BETA_1"),
];

/// Two projects with three keys, and what the gateway is told of their limits.
fn settings(budgets: &Value) -> Value {
    let keys: Vec<Value> = KEYS
        .iter()
        .map(|(group, _, name)| {
            json!({"secret": format!("env:{name}"), "label": name.to_lowercase(), "group": group})
        })
        .collect();
    json!({
        "limits": {"per_user": {"requests_per_minute": 1000, "max_concurrent": 1000}},
        "providers": {"google": {"keys": keys, "budgets": budgets}},
    })
}

/// Lets each project have `limits` and no more.
fn grant(sim: &RunningSimulator, limits: &ModelLimits) {
    let project = |name: &str| {
        let keys = KEYS.iter().filter(|(group, ..)| *group == name);
        let keys = keys.map(|(_, key, _)| GoogleKey::new(*key)).collect();
        GoogleProject { keys, limits: vec![limits.clone()], ..GoogleProject::named(name) }
    };
    let google = GoogleConfig { projects: vec![project("alpha"), project("beta")] };
    sim.declare(Population { google, ..Population::empty() }).expect("the projects can be replaced");
}

async fn fire(house: &House, model: &str, requests: usize) -> Vec<Answer> {
    let one = |number: usize| {
        let request = house.post(&generate_path(model), &chat("hello"));
        Answer::to(request.header("x-user-id", format!("user {}", number % 50)))
    };
    join_all((0..requests).map(one)).await
}

#[tokio::test]
async fn three_times_what_is_granted_meets_no_429_and_leaves_nothing_unused() {
    let house = House::open(settings(&json!({"default": {"requests_per_minute": 25}}))).await;
    grant(
        &house.sim,
        &ModelLimits { model: "*".to_owned(), requests_per_minute: Some(25), ..ModelLimits::default() },
    );
    for model in [FLASH, PRO] {
        let answers = fire(&house, model, 150).await;
        let (served, refused): (Vec<_>, Vec<_>) =
            answers.into_iter().partition(|answer| answer.status == 200);
        assert_eq!(
            served.len(),
            50,
            "each of two projects grants 25 of a model, whatever number of keys it has"
        );
        for answer in &refused {
            answer.is_refusal(429, "pool_exhausted");
            assert!(answer.retry_after().is_some_and(|seconds| (1..=62).contains(&seconds)), "{answer:?}");
        }
    }
    assert_eq!(house.counts().google.refused_429, 0);
    assert_eq!(house.upstream_requests(), 100);
    let pool = house.google().await;
    pool.balances();
    house.close().await;
}

#[tokio::test]
async fn what_the_provider_reports_is_what_counts() {
    let house = House::open(settings(&json!({"default": {"input_tokens_per_minute": 100_000}}))).await;
    let answer = house.generate(FLASH, &"word ".repeat(2000)).await;
    let reported = answer.json()["usageMetadata"]["promptTokenCount"].as_u64();
    // Settling is a notice: status is asked behind it.
    let status = Answer::to(house.get("/api/google/status")).await.json();
    let budgets = status["keys"].as_array().expect("keys").iter().map(|key| &key["budgets"][0]);
    let used: Vec<u64> = budgets.filter_map(|budget| budget["used"].as_u64()).collect();
    assert_eq!(used.iter().copied().max(), reported, "{status}");
    house.close().await;
}
