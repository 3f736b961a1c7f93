//! Quotas that are used up: of a minute, of a model, of a day, with a provider that lies about when.

use keygate_tests::sim::{GoogleConfig, GoogleKey, GoogleProject, ModelLimits, Population, RunningSimulator};
use serde_json::json;

use super::answer::Answer;
use super::stage::{FLASH, House, PRO};

/// Two projects with a key each, the pool's whole wealth.
fn two_keys() -> serde_json::Value {
    json!({"providers": {"google": {"keys": [
        {"secret": "env:ALPHA_1", "label": "alpha_1", "group": "alpha"},
        {"secret": "env:BETA_1", "label": "beta_1", "group": "beta"},
    ]}}})
}

fn limit(sim: &RunningSimulator, project: &str, keys: &[&str], limits: ModelLimits) {
    let keys = keys.iter().map(|key| GoogleKey::new(*key)).collect();
    let project = GoogleProject { keys, limits: vec![limits], ..GoogleProject::named(project) };
    let google = GoogleConfig { projects: vec![project] };
    sim.declare(Population { google, ..Population::empty() }).expect("the project can be replaced");
}

#[tokio::test]
async fn a_key_limited_for_one_model_goes_on_serving_the_other() {
    let house = House::open(two_keys()).await;
    let one_a_minute =
        ModelLimits { model: PRO.to_owned(), requests_per_minute: Some(1), ..ModelLimits::default() };
    limit(&house.sim, "alpha", &["sim-google-alpha-1"], one_a_minute);

    for _ in 0..5 {
        assert_eq!(house.generate(PRO, "hello").await.status, 200);
    }
    assert_eq!(house.counts().google.refused_429, 1, "a resting model is not asked for again");
    let pool = house.google().await;
    assert_eq!(pool.state("alpha_1"), "cooling_down", "the only model it was used for rests");
    assert_eq!(pool.state("beta_1"), "available");

    let before = house.asked("sim-google-alpha-1");
    for _ in 0..4 {
        house.generate(FLASH, "hello").await.is_providers("google", 200, 1);
    }
    assert_eq!(house.asked("sim-google-alpha-1"), before + 2, "the other model takes turns as ever");
    let pool = house.google().await;
    assert_eq!(pool.state("alpha_1"), "available");
    // What the provider said; and by then the budget it stated is used as well.
    let [rest, _budget] = pool.resting("alpha_1") else { panic!("one model rests: {pool:?}") };
    assert_eq!(
        (&rest["model"], &rest["metric"], &rest["fault"]),
        (&json!(PRO), &json!("requests_per_minute"), &json!("rate_limited"))
    );
    assert!(rest["remaining"].as_u64().is_some_and(|seconds| (1..=70).contains(&seconds)), "{rest}");
    house.close().await;
}

#[tokio::test]
async fn a_project_used_up_for_the_day_rests_until_pacific_midnight_whatever_the_provider_says() {
    let house = House::open(json!({})).await;
    let two_a_day =
        ModelLimits { model: "*".to_owned(), requests_per_day: Some(2), ..ModelLimits::default() };
    limit(&house.sim, "alpha", &["sim-google-alpha-1", "sim-google-alpha-2"], two_a_day);

    for _ in 0..8 {
        assert_eq!(house.generate(FLASH, "hello").await.status, 200);
    }
    let counts = house.counts().google;
    assert_eq!(counts.refused_429, 1, "one refusal speaks for both keys of the project");
    assert_eq!(counts.by_project["alpha"], 3);
    assert_eq!(counts.by_project["beta"], 6);

    let pool = house.google().await;
    assert_eq!(pool.states(), [("available", 1), ("exhausted", 2)].into());
    for label in ["alpha_1", "alpha_2"] {
        let rest = &pool.resting(label)[0];
        let until = rest["until"].as_str().expect("a time");
        assert!(
            until.ends_with("T08:00:00Z") || until.ends_with("T07:00:00Z"),
            "no Pacific midnight: {until}"
        );
        assert_eq!(
            (&rest["fault"], &rest["metric"]),
            (&json!("quota_exhausted"), &json!("requests_per_day"))
        );
        assert_eq!(pool.key(label)["is_failed"], true);
        assert!(pool.key(label)["failed_at"].is_u64());
    }
    let all = Answer::to(house.get("/api/keys/status")).await.json();
    assert_eq!(all["status"], "degraded", "one key is left: {all}");
    assert_eq!(all["api_keys"]["google"]["exhausted"], 2);
    house.close().await;
}

#[tokio::test]
async fn with_every_project_used_up_callers_are_told_when_to_come_back_and_nobody_is_asked() {
    let house = House::open(two_keys()).await;
    let one_a_day =
        ModelLimits { model: "*".to_owned(), requests_per_day: Some(1), ..ModelLimits::default() };
    limit(&house.sim, "alpha", &["sim-google-alpha-1"], one_a_day.clone());
    limit(&house.sim, "beta", &["sim-google-beta-1"], one_a_day);

    for _ in 0..2 {
        house.generate(FLASH, "hello").await.is_providers("google", 200, 1);
    }
    let refused = house.generate(FLASH, "hello").await;
    refused.is_refusal(429, "pool_exhausted");
    refused.took("google", 2);
    refused.says_native("RESOURCE_EXHAUSTED", "All Gemini API keys failed. Last error: Quota exhausted");
    let told = refused.retry_after().expect("a time to come back");
    let body = refused.json();
    assert_eq!(body["error"]["details"][0]["@type"], "type.googleapis.com/google.rpc.RetryInfo");
    assert_eq!(body["error"]["details"][0]["retryDelay"], format!("{told}s"));

    let asked = house.upstream_requests();
    let openai = Answer::to(house.openai("hello")).await;
    openai.is_refusal(429, "pool_exhausted");
    openai.took("google", 0);
    openai.says_openai("rate_limit_error", "Last error: Quota exhausted");
    assert_eq!(openai.header("x-should-retry"), "false");
    assert!(openai.retry_after().is_some_and(|seconds| seconds <= told && seconds + 60 > told), "{openai:?}");
    assert_eq!(house.upstream_requests(), asked, "a resting pool asks nobody");

    let pool = house.google().await;
    assert_eq!(pool.states(), [("exhausted", 2)].into());
    let remaining = pool.key("alpha_1")["cooldown_remaining"].as_u64().expect("seconds");
    assert!(remaining <= told, "told {told}, rests {remaining}");
    house.close().await;
}

#[tokio::test]
async fn a_429_without_any_detail_fails_over_and_rests_shortly() {
    use keygate_tests::sim::{Fault, GoogleRow};
    let house = House::open(json!({})).await;
    house.sim.script([Fault::google(GoogleRow::ExhaustedBare).project("alpha").always()]).expect("room");

    for _ in 0..4 {
        assert_eq!(house.generate(FLASH, "hello").await.status, 200);
    }
    assert_eq!(house.counts().google.refused_429, 1);
    let pool = house.google().await;
    assert_eq!(pool.state("alpha_1"), "cooling_down");
    assert_eq!(pool.state("beta_1"), "available");
    house.close().await;
}
