//! `keygate plan`: the pool of the configuration in use, on a virtual clock.

use keygate_tests::sim::Endpoints;
use keygate_tests::{Exit, Keygate, SIMULATED_KEYS, configuration};
use serde_json::{Value, json};

/// Two projects, three keys, and what each project may do.
fn yaml(requests_per_minute: u64) -> String {
    let nobody = || "http://127.0.0.1:1".to_owned();
    let nowhere = Endpoints { google: nobody(), anam: nobody(), engine: nobody() };
    let budgets = json!({"default": {"requests_per_minute": requests_per_minute}});
    configuration(&nowhere, &json!({"providers": {"google": {"budgets": budgets}}}))
}

async fn plan(yaml: &str, arguments: &[&str]) -> Exit {
    let whole = [&["plan"], arguments].concat();
    let exit = Keygate::run(&whole, yaml, SIMULATED_KEYS).await;
    for (name, secret) in SIMULATED_KEYS {
        assert!(
            !exit.stdout.contains(secret) && !exit.stderr.contains(secret),
            "the secret of {name} is told"
        );
    }
    exit
}

async fn as_json(yaml: &str, arguments: &[&str]) -> Value {
    let exit = plan(yaml, &[arguments, &["--json"]].concat()).await;
    assert_eq!(exit.status.code(), Some(0), "{}", exit.stderr);
    serde_json::from_str(&exit.stdout).expect("JSON")
}

const BUSY: &[&str] =
    &["--users", "100", "--requests-per-user-per-day", "50", "--profile", "even", "--span", "6h"];

#[tokio::test]
async fn the_configuration_in_use_is_planned_with_and_flags_come_before_it() {
    let told = as_json(&yaml(2), BUSY).await;
    let (scenario, report) = (&told["scenario"], &told["report"]);
    assert_eq!(
        (&scenario["groups"], &scenario["keys"], &scenario["provider"]),
        (&json!(2), &json!(3), &json!("google"))
    );
    let count = |name: &str| report[name].as_u64().expect("a count");
    let by_user = report["refused_by_user"]["total"].as_u64().expect("a count");
    let ends = ["served", "refused_by_pool", "refused_by_provider", "hung_up", "timed_out"].map(count);
    assert_eq!(count("requests"), ends.iter().sum::<u64>() + by_user);
    assert_eq!(count("provider_429s"), 0);
    assert_eq!(report["binds_first"]["metric"], "requests_per_minute");
    assert_eq!(report["hours"].as_array().map(Vec::len), Some(24));
    assert_eq!(told["advice"]["recommendation"], "bigger_tier");
    let change = &told["advice"]["tier"]["limits"][0];
    assert_eq!((&change["of"], &change["now"]), (&json!("every model"), &json!(2)));
    let needed = change["needed"].to_string();
    let enough = as_json(&yaml(2), &[BUSY, &["--requests-per-minute", &needed]].concat()).await;
    assert_eq!(enough["advice"]["is_met"], true, "what was said to be enough is enough: {enough}");
    assert_eq!(enough["advice"]["recommendation"], "nothing");
}

#[tokio::test]
async fn the_text_is_for_people_and_the_same_each_time() {
    let arguments = [BUSY, &["--groups", "4", "--time-zone", "Asia/Jakarta"]].concat();
    let (first, second) = (plan(&yaml(2), &arguments).await, plan(&yaml(2), &arguments).await);
    assert_eq!(first.stdout, second.stdout);
    for words in [
        "google: 4 keys in 4 quota groups, 100 users, 6 hours from 2026-01-01 00:00:00 UTC on",
        "P(refused)",
        "429s from the provider                               0",
        "Binds first: requests_per_minute of any-model (group-",
        "Requests by the hour of the day (Asia/Jakarta)",
        "█",
        "Objective: 99.9 % of requests get a key: missed.",
        "Recommended: the bigger tier.",
    ] {
        assert!(first.stdout.contains(words), "{words} is not in:\n{}", first.stdout);
    }
    assert!(first.stdout.lines().all(|line| line.chars().count() <= 120), "{}", first.stdout);
    assert_eq!(first.stderr, "", "progress is for terminals");
}

#[tokio::test]
async fn a_log_is_planned_as_it_was() {
    let exit = Keygate::run(&["plan", "--log", "keygate.yaml"], "{}", &[]).await;
    assert_eq!(exit.status.code(), Some(64));
    let home = tempfile::tempdir().expect("a folder");
    std::fs::write(home.path().join("keygate.yaml"), yaml(1)).expect("written");
    let log = "time,user,model\n0,ada,gemini-2.5-flash\n1,ada,gemini-2.5-flash\n2,bob,gemini-2.5-flash\n2,bob,gemini-2.5-pro\n";
    std::fs::write(home.path().join("log.csv"), log).expect("written");
    let exit = Keygate::run_in(&home, &["plan", "--log", "log.csv", "--json"], SIMULATED_KEYS).await;
    let told: Value = serde_json::from_str(&exit.stdout).unwrap_or_else(|_| panic!("{exit:?}"));
    assert_eq!((&told["scenario"]["users"], &told["report"]["requests"]), (&json!(2), &json!(4)));
    assert_eq!((&told["report"]["served"], &told["report"]["refused_by_pool"]), (&json!(3), &json!(1)));
}

#[tokio::test]
async fn what_is_typed_wrong_is_told_with_a_remedy() {
    for (arguments, says) in [
        (vec!["--provider", "oracle"], "there is no provider oracle; --provider is one of google, anam"),
        (vec!["--span", "soon"], "not a duration such as 90m, 12h, 30d or 52w"),
        (vec!["--objective", "200%"], "not a share such as 99.9% or 0.999"),
        (vec!["--profile", "1,2,3"], "24 weights"),
        (vec!["--granted", "rpm=3"], "there are requests_per_minute"),
        (vec!["--log", "nowhere.csv"], "nowhere.csv: cannot be read"),
        (vec!["--log", "x", "--users", "3"], "cannot be used with"),
        (vec!["--config", "nowhere.yaml"], "correct --config"),
    ] {
        let exit = plan(&yaml(1), &arguments).await;
        assert_eq!(exit.status.code(), Some(64), "{arguments:?}: {exit:?}");
        assert!(exit.stderr.contains(says), "{arguments:?} does not say {says:?}: {}", exit.stderr);
    }
    let nobody = Keygate::run(&["plan"], "{}", &[]).await;
    assert_eq!(nobody.status.code(), Some(64));
    assert!(nobody.stderr.contains("google has no key to plan with"), "{}", nobody.stderr);
    let anybody = Keygate::run(&["plan", "--groups", "1", "--span", "1h", "--users", "5"], "{}", &[]).await;
    assert_eq!(anybody.status.code(), Some(0), "{}", anybody.stderr);
    assert!(anybody.stdout.contains("No limit is configured or given"), "{}", anybody.stdout);
}
