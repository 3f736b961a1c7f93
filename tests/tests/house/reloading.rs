//! Another configuration while the house serves: no request fails for it, and nothing that is known is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use keygate_tests::sim::{GoogleConfig, GoogleKey, GoogleProject, GoogleRow, KeyState, Population};
use keygate_tests::{configuration, eventually, simulator};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::answer::{Answer, Read, begun, json_body};
use super::stage::{FLASH, House, chat, client, generate_path, states};

const ADMIN: (&str, &str) = ("KEYGATE_ADMIN_TOKEN", "kg_the_admin_of_this_house");
const RELOAD: &str = "/api/keys/reload";

const ALPHA: &str = "sim-google-alpha-1";
const BETA: &str = "sim-google-beta-1";

fn key(variable: &str, group: &str) -> Value {
    json!({"secret": format!("env:{variable}"), "label": variable.to_lowercase(), "group": group})
}

/// These keys, and users who may ask as often as they like.
fn keys(keys: &[Value]) -> Value {
    json!({
        "providers": {"google": {"keys": keys}},
        "limits": {"per_user": {"requests_per_minute": 100_000, "burst": 100_000, "max_concurrent": 1000}},
    })
}

async fn house(changes: Value) -> House {
    House::before(simulator(), changes, &[ADMIN]).await
}

impl House {
    /// Writes another `keygate.yaml`.
    fn configure(&self, changes: &Value) {
        self.gateway.write("keygate.yaml", &configuration(self.sim.endpoints(), changes));
    }

    /// `POST /api/keys/reload` as an operator.
    async fn reload(&self) -> Answer {
        Answer::to(self.post(RELOAD, &json!({})).bearer_auth(ADMIN.1)).await
    }

    /// The labels of Gemini's keys.
    async fn labels(&self) -> Vec<String> {
        let pool = self.pool_now("google").await;
        let keys = pool.0["keys"].as_array().expect("a list of keys").iter();
        keys.map(|key| key["label"].as_str().expect("a label").to_owned()).collect()
    }

    /// Waits until the running house has these keys.
    async fn has(&self, labels: &[&str]) {
        eventually("the keys are reloaded", async || (self.labels().await == labels).then_some(())).await;
    }
}

/// Backends that ask without a pause until they are stopped.
struct Load {
    backends: Vec<JoinHandle<Vec<String>>>,
    is_over: Arc<AtomicBool>,
    served: Arc<AtomicUsize>,
}

impl Load {
    fn start(house: &House) -> Self {
        let (is_over, served) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let backend = |_| {
            let (is_over, served) = (Arc::clone(&is_over), Arc::clone(&served));
            let url = house.gateway.url(&generate_path(FLASH));
            tokio::spawn(async move {
                let mut failed = Vec::new();
                let http = client();
                while !is_over.load(Ordering::SeqCst) {
                    let answer = Answer::to(json_body(http.post(&url), &chat("hello"))).await;
                    if answer.status == 200 {
                        served.fetch_add(1, Ordering::SeqCst);
                    } else {
                        failed.push(format!("{answer:?}"));
                    }
                }
                failed
            })
        };
        Self { backends: (0..4).map(backend).collect(), is_over, served }
    }

    /// Waits until more requests were served from now on.
    async fn goes_on(&self) {
        let enough = self.served.load(Ordering::SeqCst) + 20;
        let went_on = async || (self.served.load(Ordering::SeqCst) >= enough).then_some(());
        eventually("the load is served", went_on).await;
    }

    /// Ends it; no request may have failed.
    async fn end(self) {
        self.is_over.store(true, Ordering::SeqCst);
        for backend in self.backends {
            let failed = backend.await.expect("a backend ends");
            assert!(failed.is_empty(), "{failed:?}");
        }
    }
}

#[tokio::test]
async fn a_key_that_is_added_under_load_serves_and_no_request_fails() {
    adds_a_key_under_load(2).await;
}

#[tokio::test]
async fn so_it_does_with_an_only_worker_that_has_the_actors_on_its_own_thread() {
    adds_a_key_under_load(1).await;
}

async fn adds_a_key_under_load(workers: u32) {
    let alpha = key("ALPHA_1", "alpha");
    let with = |list: &[Value]| {
        let mut changes = keys(list);
        changes["server"] = json!({ "workers": workers });
        changes
    };
    let house = house(with(std::slice::from_ref(&alpha))).await;
    let load = Load::start(&house);
    load.goes_on().await;
    assert_eq!(house.asked(BETA), 0);
    house.configure(&with(&[alpha, key("BETA_1", "beta")]));
    house.has(&["alpha_1", "beta_1"]).await;
    load.goes_on().await;
    load.end().await;
    assert!(house.asked(BETA) > 0);
    let pool = house.google().await;
    pool.blames_nobody();
    assert_eq!(pool.ledger("settled"), house.upstream_requests());
    house.close().await;
}

#[tokio::test]
async fn a_key_that_is_removed_under_load_finishes_its_stream_and_serves_no_more() {
    let house = house(keys(&[key("ALPHA_1", "alpha")])).await;
    let (stream, first) = begun(house.stream("stream 200 every 20ms")).await;
    let load = Load::start(&house);
    load.goes_on().await;
    house.configure(&keys(&[key("BETA_1", "beta")]));
    let told = house.reload().await;
    assert_eq!(told.status, 200, "{told:?}");
    let expected = json!({"google": {"added": ["beta_1"], "removed": ["alpha_1"], "kept": 0}});
    assert_eq!(told.json()["keys"], expected);
    assert_eq!(house.labels().await, ["beta_1"]);
    load.goes_on().await;
    load.end().await;
    let asked = house.asked(ALPHA);
    house.generate(FLASH, "hello").await.is_providers("google", 200, 1);
    assert_eq!(house.asked(ALPHA), asked, "nobody gets the removed key");

    let rest = Read::to_end(stream).await;
    assert!(rest.is_complete, "the stream ended early: {}", rest.text());
    let text = String::from_utf8_lossy(&first).into_owned() + &rest.text();
    assert!(text.contains("event 200 of 200"), "{text}");
    let pool = house.google().await;
    assert_eq!((&pool.0["draining"], pool.ledger("lost")), (&json!(0), 0));
    assert_eq!(pool.ledger("settled"), house.upstream_requests(), "each is in the books");
    house.close().await;
}

#[tokio::test]
async fn a_secret_replaced_in_its_file_is_a_new_key_and_a_kept_key_is_not_forgiven() {
    let house = house(keys(&[key("ALPHA_1", "alpha")])).await;
    house.gateway.write("team.txt", &format!("# the team's\n{ALPHA}\n"));
    let file = json!({"secret": "file:team.txt", "label": "team", "group": "alpha"});
    house.configure(&keys(&[file, key("BETA_1", "beta")]));
    house.has(&["team", "beta_1"]).await;

    // A bad key is found out and replaced in its file: the new one starts afresh, the other stays as it is.
    let bad = |keys: &[&str]| {
        states(&keys.iter().map(|key| (*key, KeyState::Google(GoogleRow::KeyInvalid))).collect::<Vec<_>>())
    };
    house.sim.declare(bad(&[ALPHA, BETA])).expect("known keys");
    house.generate(FLASH, "hello").await.is_refusal(503, "pool_disabled");
    assert_eq!(house.google().await.states(), [("disabled", 2)].into());
    house.gateway.write("team.txt", "sim-google-alpha-2\n");
    let replaced = async || {
        let pool = house.pool_now("google").await;
        (pool.state("team") == "available").then_some(pool)
    };
    let pool = eventually("the new secret is in use", replaced).await;
    assert_eq!(pool.state("beta_1"), "disabled", "a key that stays is not forgiven");
    let answer = house.generate(FLASH, "hello").await;
    answer.is_providers("google", 200, 1);
    assert_eq!(answer.header("x-keygate-key"), pool.id("team"));
    assert_eq!(house.asked("sim-google-alpha-2"), 1);
    house.close().await;
}

#[tokio::test]
async fn the_env_file_is_watched_also_before_there_is_one() {
    let changes =
        json!({"providers": {"google": {"keys": [key("ALPHA_1", "alpha")], "keys_from_env": true}}});
    let house = house(changes).await;
    assert_eq!(house.labels().await, ["alpha_1"]);
    house.gateway.write(".env", &format!("GEMINI_API_KEYS={BETA}\n"));
    house.has(&["alpha_1", "gemini-api-keys"]).await;
    house.gateway.write(".env", &format!("GEMINI_API_KEYS={BETA},sim-google-alpha-2\n"));
    house.has(&["alpha_1", "gemini-api-keys-1", "gemini-api-keys-2"]).await;
    house.gateway.write(".env", "# none\n");
    house.has(&["alpha_1"]).await;
    house.close().await;
}

#[tokio::test]
async fn sighup_reloads_at_once_and_ends_nothing() {
    let house = house(keys(&[key("ALPHA_1", "alpha")])).await;
    house.configure(&keys(&[key("ALPHA_1", "alpha"), key("BETA_1", "beta")]));
    house.gateway.signal("HUP").await;
    house.has(&["alpha_1", "beta_1"]).await;
    house.gateway.signal("HUP").await;
    let told = async || house.gateway.stderr().contains("nothing changed").then_some(());
    eventually("the second one is read too", told).await;
    house.generate(FLASH, "hello").await.is_providers("google", 200, 1);
    house.close().await;
}

#[tokio::test]
async fn strategy_limits_tokens_and_deadlines_change_at_once() {
    let three = [key("ALPHA_1", "alpha"), key("ALPHA_2", "alpha"), key("BETA_1", "beta")];
    let house = house(keys(&three)).await;
    let mut backups = three.clone();
    backups[0]["role"] = json!("backup");
    backups[1]["role"] = json!("backup");
    let mut changes = keys(&backups);
    changes["providers"]["google"]["strategy"] = json!("primary_backup");
    changes["providers"]["google"]["timeout"] = json!("77s");
    changes["limits"] = json!({"per_user": {"requests_per_minute": 3}});
    changes["clients"] = json!({"auth": "required", "tokens": [
        {"name": "shop", "sha256": "47ca3b49d3221bf8b3360a29a5665ac182b52cf51a3d98837d2f1547e5d62a4d"},
    ]});
    house.configure(&changes);
    let told = house.reload().await.json();
    let expected = [
        "clients",
        "limits.per_user",
        "providers.google.keys",
        "providers.google.strategy",
        "providers.google.timeout",
    ];
    assert_eq!(told["changed"], json!(expected), "{told}");

    house.generate(FLASH, "hello").await.is_refusal(401, "unauthenticated");
    let ask = || house.post(&generate_path(FLASH), &chat("hello")).bearer_auth("kg_chat_only");
    for _ in 0..3 {
        let answer = Answer::to(ask()).await;
        answer.is_providers("google", 200, 1);
        assert_eq!(answer.header("ratelimit-policy"), "\"user\";q=3;w=60");
    }
    assert_eq!(house.asked(BETA), 3, "the only primary");
    Answer::to(ask()).await.is_refusal(429, "user_limited");
    house.close().await;
}

#[tokio::test]
async fn what_needs_a_restart_is_told_and_does_not_stop_the_rest() {
    let house = house(keys(&[key("ALPHA_1", "alpha")])).await;
    let mut changes = keys(&[key("ALPHA_1", "alpha"), key("BETA_1", "beta")]);
    changes["server"] = json!({"workers": 5, "max_body": "2KiB"});
    changes["telemetry"] = json!({"log": {"format": "json"}});
    house.configure(&changes);
    let told = house.reload().await.json();
    assert_eq!(told["needs_restart"], json!(["server.workers", "telemetry"]), "{told}");
    assert_eq!(told["changed"], json!(["server.max_body", "providers.google.keys"]));
    assert!(told["message"].as_str().is_some_and(|message| message.contains("need a restart")), "{told}");
    assert_eq!(house.labels().await, ["alpha_1", "beta_1"]);
    let too_long = house.generate(FLASH, &"x".repeat(3000)).await;
    too_long.is_refusal(413, "too_large");
    let status = Answer::to(house.get("/api/keys/status")).await.json();
    assert_eq!(status["config"]["needs_restart"], told["needs_restart"]);
    let logged = async || house.gateway.stderr().contains("server.workers, telemetry").then_some(());
    eventually("the log tells what needs a restart", logged).await;
    house.close().await;
}

#[tokio::test]
async fn a_new_key_reaches_no_log_even_when_the_provider_prints_it() {
    let house = house(keys(&[key("ALPHA_1", "alpha")])).await;
    let planted = "planted-after-the-start-0123456789";
    let project = GoogleProject { keys: vec![GoogleKey::new(planted)], ..GoogleProject::named("gamma") };
    let population = Population { google: GoogleConfig { projects: vec![project] }, ..Population::empty() };
    house.sim.declare(population).expect("a project can be added");
    let suspended = KeyState::Google(GoogleRow::ConsumerSuspended);
    house.sim.declare(states(&[(planted, suspended)])).expect("a known key");
    house.gateway.write("team.txt", &format!("{planted}\n"));
    house.configure(&keys(&[json!({"secret": "file:team.txt", "label": "team", "group": "gamma"})]));
    house.has(&["team"]).await;
    let path = format!("{}?key={planted}", generate_path(FLASH));
    let answer = Answer::to(house.post(&path, &chat("hello"))).await;
    assert!(!answer.text().contains(planted), "{answer:?}");
    let refused = Answer::to(house.get(&format!("/no/such/{planted}"))).await;
    refused.is_refusal(404, "not_found");
    house.google().await;
    let exit = house.gateway.stop().await;
    assert!(exit.stderr.contains("keys reloaded"), "{}", exit.stderr);
    assert!(!exit.stderr.contains(planted), "{}", exit.stderr);
}
