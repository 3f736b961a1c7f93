//! Bots whose sessions are kept alive: asked when a request of theirs meets a rate limit, never in its way.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use keygate_tests::sim::{Action, Fault, GoogleRow, StreamError};
use keygate_tests::{Keygate, SIMULATED_KEYS, configuration, eventually, simulator};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::Instant;

use super::answer::Answer;
use super::audit;
use super::kept_tokens::{command, guarded, made};
use super::live::{LIVE, heard, one_turn_a_minute, setup, turn, two_keys};
use super::receivers::{Received, Reply, WebReceiver};
use super::socket::Socket;
use super::stage::{FLASH, House, chat, generate_path};

const ADMIN: (&str, &str) = ("KEYGATE_ADMIN_TOKEN", "kg_the_admin_of_this_house");
const SECRET: (&str, &str) = ("KEEPER_SECRET", "sign-calls-with-this");

fn status(word: &str) -> Reply {
    Reply::json(&json!({"status": word}))
}

/// A keeper called `zalo`, with changes.
fn zalo(url: &str, changes: &Value) -> Value {
    let mut keeper = json!({
        "name": "zalo", "url": format!("{url}/session"), "secret": "env:KEEPER_SECRET", "tags": ["zalo"], "cooldown": "1s",
    });
    for (name, value) in changes.as_object().expect("changes") {
        keeper[name] = value.clone();
    }
    json!({"session_keepers": [keeper]})
}

async fn house(changes: Value, env: &[(&str, &str)]) -> House {
    House::before(simulator(), changes, &[&[ADMIN, SECRET], env].concat()).await
}

/// The next attempt meets a rate limit, whatever rests for an earlier one.
async fn limit(house: &House) {
    let reset = house.post("/api/google/reset-keys", &json!({})).bearer_auth(ADMIN.1);
    assert_eq!(Answer::to(reset).await.status, 200);
    house.sim.script([Fault::google(GoogleRow::MinuteRequests)]).expect("a script");
}

async fn tagged(house: &House, tag: &str) -> Answer {
    Answer::to(house.post(&generate_path(FLASH), &chat("hello")).header("x-keygate-tag", tag)).await
}

async fn keeper(house: &House) -> Value {
    house.gateway.get_json("/api/session-keepers").await["session_keepers"][0].clone()
}

async fn in_state(house: &House, state: &str) -> Value {
    eventually(&format!("the keeper is {state}"), async || {
        let keeper = keeper(house).await;
        (keeper["state"] == state).then_some(keeper)
    })
    .await
}

fn is_call(one: &Received) -> bool {
    one.path == "/session"
}

#[tokio::test]
async fn a_tagged_request_that_meets_a_limit_has_the_bot_asked_and_is_served_all_the_same() {
    let bot = WebReceiver::start(Vec::new(), status("refreshed")).await;
    let cookies = r#"[{"name":"zpsid","value":"cookie-of-the-bot","domain":".zalo.me"}]"#;
    let env = [("ZALO_IMEI", "imei-of-the-bot"), ("ZALO_COOKIES", cookies)];
    let house = house(zalo(&bot.url, &json!({"send_credentials": true})), &env).await;
    limit(&house).await;
    assert_eq!(tagged(&house, "other").await.status, 200);
    assert!(bot.all().await.is_empty(), "it is not the bot's request");
    limit(&house).await;
    let answer = tagged(&house, "zalo").await;
    assert_eq!(answer.status, 200, "another key serves it: {answer:?}");
    let call = bot.first("the bot is asked", is_call).await;
    assert!(call.is_signed_with(SECRET.1), "{call:?}");
    let body = call.json();
    assert_eq!((&body["event"], &body["reason"]), (&json!("session.refresh"), &json!("rate_limited")));
    assert_eq!(
        (&body["provider"], &body["credentials"]["imei"]),
        (&json!("google"), &json!("imei-of-the-bot"))
    );
    assert_eq!(body["credentials"]["cookies"]["zpsid"], "cookie-of-the-bot");
    let shown = eventually("its answer is shown", async || {
        let keeper = keeper(&house).await;
        (keeper["last_outcome"] == "refreshed").then_some(keeper)
    })
    .await;
    assert_eq!(
        (&shown["name"], &shown["kind"], &shown["attempts"]),
        (&json!("zalo"), &json!("http"), &json!(1))
    );
    let log = house.gateway.stderr();
    for secret in ["imei-of-the-bot", "cookie-of-the-bot", SECRET.1] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
    assert!(!house.sim.requests().iter().any(|one| format!("{one:?}").contains("x-keygate-tag")));
    house.close().await;
}

#[tokio::test]
async fn a_limit_that_is_told_inside_a_stream_has_the_bot_asked_too() {
    let bot = WebReceiver::start(Vec::new(), status("refreshed")).await;
    let house = house(zalo(&bot.url, &json!({})), &[]).await;
    let told = |row| Action::ErrorInStream(StreamError { events: 2, row: Some(row), bare: false });
    house.sim.script([Fault::new(told(GoogleRow::Overloaded))]).expect("a script");
    let streamed = async |tag: &str| Answer::to(house.stream("stream 5").header("x-keygate-tag", tag)).await;
    let answer = streamed("zalo").await;
    assert!(answer.text().contains("\"error\""), "the caller is told: {answer:?}");
    house.sim.script([Fault::new(told(GoogleRow::MinuteRequests))]).expect("a script");
    assert_eq!(streamed("other").await.status, 200);
    assert!(
        bot.all().await.is_empty(),
        "trouble of the provider is no limit, and another's limit is not the bot's"
    );
    let reset = house.post("/api/google/reset-keys", &json!({})).bearer_auth(ADMIN.1);
    assert_eq!(Answer::to(reset).await.status, 200);
    house.sim.script([Fault::new(told(GoogleRow::MinuteRequests))]).expect("a script");
    let answer = streamed("zalo").await;
    assert_eq!((answer.status, answer.text().contains("RESOURCE_EXHAUSTED")), (200, true), "{answer:?}");
    let call = bot.first("the bot is asked", is_call).await.json();
    assert_eq!((&call["reason"], &call["provider"]), (&json!("rate_limited"), &json!("google")));
    house.close().await;
}

#[tokio::test]
async fn a_limit_that_ends_a_live_session_has_the_bot_asked_too() {
    let bot = WebReceiver::start(Vec::new(), status("refreshed")).await;
    let mut changes = zalo(&bot.url, &json!({}));
    changes["providers"] = two_keys()["providers"].clone();
    let house = house(changes, &[]).await;
    one_turn_a_minute(&house);
    let mut socket =
        Socket::open(&house.gateway.url(""), LIVE, &[("x-keygate-tag", "zalo")]).await.expect("it opens");
    socket.say(&setup()).await;
    assert_eq!(socket.json().await, json!({"setupComplete": {}}));
    socket.say(&turn("one")).await;
    heard(&mut socket).await;
    assert!(bot.all().await.is_empty(), "nothing has happened yet");
    socket.say(&turn("two")).await;
    assert_eq!(socket.end().await.code, 1011);
    let call = bot.first("the bot is asked", is_call).await.json();
    assert_eq!((&call["reason"], &call["provider"]), (&json!("rate_limited"), &json!("google")));
    house.close().await;
}

#[tokio::test]
async fn a_bot_that_does_not_answer_delays_no_request_and_is_asked_once() {
    let bot = WebReceiver::start(Vec::new(), Reply::Silence).await;
    let house = house(zalo(&bot.url, &json!({"timeout": "2s", "cooldown": "5m"})), &[]).await;
    house.sim.script([Fault::google(GoogleRow::MinuteRequests).always()]).expect("a script");
    let began = Instant::now();
    for _ in 0..5 {
        tagged(&house, "zalo").await.is_refusal(429, "pool_exhausted");
    }
    bot.first("the bot is asked", is_call).await;
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    let shown = in_state(&house, "cooling_down").await;
    assert_eq!((&shown["last_outcome"], &shown["failures"]), (&json!("failed"), &json!(1)));
    assert!(
        shown["last_failure"].as_str().is_some_and(|why| why.contains("did not answer in time")),
        "{shown}"
    );
    assert_eq!(bot.all().await.len(), 1);
    house.close().await;
}

#[tokio::test]
async fn needs_login_stops_it_until_a_human_clears_it() {
    let bot = WebReceiver::start(vec![status("needs_login")], status("alive")).await;
    let pager = WebReceiver::patient().await;
    let mut changes = zalo(&bot.url, &json!({"cooldown": "1s"}));
    changes["alerts"] =
        json!({"channels": [{"kind": "webhook", "url": pager.url, "events": ["session_keeper"]}]});
    let house = house(changes, &[]).await;
    limit(&house).await;
    tagged(&house, "zalo").await;
    in_state(&house, "needs_login").await;
    let told = pager.alert("session_keeper", "open").await.json();
    let remedy = told["alerts"][0]["remedy"].as_str().unwrap_or_default().to_owned();
    assert!(remedy.contains("keygate session-keepers clear zalo"), "{told}");
    let house = house.restarted().await;
    let at_once = keeper(&house).await;
    assert_eq!((&at_once["name"], &at_once["state"]), (&json!("zalo"), &json!("needs_login")), "{at_once}");
    limit(&house).await;
    tagged(&house, "zalo").await;
    eventually("it is skipped", async || {
        keeper(&house).await["skipped"].as_u64().is_some_and(|n| n > 0).then_some(())
    })
    .await;
    assert_eq!(bot.all().await.len(), 1);

    let clear = |name: &str| house.post(&format!("/api/session-keepers/{name}/clear"), &json!({}));
    Answer::to(clear("zalo")).await.is_refusal(401, "unauthenticated");
    assert_eq!(Answer::to(clear("nobody").bearer_auth(ADMIN.1)).await.status, 404);
    assert_eq!(Answer::to(clear("zalo").bearer_auth(ADMIN.1)).await.status, 200);
    in_state(&house, "ready").await;
    pager.alert("session_keeper", "recovered").await;
    limit(&house).await;
    tagged(&house, "zalo").await;
    eventually("it is asked at once", async || (bot.all().await.len() == 2).then_some(())).await;
    let rows = audit::listed(&house).await;
    assert!(
        rows.iter().any(|row| row["action"] == "session_keeper.cleared" && row["details"] == "zalo"),
        "{rows:?}"
    );
    house.close().await;
}

#[tokio::test]
async fn a_client_is_bound_to_a_bot_by_name_or_by_its_token() {
    let bot = WebReceiver::start(Vec::new(), Reply::With(202, String::new())).await;
    let mut changes = guarded();
    changes["session_keepers"] =
        zalo(&bot.url, &json!({"tags": [], "clients": ["shop"]}))["session_keepers"].clone();
    let house = house(changes, &[]).await;
    let unknown =
        house.gateway.beside(&["tokens", "create", "--name", "messenger", "--keeper", "zalloo"]).await;
    assert_eq!(unknown.status.code(), Some(64), "{unknown:?}");
    assert!(unknown.stderr.contains("There are: zalo."), "{}", unknown.stderr);
    let (shop, bound, other) = (
        made(&house, &["--name", "shop"]).await,
        made(&house, &["--name", "messenger", "--keeper", "zalo"]).await,
        made(&house, &["--name", "other"]).await,
    );
    let ask = async |token: &str| {
        eventually("the token is known", async || {
            let answer =
                Answer::to(house.post(&generate_path(FLASH), &chat("hello")).bearer_auth(token)).await;
            (answer.status == 200).then_some(())
        })
        .await;
        limit(&house).await;
        Answer::to(house.post(&generate_path(FLASH), &chat("hello")).bearer_auth(token)).await
    };
    ask(&other).await;
    ask(&shop).await;
    eventually("the bot is asked for the shop", async || (bot.all().await.len() == 1).then_some(())).await;
    in_state(&house, "ready").await;
    ask(&bound).await;
    eventually("and for the messenger", async || (bot.all().await.len() == 2).then_some(())).await;
    house.close().await;
}

/// The tokens of an official account: used once, kept before they are handed over, over a restart too.
#[tokio::test]
async fn the_tokens_of_an_official_account_are_renewed_kept_and_handed_over() {
    let tokens = |number: u32| {
        Reply::json(&json!({
            "access_token": format!("access-{number}"), "refresh_token": format!("refresh-{number}"), "expires_in": "90000",
        }))
    };
    let used = Reply::json(&json!({"error": -14014, "error_name": "Invalid refresh token"}));
    let oauth = WebReceiver::start(vec![tokens(1), tokens(2)], used).await;
    let bot = WebReceiver::start(Vec::new(), status("refreshed")).await;
    let changes = zalo(
        &bot.url,
        &json!({"kind": "zalo_oa", "account": {
            "app_id": "12345", "app_secret": "env:ZALO_APP_SECRET", "refresh_token": "env:ZALO_REFRESH_TOKEN", "endpoint": oauth.url,
        }}),
    );
    let env = [("ZALO_APP_SECRET", "secret-of-the-app"), ("ZALO_REFRESH_TOKEN", "refresh-0")];
    let house = house(changes, &env).await;
    let handed = bot.first("the bot gets a token without being in need of one", is_call).await;
    assert!(handed.is_signed_with(SECRET.1));
    assert_eq!(
        (&handed.json()["reason"], &handed.json()["credentials"]["access_token"]),
        (&json!("scheduled"), &json!("access-1"))
    );
    let asked = oauth.all().await[0].clone();
    assert_eq!(
        (asked.path.as_str(), asked.header("secret_key")),
        ("/v4/oa/access_token", "secret-of-the-app")
    );
    assert_eq!(asked.body, "refresh_token=refresh-0&app_id=12345&grant_type=refresh_token");
    let kept = || {
        std::fs::read_to_string(house.gateway.home().join("zalo.tokens.json")).expect("the tokens are kept")
    };
    assert!(kept().contains("refresh-1"));
    let due = keeper(&house).await;
    assert!(due["due_at"].is_string(), "{due}");

    let house = house.restarted().await;
    in_state(&house, "ready").await;
    assert_eq!(oauth.all().await.len(), 1, "its time has not come");
    limit(&house).await;
    assert_eq!(tagged(&house, "zalo").await.status, 200);
    bot.first("the next token", |one| one.body.contains("access-2")).await;
    assert!(oauth.all().await[1].body.contains("refresh_token=refresh-1&"), "each is used once");
    in_state(&house, "ready").await;
    limit(&house).await;
    tagged(&house, "zalo").await;
    in_state(&house, "needs_login").await;
    assert_eq!(bot.all().await.len(), 2, "there was nothing to hand over");
    let log = house.gateway.stderr();
    let database = super::database::bytes(house.gateway.home());
    for secret in ["access-1", "refresh-1", "refresh-2", "secret-of-the-app"] {
        assert!(!log.contains(secret) && !database.contains(secret), "{secret} shows");
    }
    house.close().await;
}

#[tokio::test]
async fn operators_see_and_clear_keepers_on_the_command_line() {
    let bot = WebReceiver::start(Vec::new(), status("needs_login")).await;
    let house = house(zalo(&bot.url, &json!({})), &[]).await;
    limit(&house).await;
    tagged(&house, "zalo").await;
    in_state(&house, "needs_login").await;
    let url = house.gateway.url("/");
    let exit = command(&house, &["session-keepers", "list", "--url", &url]).await;
    assert!(exit.stdout.contains("zalo") && exit.stdout.contains("needs_login"), "{exit:?}");
    assert!(!exit.stdout.contains('.'), "whole seconds for people: {exit:?}");
    let exit = house.gateway.beside(&["session-keepers", "clear", "zalo", "--url", &url]).await;
    assert_eq!(exit.status.code(), Some(64), "without the admin's token: {exit:?}");
    let run = |name: &'static str| {
        let args = ["session-keepers", "clear", name, "--url", url.as_str()].map(str::to_owned);
        async move { Keygate::run(&args.each_ref().map(String::as_str), "{}", &[ADMIN]).await }
    };
    let exit = run("zalo").await;
    assert_eq!(exit.status.code(), Some(0), "{exit:?}");
    assert_eq!(exit.stdout.trim_end(), "The session keeper zalo may ask its bot again.");
    in_state(&house, "ready").await;
    let exit = run("nobody").await;
    assert_eq!(exit.status.code(), Some(64), "{exit:?}");
    house.close().await;
}

#[tokio::test]
async fn credentials_leave_the_machine_by_tls_only() {
    let changes = zalo("http://bot.example", &json!({"send_credentials": true}));
    let sim = simulator();
    let yaml = configuration(sim.endpoints(), &changes);
    let exit = Keygate::run(&["check"], &yaml, &[SIMULATED_KEYS, &[SECRET]].concat()).await;
    assert_eq!(exit.status.code(), Some(64), "{exit:?}");
    assert!(exit.stderr.contains("is not https"), "{exit:?}");
}

/// A bot of `examples/session-keeper`, as its own process.
struct ExampleBot {
    url: String,
    process: Child,
}

impl ExampleBot {
    /// `None` where there is nothing to run it with.
    async fn start(program: &str, file: &str) -> Option<Self> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/session-keeper").join(file);
        let mut process = Command::new(program)
            .arg(path)
            .arg("0")
            .env("SESSION_KEEPER_SECRET", SECRET.1)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .ok()?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("stdout is piped"))
            .read_line(&mut line)
            .await
            .expect("a line");
        let port = line.trim().strip_prefix("listening on ").expect("it listens");
        Some(Self { url: format!("http://127.0.0.1:{port}"), process })
    }
}

#[expect(clippy::print_stderr, reason = "who runs the tests should know what was not tried")]
async fn an_example_works(program: &str, file: &str) {
    let Some(mut bot) = ExampleBot::start(program, file).await else {
        eprintln!("{program} is not installed: {file} was not tried");
        return;
    };
    let house = house(zalo(&bot.url, &json!({})), &[]).await;
    limit(&house).await;
    assert_eq!(tagged(&house, "zalo").await.status, 200);
    eventually("the bot takes the signature and renews", async || {
        (keeper(&house).await["last_outcome"] == "refreshed").then_some(())
    })
    .await;
    let forged = house.gateway.http().post(format!("{}/session", bot.url)).body("{}");
    let forged = forged.header("x-keygate-timestamp", "1").header("x-keygate-signature", "v1=0").send().await;
    assert_eq!(forged.expect("an answer").status(), 401, "it takes nobody else's word");
    bot.process.kill().await.expect("it still runs");
    house.close().await;
}

#[tokio::test]
async fn the_example_in_python_works() {
    an_example_works("python3", "bot.py").await;
}

#[tokio::test]
async fn the_example_for_node_works() {
    an_example_works("node", "bot.mjs").await;
}
