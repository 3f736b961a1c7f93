//! A supervisor that panics under load: nobody hangs, nothing known of the keys is forgotten.

use futures_util::future::join_all;
use keygate_tests::sim::{GoogleRow, KeyState};
use keygate_tests::{eventually, simulator};
use serde_json::json;

use super::answer::{Answer, begun};
use super::stage::{FLASH, House, PRO, chat, generate_path, states};

async fn house(panic_every: u32) -> House {
    house_with(panic_every, 2).await
}

async fn house_with(panic_every: u32, workers: u32) -> House {
    let every = format!("panic_supervisor_every={panic_every}");
    let changes = json!({
        "server": {"workers": workers},
        "limits": {"per_user": {"requests_per_minute": 10000, "max_concurrent": 10000}},
    });
    House::before(simulator(), changes, &[("KEYGATE_CHAOS", &every)]).await
}

async fn chat_of(house: &House, model: &str, user: usize) -> Answer {
    let request = house.post(&generate_path(model), &chat("hello"));
    Answer::to(request.header("x-user-id", format!("user {user}"))).await
}

#[tokio::test]
async fn requests_are_served_or_told_to_come_back_while_it_restarts() {
    serves_on_through_restarts(house_with(60, 2).await).await;
}

#[tokio::test]
async fn so_they_are_by_an_only_worker_that_has_the_supervisor_on_its_own_thread() {
    serves_on_through_restarts(house_with(60, 1).await).await;
}

async fn serves_on_through_restarts(house: House) {
    let answers = join_all((0..200).map(|user| chat_of(&house, FLASH, user))).await;
    let (served, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 200);
    // An ask that meets a restart is put once more; only one that meets two in a row is refused.
    assert!(served.len() >= 198, "only {} were served", served.len());
    for answer in &served {
        assert_eq!(answer.said(), "You said: hello");
    }
    for answer in &refused {
        answer.is_refusal(503, "overloaded");
        assert!(answer.retry_after().is_some(), "it is soon over: {answer:?}");
        assert!(answer.json()["error"]["message"].is_string(), "{answer:?}");
    }

    let after = eventually("the house serves again", async || {
        let answer = chat_of(&house, FLASH, 1000).await;
        (answer.status == 200).then_some(answer)
    })
    .await;
    after.is_providers("google", 200, 1);
    let pool = house.google().await;
    pool.blames_nobody();
    pool.balances();
    assert!((1..=5).contains(&pool.restarts()), "{pool:?}");
    assert_eq!(Answer::to(house.get("/readyz")).await.status, 200);
    assert!(house.upstream_requests() >= served.len() as u64);
    house.close_restarted().await;
}

#[tokio::test]
async fn rests_and_disabled_keys_outlive_a_restart() {
    let house = house(25).await;
    let invalid = KeyState::Google(GoogleRow::KeyInvalid);
    house.sim.declare(states(&[("sim-google-alpha-1", invalid)])).expect("a known key");
    let daily = keygate_tests::sim::Fault::google(GoogleRow::DayRequests).key("sim-google-beta-1").model(PRO);
    house.sim.script([daily.always()]).expect("room");
    for user in 0..6 {
        assert_eq!(chat_of(&house, PRO, user).await.status, 200);
    }
    let before = house.google().await;
    assert_eq!(before.state("alpha_1"), "disabled");
    let [rest] = before.resting("beta_1") else { panic!("one thing rests: {before:?}") };
    assert_eq!(before.restarts(), 0);

    join_all((0..40).map(|user| chat_of(&house, FLASH, user))).await;
    let after = eventually("the supervisor was restarted", async || {
        let pool = house.google().await;
        (pool.restarts() >= 1).then_some(pool)
    })
    .await;
    assert_eq!((after.state("alpha_1"), after.fault("alpha_1")), ("disabled", "key_invalid"));
    let [rested] = after.resting("beta_1") else { panic!("the rest is forgotten: {after:?}") };
    for field in ["model", "metric", "fault", "until", "reason"] {
        assert_eq!(rested[field], rest[field], "{field}");
    }
    let asked = house.asked("sim-google-alpha-1");
    assert_eq!(asked, 1, "a disabled key stays out");
    house.close_restarted().await;
}

#[tokio::test]
async fn a_stream_under_way_survives_and_its_lease_is_not_counted_twice() {
    let house = house(20).await;
    let (mut stream, _) =
        begun(house.stream("stream 10000 every 10ms").header("x-user-id", "listener")).await;
    join_all((0..30).map(|user| chat_of(&house, FLASH, user))).await;
    eventually("the supervisor was restarted", async || {
        (house.pool_now("google").await.restarts() >= 1).then_some(())
    })
    .await;
    assert!(stream.chunk().await.is_ok_and(|chunk| chunk.is_some()), "the stream goes on");
    drop(stream);
    eventually("the provider notices that nobody listens", async || {
        (house.counts().google.streams_cut_by_client == 1).then_some(())
    })
    .await;
    let pool = house.google().await;
    pool.balances();
    pool.blames_nobody();
    house.close_restarted().await;
}

#[tokio::test]
async fn one_that_panics_again_and_again_ends_the_process_with_its_exit_code() {
    let house = house(1).await;
    for user in 0..20 {
        let request =
            house.post(&generate_path(FLASH), &chat("hello")).header("x-user-id", format!("user {user}"));
        match request.send().await {
            Ok(answer) => assert!(answer.status().is_server_error(), "{answer:?}"),
            Err(_gone) => break,
        }
    }
    assert_eq!(house.upstream_requests(), 0, "a lease that was never given is not used");
    let gave_up = async || house.gateway.stderr().contains("giving up").then_some(());
    eventually("the process gives up by itself", gave_up).await;
    let exit = house.gateway.stop().await;
    assert_eq!(exit.status.code(), Some(70), "{}", exit.stderr);
}
