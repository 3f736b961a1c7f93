//! The response cache: what is asked again is answered again, to the same user, to the byte.

use std::time::Duration;

use futures_util::future::join_all;
use keygate_tests::eventually;
use keygate_tests::sim::{Action, Fault, GoogleRow, HalfStream, StreamEnding};
use serde_json::{Value, json};

use super::answer::{Answer, begun, json_body};
use super::database::shell;
use super::ledger::holds;
use super::stage::{FLASH, House, OPENAI_CHAT, PRO, chat, generate_path, openai_chat, stream_path};

async fn house_with(cache: Value) -> House {
    let mut changes =
        json!({"cache": {"enabled": true}, "limits": {"per_user": {"requests_per_minute": 10_000}}});
    changes["cache"]
        .as_object_mut()
        .expect("an object")
        .extend(cache.as_object().cloned().unwrap_or_default());
    House::open(changes).await
}

fn is_from_cache(answer: &Answer) {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("x-keygate-cache"), "hit", "{answer:?}");
    assert_eq!(answer.header("x-keygate-source"), "cache", "{answer:?}");
    assert_eq!(answer.header("x-keygate-key"), "", "{answer:?}");
    answer.took("google", 0);
}

fn was(answer: &Answer, used: &str) {
    answer.is_providers("google", 200, 1);
    assert_eq!(answer.header("x-keygate-cache"), used, "{answer:?}");
}

#[tokio::test]
async fn the_same_again_costs_no_key_and_counts_for_the_user() {
    let house = house_with(json!({})).await;
    for (path, body) in [
        (generate_path(FLASH), chat("hello")),
        (stream_path(FLASH), chat("stream 20")),
        (OPENAI_CHAT.to_owned(), openai_chat("hello", false)),
        (OPENAI_CHAT.to_owned(), openai_chat("stream 9", true)),
        (format!("/v1beta/models/{FLASH}:countTokens"), chat("hello")),
    ] {
        let before = house.upstream_requests();
        let first = Answer::to(house.post(&path, &body)).await;
        was(&first, "miss");
        let again = Answer::to(house.post(&path, &body)).await;
        is_from_cache(&again);
        assert_eq!(again.body, first.body);
        assert_eq!(again.header("content-type"), first.header("content-type"));
        assert_eq!(house.upstream_requests(), before + 1);
    }
    let last = house.generate(FLASH, "hello").await;
    is_from_cache(&last);
    assert!(last.header("ratelimit").starts_with("\"user\";r=9989;"), "{last:?}");
    let told = house.gateway.get_json("/api/answers/status").await;
    assert_eq!((&told["cache"]["hits"], &told["cache"]["misses"]), (&json!(6), &json!(5)), "{told}");
    assert_eq!(told["cache"]["answers"], 5);
    house.google().await.blames_nobody();
    house.close().await;
}

#[tokio::test]
async fn space_and_order_do_not_matter_and_all_else_does() {
    let house = house_with(json!({})).await;
    let path = generate_path(FLASH);
    let send = async |path: &str, body: &str, user: &str| {
        let request = house.post(path, &Value::Null).header("x-user-id", user).body(body.to_owned());
        Answer::to(request).await
    };
    let one =
        r#"{"contents":[{"role":"user","parts":[{"text":"hello"}]}],"generationConfig":{"temperature":0.5}}"#;
    let same = "{ \"generationConfig\": {\"temperature\": 0.5},\n \"contents\": [{\"parts\": [{\"text\": \"hello\"}], \"role\": \"user\"}] }";
    was(&send(&path, one, "ann").await, "miss");
    is_from_cache(&send(&path, same, "ann").await);
    was(&send(&path, one, "ben").await, "miss");
    was(&send(&path, &one.replace("0.5", "0.6"), "ann").await, "miss");
    was(&send(&generate_path(PRO), one, "ann").await, "miss");
    was(&send(&stream_path(FLASH), one, "ann").await, "miss");
    house.close().await;
}

#[tokio::test]
async fn whoever_wants_an_answer_of_its_own_gets_one() {
    let house = house_with(json!({})).await;
    let ask = async |control: &'static str| {
        let request = house.post(&generate_path(FLASH), &chat("hello"));
        Answer::to(if control.is_empty() { request } else { request.header("cache-control", control) }).await
    };
    was(&ask("no-store").await, "bypass");
    was(&ask("").await, "miss");
    is_from_cache(&ask("").await);
    was(&ask("No-Cache").await, "bypass");
    is_from_cache(&ask("").await);
    assert_eq!(house.upstream_requests(), 3);
    house.close().await;
}

#[tokio::test]
async fn what_must_be_asked_anew_is() {
    let house = house_with(json!({})).await;
    let mut tools = chat("hello");
    tools["tools"] = json!([{"functionDeclarations": [{"name": "f", "parameters": {"type": "OBJECT"}}]}]);
    for (path, body) in [
        (generate_path(FLASH), tools),
        ("/v1beta/interactions".to_owned(), json!({"model": FLASH, "input": "hello"})),
    ] {
        for _ in 0..2 {
            was(&Answer::to(house.post(&path, &body)).await, "bypass");
        }
    }
    house.sim.script([Fault::google(GoogleRow::Overloaded).times(3)]).expect("room");
    let failed = house.generate(FLASH, "fail").await;
    assert_ne!(failed.status, 200, "{failed:?}");
    eventually("the model is well again", async || {
        let answer = house.generate(FLASH, "fail").await;
        (answer.status == 200).then(|| was(&answer, "miss"))
    })
    .await;
    house.close().await;
}

#[tokio::test]
async fn a_stream_that_broke_or_was_left_is_not_kept() {
    let house = house_with(json!({})).await;
    for ending in [StreamEnding::Close, StreamEnding::End] {
        let half = HalfStream { events: 3, ending };
        house.sim.script([Fault::new(Action::HalfStream(half))]).expect("room");
        let (mut response, _first) = begun(house.stream("stream 9")).await;
        while let Ok(Some(_)) = response.chunk().await {}
    }
    was(&Answer::to(house.stream("stream 9")).await, "miss");
    is_from_cache(&Answer::to(house.stream("stream 9")).await);
    let (response, _first) = begun(house.stream("stream 50 every 20ms")).await;
    drop(response);
    was(&Answer::to(house.stream("stream 50 every 20ms")).await, "miss");
    house.close().await;
}

#[tokio::test]
async fn of_twins_one_asks_and_the_others_wait() {
    let house = house_with(json!({})).await;
    for (path, text) in [(generate_path(FLASH), "twins"), (stream_path(FLASH), "stream 10 every 20ms")] {
        let before = house.upstream_requests();
        house.sim.script([Fault::new(Action::Pass).delay(Duration::from_millis(200))]).expect("room");
        let twins = (0..8).map(|_| Answer::to(house.post(&path, &chat(text))));
        let answers = join_all(twins).await;
        assert_eq!(house.upstream_requests(), before + 1);
        let hits = answers.iter().filter(|answer| answer.header("x-keygate-cache") == "hit").count();
        assert_eq!(hits, 7);
        assert!(answers.iter().all(|answer| answer.status == 200 && answer.body == answers[0].body));
    }
    house.close().await;
}

#[tokio::test]
async fn when_the_one_that_asks_leaves_or_fails_the_others_go_their_own_way() {
    let house = house_with(json!({})).await;
    house.sim.script([Fault::new(Action::Pass).delay(Duration::from_secs(2))]).expect("room");
    let leader = tokio::spawn(house.post(&generate_path(FLASH), &chat("left")).send());
    eventually("the first one is on its way", async || (house.upstream_requests() == 1).then_some(())).await;
    let follower = tokio::spawn(Answer::to(house.post(&generate_path(FLASH), &chat("left"))));
    leader.abort();
    let answer = follower.await.expect("an answer");
    was(&answer, "miss");
    house
        .sim
        .script([Fault::google(GoogleRow::UnknownField).delay(Duration::from_millis(200))])
        .expect("room");
    let twins = (0..3).map(|_| house.generate(FLASH, "fails once"));
    let answers = join_all(twins).await;
    let well = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(well, 2, "{answers:?}");
    house.close().await;
}

#[tokio::test]
async fn answers_are_given_again_for_a_while_and_within_bounds() {
    let house = house_with(json!({"ttl": "1s", "max_size": "1MiB"})).await;
    was(&house.generate(FLASH, "hello").await, "miss");
    eventually("the answer is too old", async || {
        let answer = house.generate(FLASH, "hello").await;
        (answer.header("x-keygate-cache") == "miss").then_some(())
    })
    .await;
    // A sixteenth of the room is 64 KiB; this is some 90.
    for _ in 0..2 {
        was(&house.generate(FLASH, "stream 5000").await, "miss");
    }
    // Forty times some 50.
    for number in 2700..2740 {
        was(&house.generate(FLASH, &format!("stream {number}")).await, "miss");
    }
    let told = house.gateway.get_json("/api/answers/status").await;
    assert!(told["cache"]["bytes"].as_u64().is_some_and(|bytes| bytes <= 1024 * 1024), "{told}");
    house.close().await;
}

#[tokio::test]
async fn it_is_off_unless_switched_on_and_can_be_while_it_runs() {
    let house = House::open(json!({})).await;
    for _ in 0..2 {
        let answer = house.generate(FLASH, "hello").await;
        answer.is_providers("google", 200, 1);
        assert_eq!(answer.header("x-keygate-cache"), "");
    }
    let yaml = keygate_tests::configuration(house.sim.endpoints(), &json!({"cache": {"enabled": true}}));
    house.gateway.write("keygate.yaml", &yaml);
    eventually("the cache is there", async || {
        let told = house.gateway.get_json("/api/answers/status").await;
        (told["cache"]["enabled"] == true).then_some(())
    })
    .await;
    was(&house.generate(FLASH, "hello").await, "miss");
    is_from_cache(&house.generate(FLASH, "hello").await);
    house.close().await;
}

#[tokio::test]
async fn the_assistant_has_it_too() {
    let house = house_with(json!({})).await;
    let ask = async |stream: bool| {
        let question = json!({"message": "stream 4", "stream": stream});
        Answer::to(json_body(house.post("/api/v1/assistant/query", &question), &question)).await
    };
    let first = ask(false).await;
    was(&first, "miss");
    let again = ask(false).await;
    is_from_cache(&again);
    assert_eq!((&again.json()["source"], &again.json()["reply"]), (&json!("cache"), &first.json()["reply"]));
    was(&ask(true).await, "miss");
    let again = ask(true).await;
    is_from_cache(&again);
    assert!(again.text().contains("\"source\":\"cache\""), "{again:?}");
    house.close().await;
}

#[tokio::test]
async fn a_hit_is_a_request_without_tokens_in_the_plan_and_in_the_ledger() {
    let mut changes = json!({"cache": {"enabled": true}});
    changes["plans"] = json!({"default": "free", "free": {"requests_per_day": 2, "tokens_per_day": 100_000}});
    let house = House::open(changes).await;
    let ask = async || {
        Answer::to(house.post(&generate_path(FLASH), &chat("hello")).header("x-user-id", "ann")).await
    };
    was(&ask().await, "miss");
    is_from_cache(&ask().await);
    ask().await.is_refusal(429, "plan_exhausted");
    holds(house.gateway.home(), 2).await;
    let mut shell = shell(house.gateway.home()).await;
    let sources = "SELECT source, outcome, key_id, total_tokens FROM ledger ORDER BY source";
    let rows: Vec<(String, String, String, i64)> =
        sqlx::query_as(sources).fetch_all(&mut shell).await.expect("it can be read");
    assert_eq!(rows[0], ("cache".to_owned(), "settled".to_owned(), String::new(), 0));
    assert_eq!((rows[1].0.as_str(), rows[1].3 > 0), ("provider", true), "{rows:?}");
    house.close().await;
}
