//! Keys whose project nobody declared: what the provider says of them is learned, told, and kept.

use keygate_tests::eventually;
use keygate_tests::sim::{
    Action, Fault, GoogleConfig, GoogleKey, GoogleProject, ModelLimits, Population, RunningSimulator,
    ScriptedAnswer,
};
use serde_json::{Value, json};

use super::pool::Pool;
use super::stage::{FLASH, House, PRO};

const ONE_PROJECT: &str = "keys 1 and 3 are one project: this pool is 2 budgets, not 3";
const PROJECT: &str = "projects/700000000001";

/// Two keys of one project and one of another, and nothing that says so.
fn undeclared() -> Value {
    let key = |name: &str| json!({"secret": format!("env:{name}"), "label": name.to_lowercase()});
    let budgets = json!({"models": {PRO: {"requests_per_minute": 60}}});
    json!({
        "limits": {"per_user": {"requests_per_minute": 1000, "max_concurrent": 1000}},
        "providers": {"google": {"keys": [key("ALPHA_1"), key("BETA_1"), key("ALPHA_2")], "budgets": budgets}},
    })
}

/// A refusal of the service infrastructure, which names the project as well as the quota.
fn refusal() -> Value {
    let service = "generativelanguage.googleapis.com";
    json!({"error": {
        "code": 429,
        "status": "RESOURCE_EXHAUSTED",
        "message": format!("Quota exceeded for quota metric 'Generate Content API requests per minute' of service '{service}'."),
        "details": [
            {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "RATE_LIMIT_EXCEEDED",
                "domain": "googleapis.com",
                "metadata": {"service": service, "consumer": PROJECT},
            },
            {
                "@type": "type.googleapis.com/google.rpc.QuotaFailure",
                "violations": [{
                    "quotaId": "GenerateRequestsPerMinutePerProjectPerModel-FreeTier",
                    "quotaDimensions": {"location": "global", "model": PRO},
                    "quotaValue": "15",
                }],
            },
        ],
    }})
}

/// Both keys of `alpha` are told once whose they are.
fn name_the_project(sim: &RunningSimulator) {
    let faults = ["sim-google-alpha-1", "sim-google-alpha-2"].map(|key| {
        let answer = ScriptedAnswer { status: Some(429), body: Some(refusal()), ..ScriptedAnswer::default() };
        Fault::new(Action::Answer(answer)).key(key).model(PRO)
    });
    sim.script(faults).expect("room");
}

fn warnings(pool: &Pool) -> Vec<&str> {
    let all = pool.0["warnings"].as_array().expect("a list");
    all.iter().map(|warning| warning["text"].as_str().expect("a sentence")).collect()
}

fn knows_the_project(pool: &Pool) {
    assert_eq!(pool.0["groups"], 2, "{pool:?}");
    for label in ["alpha_1", "alpha_2"] {
        let key = pool.key(label);
        assert_eq!((&key["group"], &key["tier"]), (&json!(PROJECT), &json!("free")), "{key}");
        let [stated] = key["stated_limits"].as_array().expect("a list").as_slice() else { panic!("{key}") };
        assert_eq!((&stated["model"], &stated["limit"]), (&json!(PRO), &json!(15)));
        assert_eq!((&stated["configured"], &stated["confidence"]), (&json!(60), &json!(50)));
    }
    let differs = format!("{PROJECT} has requests_per_minute: 60 for {PRO}, the provider states 15");
    let mut told = warnings(pool);
    told.sort_unstable();
    assert_eq!(told, [ONE_PROJECT, differs.as_str()]);
    let one_project = pool.0["warnings"].as_array().expect("a list");
    let one_project = one_project.iter().find(|warning| warning["kind"] == "one_project").expect("told");
    let keys = one_project["keys"].as_array().expect("a list").iter();
    let labels: Vec<&str> = keys.filter_map(|key| key["label"].as_str()).collect();
    assert_eq!(labels, ["alpha_1", "alpha_2"]);
}

#[tokio::test]
async fn keys_that_turn_out_to_be_one_project_are_told_counted_together_and_remembered() {
    let house = House::open(undeclared()).await;
    let pool = house.google().await;
    assert_eq!((&pool.0["groups"], warnings(&pool).len()), (&json!(3), 0));

    name_the_project(&house.sim);
    house.generate(PRO, "hello").await.is_providers("google", 200, 2);
    for _ in 0..3 {
        assert_eq!(house.generate(PRO, "hello").await.status, 200);
    }
    knows_the_project(&house.google().await);
    eventually("the log tells it", async || {
        let log = house.gateway.stderr();
        let line = log.lines().find(|line| line.contains(ONE_PROJECT))?.to_owned();
        assert!(line.contains("WARN") && line.contains(&format!("google: {ONE_PROJECT}")), "{line}");
        Some(())
    })
    .await;

    let house = house.restarted().await;
    knows_the_project(&house.google().await);

    let five =
        ModelLimits { model: FLASH.to_owned(), requests_per_minute: Some(5), ..ModelLimits::default() };
    let keys = ["sim-google-alpha-1", "sim-google-alpha-2"].map(GoogleKey::new).to_vec();
    let alpha = GoogleProject { keys, limits: vec![five], ..GoogleProject::named("alpha") };
    let google = GoogleConfig { projects: vec![alpha] };
    house.sim.declare(Population { google, ..Population::empty() }).expect("the project can be replaced");
    let before = house.counts().google.refused_429;
    for _ in 0..16 {
        assert_eq!(house.generate(FLASH, "hello").await.status, 200);
    }
    assert_eq!(house.counts().google.refused_429, before + 1, "one refusal speaks for both keys");
    house.close().await;
}
