//! Interactions through the gateway: to the byte, metered, and always at the project that has them.

use keygate_tests::sim::{Action, Fault, GoogleRow, HalfStream, KeyState, StreamEnding, StreamError};
use keygate_tests::simulator;
use serde_json::{Value, json};

use super::answer::{Answer, Read, begun};
use super::stage::{FLASH, House, direct, states, twin};

const PATH: &str = "/v1beta/interactions";

fn asking(text: &str) -> Value {
    json!({"model": FLASH, "input": text})
}

fn streaming(text: &str) -> Value {
    json!({"model": FLASH, "input": text, "stream": true})
}

#[tokio::test]
async fn whole_and_streamed_they_pass_to_the_byte() {
    for body in [asking("hello"), streaming("stream 30")] {
        let house = House::before(twin(), json!({}), &[]).await;
        let expected = direct(&twin(), PATH, &body).await;
        let answer = Answer::to(house.post(PATH, &body)).await;
        answer.is_providers("google", 200, 1);
        assert_eq!(answer.body, expected.body, "{answer:?}");
        assert_eq!(answer.header("content-type"), expected.header("content-type"));
        house.google().await.blames_nobody();
        house.close().await;
    }
}

#[tokio::test]
async fn they_are_billed_by_their_usage() {
    let budget = json!({"providers": {"google": {"budgets": {"default": {"tokens_per_day": 1_000_000}}}}});
    for body in [asking("think 12 hard"), streaming("think 12 hard")] {
        let house = House::before(twin(), budget.clone(), &[]).await;
        let whole = direct(&twin(), PATH, &asking("think 12 hard")).await.json();
        let billed = whole["usage"]["total_tokens"].as_u64().expect("usage");
        Answer::to(house.post(PATH, &body)).await.is_providers("google", 200, 1);
        let pool = house.google().await;
        let used: Vec<u64> = ["alpha_1", "beta_1"]
            .iter()
            .flat_map(|label| pool.key(label)["budgets"].as_array().cloned().unwrap_or_default())
            .filter(|budget| budget["metric"] == "tokens_per_day")
            .filter_map(|budget| budget["used"].as_u64())
            .collect();
        assert_eq!(used.iter().sum::<u64>(), billed, "{pool:?}");
        house.close().await;
    }
}

/// The id is bound as it passes, whole or in the first event; every later call goes to its project.
#[tokio::test]
async fn what_goes_on_from_one_goes_to_its_project() {
    let house = House::open(json!({})).await;
    for (round, body) in [
        asking("hello"),
        streaming("hello"),
        json!({"agent": "deep-research", "input": "x", "background": true}),
    ]
    .into_iter()
    .enumerate()
    {
        let first = Answer::to(house.post(PATH, &body)).await;
        first.is_providers("google", 200, 1);
        let text = first.text();
        let id =
            text.split("\"id\":\"").nth(1).and_then(|rest| rest.split('"').next()).expect("an id").to_owned();
        assert!(id.starts_with("v1_"), "{text}");
        for _ in 0..3 {
            let mut next = asking("and then?");
            next["previous_interaction_id"] = json!(id);
            let next = Answer::to(house.post(PATH, &next).header("x-user-id", format!("u{round}"))).await;
            next.is_providers("google", 200, 1);
            let found = Answer::to(house.get(&format!("{PATH}/{id}"))).await;
            found.is_providers("google", 200, 1);
        }
        if round == 2 {
            let cancelled = Answer::to(house.post(&format!("{PATH}/{id}/cancel"), &json!({}))).await;
            assert!([200, 400].contains(&cancelled.status), "{cancelled:?}");
        }
    }
    house.google().await.blames_nobody();
    house.close().await;
}

/// Whoever streams something long takes the id from the first event, and asks for it by another connection.
#[tokio::test]
async fn an_id_can_be_used_while_its_stream_still_runs() {
    let house = House::open(json!({})).await;
    let (answer, first) = begun(house.post(PATH, &streaming("stream 1000 every 20ms"))).await;
    let first = String::from_utf8_lossy(&first).into_owned();
    let id =
        first.split("\"id\":\"").nth(1).and_then(|rest| rest.split('"').next()).expect("an id").to_owned();
    for _ in 0..3 {
        Answer::to(house.get(&format!("{PATH}/{id}"))).await.is_providers("google", 200, 1);
    }
    drop(answer);
    house.google().await.balances();
    house.close().await;
}

#[tokio::test]
async fn a_refusal_has_a_code_in_words_and_a_time() {
    let house = House::open(json!({})).await;
    house.sim.script([Fault::google(GoogleRow::MinuteRequests).always()]).expect("room");
    let answer = Answer::to(house.post(PATH, &asking("hello"))).await;
    answer.is_refusal(429, "pool_exhausted");
    let error = &answer.json()["error"];
    assert_eq!(error["code"], "rate_limit_exceeded");
    assert_eq!(error.as_object().map(serde_json::Map::len), Some(2), "{answer:?}");
    assert!(answer.retry_after().is_some_and(|wait| (1..=60).contains(&wait)), "{answer:?}");
    house.close().await;
}

/// The Python SDK would sleep until midnight, inside its caller's call.
#[tokio::test]
async fn nobody_is_told_to_sleep_until_midnight() {
    let house = House::open(json!({})).await;
    house.sim.script([Fault::google(GoogleRow::DayRequests).always()]).expect("room");
    let answer = Answer::to(house.post(PATH, &asking("hello"))).await;
    answer.is_refusal(429, "pool_exhausted");
    assert_eq!(answer.retry_after(), Some(8));
    let message = answer.json()["error"]["message"].as_str().unwrap_or_default().to_owned();
    assert!(
        message.starts_with("All Gemini API keys failed. Last error: Quota exhausted. Please retry in "),
        "{message}"
    );
    house.close().await;
}

#[tokio::test]
async fn a_failing_key_goes_unnoticed_and_a_creation_is_never_sent_twice_on_a_guess() {
    let house = House::before(simulator(), json!({}), &[]).await;
    house
        .sim
        .declare(states(&[("sim-google-alpha-1", KeyState::Google(GoogleRow::KeyInvalid))]))
        .expect("known");
    for _ in 0..3 {
        assert_eq!(Answer::to(house.post(PATH, &asking("hello"))).await.status, 200);
    }
    let before = house.upstream_requests();
    house.sim.script([Fault::new(Action::Reset)]).expect("room");
    let broken = Answer::to(house.post(PATH, &asking("hello"))).await;
    broken.is_refusal(502, "upstream_unreachable");
    assert_eq!(broken.json()["error"]["code"], "service_unavailable");
    assert_eq!(house.upstream_requests(), before + 1, "it may have been stored");
    let mut fleeting = asking("hello");
    fleeting["store"] = json!(false);
    house.sim.script([Fault::new(Action::Reset)]).expect("room");
    Answer::to(house.post(PATH, &fleeting)).await.is_providers("google", 200, 2);
    house.close().await;
}

#[tokio::test]
async fn an_error_as_the_first_event_is_made_good_and_a_later_one_is_passed_on() {
    let house = House::open(json!({})).await;
    let error = |events| {
        Fault::new(Action::ErrorInStream(StreamError {
            events,
            row: Some(GoogleRow::MinuteRequests),
            bare: false,
        }))
    };
    house.sim.script([error(0)]).expect("room");
    let served = Answer::to(house.post(PATH, &streaming("stream 4"))).await;
    served.is_providers("google", 200, 2);
    assert!(served.text().contains("event 4 of 4") && !served.text().contains("\"error\""), "{served:?}");
    house.sim.script([error(3)]).expect("room");
    let told = Answer::to(house.post(PATH, &streaming("stream 4"))).await;
    told.is_providers("google", 200, 1);
    assert!(told.text().ends_with("\"event_type\":\"error\"}\n\n"), "nothing is added: {told:?}");
    house.close().await;
}

#[tokio::test]
async fn a_stream_that_breaks_says_so_in_an_event_of_its_own() {
    let house = House::open(json!({})).await;
    let half = HalfStream { events: 3, ending: StreamEnding::Close };
    house.sim.script([Fault::new(Action::HalfStream(half))]).expect("room");
    let answer = house.post(PATH, &streaming("stream 9")).send().await.expect("a head");
    let read = Read::to_end(answer).await;
    assert!(read.is_complete, "{}", read.text());
    let text = read.text();
    let last = text.rsplit("event: error\ndata: ").next().unwrap_or_default();
    let last: Value = serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(last["event_type"], "error");
    assert_eq!(last["error"]["code"], "service_unavailable");
    assert!(text.ends_with("\n\n") && !text.contains('\r'), "{text:?}");
    house.google().await.balances();
    house.close().await;
}
