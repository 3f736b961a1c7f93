//! What operators and machines read: health, readiness, and the keys.

use std::net::{IpAddr, UdpSocket};

use keygate_tests::sim::{Fault, GoogleRow};
use keygate_tests::{Keygate, SIMULATED_KEYS, configuration, eventually, keygate_binary, simulator};
use serde_json::json;

use super::answer::Answer;
use super::process::Process;
use super::stage::{FLASH, House, client};

#[tokio::test]
async fn a_fresh_house_tells_that_all_is_well() {
    let house = House::open(json!({})).await;
    let health = Answer::to(house.get("/healthz")).await;
    assert_eq!((health.status, health.json()), (200, json!({"status": "ok"})));
    let ready = Answer::to(house.get("/readyz")).await;
    let providers = json!({"google": "ready", "anam": "ready"});
    let expected = json!({"status": "ready", "providers": providers, "storage": "ready"});
    assert_eq!((ready.status, ready.json()), (200, expected));
    let all = Answer::to(house.get("/api/keys/status")).await;
    let mut told = all.json();
    let config = told.as_object_mut().and_then(|told| told.remove("config")).expect("the configuration");
    assert!(config["loaded_at"].as_str().is_some_and(|at| at.ends_with('Z')), "{config}");
    assert_eq!((&config["problem"], &config["needs_restart"]), (&json!(null), &json!([])));
    let ledger = told.as_object_mut().and_then(|told| told.remove("ledger")).expect("the ledger");
    assert_eq!(
        (&ledger["status"], &ledger["entered"], &ledger["unclean_end"]),
        (&json!("ok"), &json!(0), &json!(null))
    );
    let expected = json!({"status": "ok", "api_keys": {
        "google": {"total": 3, "available": 3, "cooling_down": 0, "exhausted": 0, "disabled": 0},
        "anam": {"total": 2, "available": 2, "cooling_down": 0, "exhausted": 0, "disabled": 0},
    }, "storage": {"status": "ok", "reason": null}});
    assert_eq!((all.status, told), (200, expected));
    let counts = house.counts();
    assert_eq!((counts.google.requests, counts.anam.requests), (0, 0), "looking costs nothing");
    house.close().await;
}

#[tokio::test]
async fn each_key_is_told_in_the_words_of_the_contract() {
    let house = House::open(json!({})).await;
    house.generate(FLASH, "hello").await.is_providers("google", 200, 1);
    house.google().await;
    let [by_name, by_alias] =
        ["/api/google/status", "/api/gemini/status"].map(|path| Answer::to(house.get(path)));
    let (by_name, by_alias) = (by_name.await.json(), by_alias.await.json());
    assert_eq!(by_name, by_alias);
    for (field, expected) in
        [("total_keys", 3), ("available_keys", 3), ("failed_keys", 0), ("current_index", 0)]
    {
        assert_eq!(by_name[field], expected, "{field} of {by_name}");
    }
    let key = &by_name["keys"][0];
    let expected = [
        ("index", json!(0)),
        ("key_preview", json!("sim...")),
        ("is_failed", json!(false)),
        ("failed_at", json!(null)),
        ("cooldown_remaining", json!(0)),
        ("label", json!("alpha_1")),
        ("group", json!("alpha")),
        ("health", json!(100)),
        ("state", json!("available")),
        ("reason", json!(null)),
        ("resting", json!([])),
        ("until", json!(null)),
    ];
    for (field, expected) in expected {
        assert_eq!(key[field], expected, "{field} of {key}");
    }
    assert_eq!(key["counts"]["served"], 1);
    assert_eq!(key["counts"]["in_flight"], 0);
    house.close().await;
}

#[tokio::test]
async fn fewer_keys_are_told_as_degraded_and_none_as_down() {
    let house = House::open(json!({})).await;
    let word = async || Answer::to(house.get("/api/keys/status")).await.json();
    house.sim.script([Fault::google(GoogleRow::KeyInvalid).project("alpha").always()]).expect("room");
    for _ in 0..4 {
        assert_eq!(house.generate(FLASH, "hello").await.status, 200);
    }
    house.google().await;
    let degraded = word().await;
    assert_eq!(
        (&degraded["status"], &degraded["api_keys"]["google"]["available"]),
        (&json!("degraded"), &json!(1))
    );
    assert_eq!(Answer::to(house.get("/readyz")).await.status, 200);

    house.sim.script([Fault::google(GoogleRow::KeyInvalid).always()]).expect("room");
    house.generate(FLASH, "hello").await.is_refusal(503, "pool_disabled");
    house.google().await;
    let down = word().await;
    assert_eq!((&down["status"], &down["api_keys"]["google"]["disabled"]), (&json!("down"), &json!(3)));
    assert_eq!(down["api_keys"]["anam"]["available"], 2, "one provider's trouble is not the other's");
    house.close().await;
}

#[tokio::test]
async fn a_provider_nobody_configured_is_told_so() {
    let house = House::open(json!({})).await;
    let status = Answer::to(house.get("/api/acme/status")).await;
    status.is_refusal(404, "not_found");
    status.says_house("No provider acme is configured");
    house.close().await;
}

#[tokio::test]
async fn a_request_id_of_the_caller_is_kept_and_another_is_made() {
    let house = House::open(json!({})).await;
    let kept = Answer::to(house.openai("hello").header("x-request-id", "order-17.3")).await;
    assert_eq!(kept.header("x-request-id"), "order-17.3");
    let made = Answer::to(house.openai("hello").header("x-request-id", "<script>")).await;
    assert_eq!(made.header("x-request-id").len(), 36, "{made:?}");
    let refused = Answer::to(house.get("/no/such").header("x-request-id", "order-18")).await;
    assert_eq!(refused.header("x-request-id"), "order-18");
    house.close().await;
}

#[tokio::test]
async fn the_start_is_told_with_numbers_of_keys_and_groups() {
    let house = House::open(json!({})).await;
    let lines = [
        "google: configured with 3 keys in 2 quota groups",
        "anam: configured with 2 keys in 2 quota groups",
    ];
    let told = async || lines.iter().all(|line| house.gateway.stderr().contains(line)).then_some(());
    eventually("the log tells both pools", told).await;
    house.close().await;
}

#[tokio::test]
async fn a_provider_without_keys_ends_the_start_with_every_place_looked_at() {
    let sim = simulator();
    let yaml = configuration(
        sim.endpoints(),
        &json!({"providers": {"google": {"keys": [], "keys_from_env": true}}}),
    );
    let exit = Keygate::run(&["serve"], &yaml, SIMULATED_KEYS).await;
    assert_eq!(exit.status.code(), Some(64), "{}", exit.stderr);
    for place in ["GEMINI_API_KEYS", "GEMINI_KEYS", "GEMINI_API_KEY", "GOOGLE_API_KEY"] {
        assert!(exit.stderr.contains(place), "{place} is not named: {}", exit.stderr);
    }
}

/// The address this machine has on a network; none where it has only loopback, and then nobody can be elsewhere.
pub(crate) fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    // Chooses a route and sends nothing.
    socket.connect("192.0.2.1:9").ok()?;
    socket
        .local_addr()
        .ok()
        .map(|address| address.ip())
        .filter(|ip| !ip.is_loopback() && !ip.is_unspecified())
}

#[tokio::test]
async fn peers_on_the_network_need_a_token_to_see_the_keys() {
    let Some(address) = own_address() else { return };
    let sim = simulator();
    let yaml = |public: bool| configuration(sim.endpoints(), &json!({"server": {"status_public": public}}));
    let env = [("KEYGATE_CLIENT_TOKENS", "kg_first"), ("KEYGATE_ADMIN_TOKEN", "kg_the_admin_of_this_house")];
    let env = [SIMULATED_KEYS, &env].concat();
    let closed = Process::serve(keygate_binary(), "0.0.0.0:0", &yaml(false), &env).await;
    let public = Process::serve(keygate_binary(), "0.0.0.0:0", &yaml(true), &env).await;
    let seen_from_afar = |gateway: &Process| gateway.url.replace("127.0.0.1", &address.to_string());
    for path in ["/api/keys/status", "/api/google/status", "/metrics"] {
        let ask = || client().get(format!("{}{path}", seen_from_afar(&closed)));
        let stranger = Answer::to(ask()).await;
        stranger.is_refusal(401, "unauthenticated");
        stranger.says_house("token");
        assert_ne!(Answer::to(ask().bearer_auth("kg_wrong")).await.status, 200);
        assert_eq!(Answer::to(ask().bearer_auth("kg_first")).await.status, 200);
        assert_eq!(Answer::to(ask().header("x-keygate-admin-token", env[env.len() - 1].1)).await.status, 200);
        assert_eq!(Answer::to(client().get(format!("{}{path}", seen_from_afar(&public)))).await.status, 200);
    }
    for path in ["/healthz", "/readyz"] {
        assert_eq!(Answer::to(client().get(format!("{}{path}", seen_from_afar(&closed)))).await.status, 200);
    }
}
