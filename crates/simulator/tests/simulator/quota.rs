//! Quota physics on a clock that moves only by hand.

use std::time::Duration;

use keygate_simulator::{GoogleKey, GoogleProject, MinuteShape, ModelLimits, RunningSimulator, Tier};
use rstest::rstest;
use serde_json::json;

use crate::client::{GENERATE, Reply, limited, populated, post, projects, saying};

fn ask(simulator: &RunningSimulator, key: &str) -> Reply {
    post(simulator, key, GENERATE, &saying("hello"))
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[test]
fn a_minute_is_shared_by_the_keys_of_a_project_and_slides() {
    let limits = ModelLimits { requests_per_minute: Some(2), ..ModelLimits::default() };
    let simulator = populated(projects(vec![limited(&limits)]));
    assert_eq!(ask(&simulator, "alpha-1").status, 200);
    simulator.advance(Duration::from_millis(20_500));
    assert_eq!(ask(&simulator, "alpha-2").status, 200);
    let refused = ask(&simulator, "alpha-1");
    assert_eq!(refused.status, 429);
    let message = refused.at("/error/message");
    assert!(
        message.ends_with("limit: 2, model: gemini-3.8-flash\nPlease retry in 39.500000000s."),
        "{message}"
    );
    let expected = json!([
        {
            "@type": "type.googleapis.com/google.rpc.QuotaFailure",
            "violations": [{
                "quotaMetric": "generativelanguage.googleapis.com/generate_requests_per_model",
                "quotaId": "GenerateRequestsPerMinutePerProjectPerModel",
                "quotaDimensions": {"location": "global", "model": "gemini-3.8-flash"},
                "quotaValue": "2",
            }],
        },
        {
            "@type": "type.googleapis.com/google.rpc.Help",
            "links": [{
                "description": "Learn more about Gemini API quotas",
                "url": "https://ai.google.dev/gemini-api/docs/rate-limits",
            }],
        },
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "39s"},
    ]);
    assert_eq!(refused.json()["error"]["details"], expected);
    simulator.advance(Duration::from_millis(39_499));
    assert_eq!(ask(&simulator, "alpha-1").status, 429);
    simulator.advance(Duration::from_millis(1));
    assert_eq!(ask(&simulator, "alpha-1").status, 200);
    assert_eq!(ask(&simulator, "alpha-1").status, 429);
    assert_eq!(simulator.counts().google.refused_429, 3);
}

#[test]
fn a_minute_of_the_clock_frees_everything_at_its_edge() {
    let limits = ModelLimits { requests_per_minute: Some(2), ..ModelLimits::default() };
    let project = GoogleProject { minute: MinuteShape::Clock, ..limited(&limits) };
    let simulator = populated(projects(vec![project]));
    simulator.advance(seconds(59));
    assert_eq!([ask(&simulator, "alpha-1").status, ask(&simulator, "alpha-1").status], [200, 200]);
    assert!(ask(&simulator, "alpha-1").at("/error/message").ends_with("Please retry in 1.000000000s."));
    simulator.advance(seconds(1));
    assert_eq!([ask(&simulator, "alpha-1").status, ask(&simulator, "alpha-1").status], [200, 200]);
}

#[test]
fn models_count_on_their_own_but_an_alias_shares_its_bucket() {
    let limits = ModelLimits { requests_per_minute: Some(1), ..ModelLimits::default() };
    let simulator = populated(projects(vec![limited(&limits)]));
    let ask = |model: &str| {
        post(&simulator, "alpha-1", &format!("/v1beta/models/{model}:generateContent"), &saying("x"))
    };
    assert_eq!(ask("gemini-3.1-pro-preview").status, 200);
    assert_eq!(ask("gemini-3.8-flash").status, 200);
    let refused = ask("gemini-pro-latest");
    assert_eq!(refused.status, 429);
    assert_eq!(refused.at("/error/details/0/violations/0/quotaDimensions/model"), "gemini-3.1-pro");
}

#[test]
fn the_day_ends_at_midnight_in_california_and_its_retry_delay_lies() {
    let limits = ModelLimits { requests_per_day: Some(1), ..ModelLimits::default() };
    let project = GoogleProject { tier: Tier::Free, ..limited(&limits) };
    let simulator = populated(projects(vec![project]));
    assert_eq!(ask(&simulator, "alpha-1").status, 200);
    let refused = ask(&simulator, "alpha-1");
    let id = "GenerateRequestsPerDayPerProjectPerModel-FreeTier";
    assert_eq!(refused.at("/error/details/0/violations/0/quotaId"), id);
    assert!(refused.text().contains("generate_content_free_tier_requests"));
    assert_eq!(refused.at("/error/details/2/retryDelay"), "22s");
    simulator.advance(seconds(22));
    assert_eq!(ask(&simulator, "alpha-1").status, 429, "the delay it named was a lie");
    simulator.advance(seconds(12 * 3600 - 23));
    assert_eq!(ask(&simulator, "alpha-1").status, 429, "a second before midnight");
    simulator.advance(seconds(1));
    assert_eq!(ask(&simulator, "alpha-1").status, 200);
}

#[test]
fn input_tokens_are_counted_and_more_than_the_limit_never_fits() {
    let limits = ModelLimits { input_tokens_per_minute: Some(10), ..ModelLimits::default() };
    let simulator = populated(projects(vec![limited(&limits)]));
    let ask = |chars: usize| post(&simulator, "alpha-1", GENERATE, &saying(&"x".repeat(chars))).status;
    assert_eq!([ask(32), ask(8), ask(1)], [200, 200, 429]);
    simulator.advance(seconds(60));
    assert_eq!([ask(44), ask(40)], [429, 200], "a request above the limit is poison, and costs nothing");
}

#[test]
fn each_text_of_a_batch_of_embeddings_is_a_request() {
    let limits = ModelLimits { requests_per_minute: Some(3), ..ModelLimits::default() };
    let simulator = populated(projects(vec![limited(&limits)]));
    let ask = |texts: usize| {
        let request = json!({"content": {"parts": [{"text": "x"}]}, "outputDimensionality": 1});
        let body = json!({"requests": vec![request; texts]}).to_string();
        post(&simulator, "alpha-1", "/v1/models/gemini-embedding-001:batchEmbedContents", &body)
    };
    assert_eq!(ask(2).status, 200);
    let refused = ask(2);
    assert_eq!(refused.at("/error/details/0/violations/0/quotaDimensions/model"), "gemini-embedding-1.0");
    assert_eq!(
        refused.at("/error/details/0/violations/0/quotaId"),
        "EmbedContentRequestsPerMinutePerProjectPerModel"
    );
    assert_eq!(ask(1).status, 200);
}

#[test]
fn a_model_that_is_not_on_the_tier_has_limit_zero() {
    let limits = ModelLimits { requests_per_day: Some(0), ..ModelLimits::default() };
    let simulator = populated(projects(vec![limited(&limits)]));
    let refused = ask(&simulator, "alpha-1");
    assert_eq!(refused.at("/error/details/0/violations/0/quotaValue"), "0");
    assert!(refused.at("/error/message").contains("limit: 0,"));
}

#[rstest]
#[case::spend(GoogleProject { spend_tokens_per_10_minutes: Some(6), ..GoogleProject::default() }, "spend-based rate limit", 600)]
#[case::month(GoogleProject { tokens_per_month: Some(6), ..GoogleProject::default() }, "monthly spending cap", 11 * 86_400)]
fn what_answers_cost_counts_afterwards_and_for_all_models(
    #[case] project: GoogleProject,
    #[case] tells: &str,
    #[case] free_after_seconds: u64,
) {
    let keys = vec![GoogleKey::new("alpha-1")];
    let simulator = populated(projects(vec![GoogleProject { name: "alpha".to_owned(), keys, ..project }]));
    assert_eq!(ask(&simulator, "alpha-1").status, 200);
    let refused = post(&simulator, "alpha-1", "/v1/models/gemini-3.5-flash:generateContent", &saying("x"));
    assert_eq!(refused.status, 429);
    assert!(refused.text().contains(tells), "{}", refused.text());
    simulator.advance(seconds(free_after_seconds));
    assert_eq!(ask(&simulator, "alpha-1").status, 200);
}

#[test]
fn counting_tokens_and_listing_models_is_free_of_quota() {
    let limits = ModelLimits { requests_per_minute: Some(0), ..ModelLimits::default() };
    let simulator = populated(projects(vec![limited(&limits)]));
    assert_eq!(ask(&simulator, "alpha-1").status, 429);
    assert_eq!(
        post(&simulator, "alpha-1", "/v1/models/gemini-3.8-flash:countTokens", &saying("x")).status,
        200
    );
}
