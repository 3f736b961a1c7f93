//! What operators are told who ask which key a request would get: by HTTP and by command line.

use keygate_tests::sim::{Fault, GoogleRow};
use keygate_tests::{Keygate, SIMULATED_KEYS, configuration, keygate_binary, simulator};
use serde_json::{Value, json};

use super::answer::Answer;
use super::process::Process;
use super::stage::{FLASH, House, chat, client, generate_path};
use super::status::own_address;

/// What the gateway explains.
async fn explain(house: &House, provider: &str, query: &str) -> Value {
    let answer = Answer::to(house.get(&format!("/api/{provider}/explain?{query}"))).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

fn key<'a>(told: &'a Value, label: &str) -> &'a Value {
    let mut keys = told["keys"].as_array().expect("a list of keys").iter();
    keys.find(|key| key["label"] == label).expect("the key")
}

/// Runs the command against a gateway.
async fn command(house: &House, arguments: &[&str]) -> keygate_tests::Exit {
    let url = house.gateway.url("");
    let arguments = [&["keys", "explain"], arguments, &["--url", &url]].concat();
    Keygate::run(&arguments, "", &[]).await
}

#[tokio::test]
async fn the_key_that_is_told_is_the_key_that_serves() {
    let house =
        House::open(json!({"providers": {"google": {"budgets": {"default": {"requests_per_day": 9}}}}}))
            .await;
    let model = format!("model={FLASH}");
    for used in 0..4 {
        let told = explain(&house, "gemini", &model).await;
        assert_eq!((&told["answer"]["outcome"], &told["usable_keys"]), (&json!("key"), &json!(3)), "{told}");
        assert_eq!(told["operation"], "generate_content");
        let budgets = told["keys"].as_array().into_iter().flatten().map(|key| &key["budgets"][0]);
        let left: u64 = budgets.filter_map(|budget| budget["remaining"].as_u64()).sum();
        // Two keys are of one project: its budget is told with each of them.
        assert!((27 - 2 * used..=27 - used).contains(&left), "{told}");
        let answer = house.generate(FLASH, "hello").await;
        assert_eq!(answer.header("x-keygate-key"), told["answer"]["key"], "{told}");
    }
    assert_eq!(house.upstream_requests(), 4, "explaining costs nothing");
    house.close().await;
}

#[tokio::test]
async fn why_not_and_until_when_is_told_with_each_key() {
    let house = House::open(json!({"providers": {"google": {"strategy": "primary_backup"}}})).await;
    house
        .sim
        .script([
            Fault::google(GoogleRow::KeyInvalid).project("beta").always(),
            Fault::google(GoogleRow::MinuteRequests).project("alpha").always(),
        ])
        .expect("room");
    house.generate(FLASH, "hello").await.is_refusal(429, "pool_exhausted");
    let told = explain(&house, "google", &format!("model={FLASH}")).await;
    assert_eq!(
        (&told["answer"]["outcome"], &told["answer"]["refusal"]),
        (&json!("refused"), &json!("resting"))
    );
    let resting = key(&told, "alpha_1");
    assert_eq!((&resting["is_usable"], &resting["reason"]["kind"]), (&json!(false), &json!("resting")));
    assert_eq!(resting["reason"]["fault"], "rate_limited");
    assert_eq!(resting["reason"]["scope"], "group_bucket");
    assert_eq!(resting["reason"]["remaining"], told["answer"]["retry_after"], "{told}");
    assert!(resting["reason"]["until"].as_str().is_some_and(|until| until.ends_with('Z')), "{told}");
    let disabled = &key(&told, "beta_1")["reason"];
    assert_eq!((&disabled["kind"], &disabled["fault"]), (&json!("disabled"), &json!("key_invalid")));
    assert_eq!(disabled["until"], json!(null));
    let other = explain(&house, "google", "model=another").await;
    assert_eq!(
        (&other["answer"]["outcome"], key(&other, "alpha_1")["turn"].as_u64()),
        (&json!("key"), Some(1))
    );
    let told = told.to_string();
    assert!(SIMULATED_KEYS.iter().all(|(_, secret)| !told.contains(secret)), "{told}");
    house.close().await;
}

#[tokio::test]
async fn how_a_user_stands_is_told_without_being_counted() {
    let house = House::open(json!({"limits": {"per_user": {"requests_per_minute": 3}}})).await;
    let ask = || house.post(&generate_path(FLASH), &chat("hello")).header("x-user-id", "ada");
    for _ in 0..3 {
        assert_eq!(Answer::to(ask()).await.status, 200);
    }
    for (name, admitted, remaining) in [("ada", false, 0), ("ben", true, 3)] {
        for _ in 0..5 {
            let told = explain(&house, "google", &format!("model={FLASH}&user={name}")).await;
            let user = &told["user"];
            assert_eq!((&user["user"], &user["client"]), (&json!(name), &json!("open")));
            assert_eq!(
                (&user["is_admitted"], &user["remaining"]),
                (&json!(admitted), &json!(remaining)),
                "{user}"
            );
        }
    }
    let told = explain(&house, "google", "user=ada&client=open").await;
    assert_eq!((&told["user"]["why"], &told["model"]), (&json!("window"), &json!(null)));
    assert_eq!(Answer::to(ask()).await.status, 429);
    house.close().await;
}

#[tokio::test]
async fn sessions_are_what_is_explained_of_avatars() {
    let house =
        House::open(json!({"providers": {"anam": {"budgets": {"default": {"concurrent": 1}}}}})).await;
    let told = explain(&house, "anam", "").await;
    assert_eq!((&told["operation"], &told["answer"]["outcome"]), (&json!("start_session"), &json!("key")));
    assert_eq!(told["keys"][0]["budgets"][0]["metric"], "concurrent");
    let told = explain(&house, "anam", "operation=session_concurrency").await;
    assert_eq!(told["keys"][0]["budgets"], json!([]), "it draws from no budget");
    house.close().await;
}

#[tokio::test]
async fn what_is_not_understood_is_told_so() {
    let house = House::open(json!({})).await;
    for (path, status, error, words) in [
        ("/api/acme/explain", 404, "not_found", "No provider acme"),
        ("/api/google/explain?modle=m", 400, "bad_request", "modle"),
        ("/api/google/explain?operation=fly", 400, "bad_request", "generate_content"),
        ("/api/google/explain?tokens=many", 400, "bad_request", "query"),
        ("/api/anam/explain?model=m", 400, "bad_request", "names no model"),
        ("/api/google/explain?client=open", 400, "bad_request", "user="),
        ("/api/google/explain?user=ada&client=nobody", 400, "bad_request", "No client"),
    ] {
        let answer = Answer::to(house.get(path)).await;
        answer.is_refusal(status, error);
        answer.says_house(words);
    }
    let posted = Answer::to(house.post("/api/google/explain", &json!({}))).await;
    posted.is_refusal(405, "method_not_allowed");
    house.close().await;
}

#[tokio::test]
async fn the_command_tells_it_as_a_table_and_as_json() {
    let house = House::open(json!({})).await;
    house.sim.script([Fault::google(GoogleRow::KeyInvalid).project("beta").always()]).expect("room");
    for _ in 0..3 {
        assert_eq!(house.generate(FLASH, "hello").await.status, 200);
    }
    let table = command(&house, &["google", "--model", FLASH, "--user", "ada"]).await;
    assert_eq!(table.status.code(), Some(0), "{}", table.stderr);
    for words in ["A request gets the key alpha_", "of 2 usable keys", "alpha_1", "beta_1", "ada", "20 of 20"]
    {
        assert!(table.stdout.contains(words), "{words:?} is not in\n{}", table.stdout);
    }
    let json = command(&house, &["google", "--model", FLASH, "--json"]).await;
    let told: Value = serde_json::from_str(&json.stdout).expect("JSON");
    assert_eq!((&told["total_keys"], &told["usable_keys"]), (&json!(3), &json!(2)));
    let shown = format!("{}{}", table.stdout, json.stdout);
    assert!(SIMULATED_KEYS.iter().all(|(_, secret)| !shown.contains(secret)), "{shown}");
    house.close().await;
}

#[tokio::test]
async fn the_command_finds_the_gateway_by_its_configuration_without_its_keys() {
    let house = House::open(json!({})).await;
    let bind = house.gateway.url("").replace("http://", "");
    let yaml = configuration(house.sim.endpoints(), &json!({"server": {"bind": bind}}));
    let found = Keygate::run(&["keys", "explain", "google"], &yaml, &[]).await;
    assert_eq!(found.status.code(), Some(0), "{}", found.stderr);
    assert!(found.stdout.contains("of 3 usable keys"), "{}", found.stdout);
    house.close().await;
}

#[tokio::test]
async fn the_command_says_what_is_wrong_and_what_to_do() {
    let house = House::open(json!({})).await;
    for (arguments, words) in [
        (["acme", "--tokens", "1"], "No provider acme is configured"),
        (["google", "--operation", "fly"], "generate_content"),
        (["google", "--client", "shop"], "--user"),
        (["google", "--tokens", "many"], "--tokens"),
    ] {
        let exit = command(&house, &arguments).await;
        assert_eq!((exit.status.code(), exit.stdout.as_str()), (Some(64), ""), "{arguments:?}");
        assert!(exit.stderr.contains(words), "{words:?} is not in {}", exit.stderr);
    }
    let nowhere = Keygate::run(&["keys", "explain", "google", "--url", "http://127.0.0.1:1"], "", &[]).await;
    assert_eq!(nowhere.status.code(), Some(69), "{}", nowhere.stderr);
    assert!(nowhere.stderr.contains("keygate serve"), "{}", nowhere.stderr);
    let no_address = Keygate::run(&["keys", "explain", "google", "--url", "ftp://x"], "", &[]).await;
    assert_eq!(no_address.status.code(), Some(64), "{}", no_address.stderr);
    let broken = Keygate::run(&["keys", "explain", "google"], "server: {bind: here}", &[]).await;
    assert_eq!(broken.status.code(), Some(64), "{}", broken.stderr);
    assert!(broken.stderr.contains("--url"), "{}", broken.stderr);
    house.close().await;
}

#[tokio::test]
async fn peers_on_the_network_see_what_status_shows_them_and_only_their_own_users() {
    let Some(address) = own_address() else { return };
    let sim = simulator();
    let yaml = |public: bool| configuration(sim.endpoints(), &json!({"server": {"status_public": public}}));
    let tokens = ("KEYGATE_CLIENT_TOKENS", "kg_first,kg_second");
    let env = [SIMULATED_KEYS, &[tokens, ("KEYGATE_ADMIN_TOKEN", "kg_the_admin_of_this_house")]].concat();
    let closed = Process::serve(keygate_binary(), "0.0.0.0:0", &yaml(false), &env).await;
    let public = Process::serve(keygate_binary(), "0.0.0.0:0", &yaml(true), &env).await;
    let ask = |gateway: &Process, query: &str| {
        let url = gateway.url.replace("127.0.0.1", &address.to_string());
        client().get(format!("{url}/api/google/explain?{query}"))
    };
    let status = async |request: reqwest::RequestBuilder| Answer::to(request).await.status;
    assert_eq!(status(ask(&closed, "")).await, 401);
    assert_eq!(status(ask(&closed, "").bearer_auth("kg_first")).await, 200);
    assert_eq!(status(ask(&closed, "key=kg_first")).await, 200);
    assert_eq!(status(ask(&public, "")).await, 200);
    Answer::to(ask(&public, "user=ada")).await.is_refusal(403, "forbidden");

    let own = Answer::to(ask(&closed, "user=ada").bearer_auth("kg_first")).await.json();
    let name = own["user"]["client"].as_str().expect("the client").to_owned();
    let foreign = ask(&closed, &format!("user=ada&client={name}")).bearer_auth("kg_second");
    Answer::to(foreign).await.is_refusal(403, "forbidden");
    let admin =
        |query: &str| ask(&closed, query).header("x-keygate-admin-token", "kg_the_admin_of_this_house");
    Answer::to(admin("user=ada")).await.is_refusal(400, "bad_request");
    assert_eq!(status(admin(&format!("user=ada&client={name}"))).await, 200);

    let url = closed.url.replace("127.0.0.1", &address.to_string());
    let arguments = ["keys", "explain", "google", "--url", &url];
    let without = Keygate::run(&arguments, "", &[]).await;
    assert_eq!(without.status.code(), Some(64), "{}", without.stderr);
    assert!(without.stderr.contains("KEYGATE_ADMIN_TOKEN"), "{}", without.stderr);
    let with = Keygate::run(&arguments, "", &[("KEYGATE_ADMIN_TOKEN", "kg_the_admin_of_this_house")]).await;
    assert_eq!(with.status.code(), Some(0), "{}", with.stderr);
}
