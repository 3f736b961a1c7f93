//! `keygate usage`: what operators are told on the command line, by the gateway or by the database alone.

use keygate_tests::{Exit, Keygate, simulator};
use serde_json::{Value, json};

use super::answer::Answer;
use super::ledger::holds;
use super::stage::{FLASH, House, PRO, chat, generate_path};

const ADMIN: &str = "an-admin-token-of-some-length";

/// Four requests of three users for two models, which the ledger has.
async fn used() -> House {
    let house = House::before(simulator(), json!({}), &[("KEYGATE_ADMIN_TOKEN", ADMIN)]).await;
    for (user, model) in [("ann", FLASH), ("ann", FLASH), ("=ben", FLASH), ("cyd", PRO)] {
        let request = house.post(&generate_path(model), &chat("hello")).header("x-user-id", user);
        assert_eq!(Answer::to(request).await.status, 200);
    }
    holds(house.gateway.home(), 4).await;
    house
}

/// From elsewhere, where there is no database.
async fn asked(house: &House, arguments: &[&str], token: &str) -> Exit {
    let url = house.gateway.url("");
    let arguments = [&["usage", "--url", &url], arguments].concat();
    Keygate::run(&arguments, "", &[("KEYGATE_ADMIN_TOKEN", token)]).await
}

async fn beside(house: &House, arguments: &[&str]) -> String {
    let exit = house.gateway.beside(&[&["usage"], arguments].concat()).await;
    assert_eq!(exit.status.code(), Some(0), "{}", exit.stderr);
    exit.stdout
}

#[tokio::test]
async fn the_gateway_and_the_database_alone_tell_the_same_as_the_api() {
    let house = used().await;
    for by in ["user", "client", "key", "model", "day"] {
        let api = house.get(&format!("/api/usage?group_by={by}&format=csv")).bearer_auth(ADMIN);
        let api = Answer::to(api).await.text();
        assert_eq!(beside(&house, &["--by", by, "--csv"]).await, api, "to the byte");
        let exit = asked(&house, &["--by", by, "--csv"], ADMIN).await;
        assert_eq!((exit.status.code(), exit.stdout), (Some(0), api), "{}", exit.stderr);
    }
    let api = house.get("/api/usage?group_by=model").bearer_auth(ADMIN);
    let api = Answer::to(api).await.json();
    let told: Value =
        serde_json::from_str(&beside(&house, &["--by", "model", "--json"]).await).expect("JSON");
    assert_eq!((&told["rows"], &told["total"]), (&api["rows"], &api["total"]));
    let exit = asked(&house, &["--by", "model", "--json"], ADMIN).await;
    let told: Value = serde_json::from_str(&exit.stdout).expect("JSON");
    assert_eq!((&told["rows"], &told["total"]), (&api["rows"], &api["total"]));

    let (_, home) = house.gateway.leave().await;
    let exit = Keygate::run_in(&home, &["usage", "--from", "2020-01-01"], &[]).await;
    assert_eq!(exit.status.code(), Some(0), "without a gateway, too: {}", exit.stderr);
    let lines: Vec<&str> = exit.stdout.lines().collect();
    assert!(lines[0].starts_with("Used by user, 2020-01-01 00:00 UTC to "), "{}", exit.stdout);
    assert!(lines[2].contains("requests") && lines[2].contains("tokens"), "{}", exit.stdout);
    let of = |name: &str| lines.iter().find(|line| line.starts_with(&format!("│ {name} "))).expect("a row");
    assert!(of("ann").contains(&"█".repeat(24)) && of("ann").contains(" 2 "), "{}", exit.stdout);
    assert!(of("total").contains(" 4 "), "{}", exit.stdout);
    assert!(!exit.stdout.contains('\u{1b}'), "no colours in a pipe");
}

#[tokio::test]
async fn what_cannot_be_told_says_what_to_do() {
    let house = used().await;
    let exit = asked(&house, &[], "the-wrong-admin-token").await;
    assert_eq!(exit.status.code(), Some(64), "{}", exit.stderr);
    assert!(exit.stderr.contains("KEYGATE_ADMIN_TOKEN"), "{}", exit.stderr);
    let exit = asked(&house, &["--from", "yesterday"], ADMIN).await;
    assert_eq!(exit.status.code(), Some(64), "{}", exit.stderr);
    assert!(exit.stderr.contains("such as 2026-11-01"), "{}", exit.stderr);
    let exit = house.gateway.beside(&["usage", "--to", "2020-01-01"]).await;
    assert_eq!(exit.status.code(), Some(64), "{}", exit.stderr);
    assert!(exit.stderr.contains("later than"), "{}", exit.stderr);
    let exit = house.gateway.beside(&["usage", "--by", "colour"]).await;
    assert_eq!(exit.status.code(), Some(64), "{}", exit.stderr);
    assert!(exit.stderr.contains("user, client, key, model or day"), "{}", exit.stderr);

    let nowhere = ["usage", "--url", "http://127.0.0.1:1"];
    let exit = Keygate::run(&nowhere, "", &[("KEYGATE_ADMIN_TOKEN", ADMIN)]).await;
    assert_eq!(exit.status.code(), Some(69), "{}", exit.stderr);
    assert!(exit.stderr.contains("No gateway answers at"), "{}", exit.stderr);
    let yaml = "server: {bind: \"127.0.0.1:1\"}";
    let exit = Keygate::run(&["usage"], yaml, &[("KEYGATE_ADMIN_TOKEN", ADMIN)]).await;
    assert_eq!(exit.status.code(), Some(74), "{}", exit.stderr);
    assert!(exit.stderr.contains("No gateway answers at"), "{}", exit.stderr);
    assert!(exit.stderr.contains("there is no database"), "{}", exit.stderr);
    house.close().await;
}
