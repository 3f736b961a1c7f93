//! Somebody leaves: the client in the middle of a stream, or the gateway at the end of its day.

use futures_util::future::join_all;
use keygate_tests::{Keygate, SIMULATED_KEYS, configuration, eventually, keygate_binary, simulator};
use serde_json::json;

use super::answer::{Answer, Read, begun, json_body};
use super::process::Process;
use super::stage::{
    FLASH, House, OPENAI_CHAT, array_path, chat, client, generate_path, openai_chat, stream_path,
};
use super::wire;

const ENDLESS: &str = "stream 10000 every 20ms";

#[tokio::test]
async fn a_client_that_leaves_mid_stream_cancels_the_provider_and_gives_everything_back() {
    let house = House::open(json!({"limits": {"per_user": {"max_concurrent": 1}}})).await;
    let streams = [
        (stream_path(FLASH), chat(ENDLESS)),
        (array_path(FLASH), chat(ENDLESS)),
        (OPENAI_CHAT.to_owned(), openai_chat(ENDLESS, true)),
    ];
    for (at, (path, body)) in streams.iter().enumerate() {
        let (answer, _) = begun(house.post(path, body)).await;
        assert_eq!(house.pool_now("google").await.in_flight(), 1, "the lease goes with the stream");
        let second = house.generate(FLASH, "hello").await;
        second.is_refusal(429, "user_limited");

        drop(answer);
        let left = at as u64 + 1;
        eventually("the provider notices that nobody listens", async || {
            (house.counts().google.streams_cut_by_client == left).then_some(())
        })
        .await;
        let pool = house.google().await;
        pool.blames_nobody();
        pool.balances();
        assert_eq!(pool.ledger("lost"), left, "what it cost is unknown: {pool:?}");
        eventually("the user's slot is free", async || {
            (house.generate(FLASH, "hello").await.status == 200).then_some(())
        })
        .await;
    }
    house.close().await;
}

#[tokio::test]
async fn in_a_crowd_of_listeners_each_who_leaves_gives_back_one_lease() {
    let house =
        House::open(json!({"limits": {"per_user": {"max_concurrent": 100, "requests_per_minute": 100}}}))
            .await;
    let streams = join_all((0..40).map(|_| begun(house.stream("stream 60 every 50ms")))).await;
    assert_eq!(house.pool_now("google").await.in_flight(), 40);
    let reads = streams.into_iter().enumerate().map(async |(at, (answer, _))| match at % 2 {
        0 => drop(answer),
        _ => assert!(Read::to_end(answer).await.text().contains("event 60 of 60")),
    });
    join_all(reads).await;
    let pool = house.google().await;
    pool.balances();
    pool.blames_nobody();
    assert_eq!((pool.ledger("settled"), pool.ledger("lost")), (20, 20));
    let counts = house.counts().google;
    assert_eq!((counts.requests, counts.streams_finished, counts.streams_cut_by_client), (40, 20, 20));
    house.close().await;
}

#[tokio::test]
async fn a_client_that_leaves_before_any_answer_loses_no_lease() {
    use keygate_tests::sim::{Action, Fault};
    let house = House::open(json!({"providers": {"google": {"timeout": "2s"}}})).await;
    house.sim.script([Fault::new(Action::Hang)]).expect("room");
    let request = house.post(&stream_path(FLASH), &chat("hello"));
    let waiting = tokio::spawn(request.send());
    eventually("the request is on its way", async || (house.upstream_requests() == 1).then_some(())).await;
    waiting.abort();
    house.google().await.balances();
    house.generate(FLASH, "hello").await.is_providers("google", 200, 1);
    house.close().await;
}

#[tokio::test]
async fn a_gateway_that_is_asked_to_end_finishes_the_streams_it_began() {
    let house = House::open(json!({})).await;
    let (answer, first) = begun(house.post(&stream_path(FLASH), &chat("stream 60 every 20ms"))).await;
    let House { gateway, sim, .. } = house;
    let (exit, rest) = tokio::join!(gateway.stop(), Read::to_end(answer));
    assert_eq!(exit.status.code(), Some(0), "{}", exit.stderr);
    assert!(rest.is_complete, "the stream was cut: {}", rest.text());
    let text = String::from_utf8_lossy(&first).into_owned() + &rest.text();
    assert!(text.contains("event 60 of 60") && text.contains("STOP"), "{text}");
    assert_eq!(text.matches("data: ").count(), 60, "{text}");
    let counts = sim.counts().google;
    assert_eq!((counts.requests, counts.streams_finished, counts.streams_cut_by_client), (1, 1, 0));
}

#[tokio::test]
async fn a_gateway_that_is_asked_to_end_answers_what_it_has_taken() {
    use keygate_tests::sim::{Action, Fault};
    let house = House::open(json!({})).await;
    let slow = Fault::new(Action::Pass).delay(std::time::Duration::from_millis(700));
    house.sim.script([slow]).expect("room");
    let request = tokio::spawn(Answer::to(house.post(&generate_path(FLASH), &chat("hello"))));
    eventually("the request is on its way", async || (house.upstream_requests() == 1).then_some(())).await;
    let House { gateway, .. } = house;
    let (exit, answer) = tokio::join!(gateway.stop(), request);
    assert_eq!(exit.status.code(), Some(0), "{}", exit.stderr);
    assert_eq!(answer.expect("no panic").said(), "You said: hello");
}

#[tokio::test]
async fn a_gateway_that_is_asked_to_end_does_not_wait_for_idle_connections() {
    // The grace is longer than the patience of a test: waiting for it would fail.
    let house = House::open(json!({"server": {"shutdown_grace": "10m"}})).await;
    let mut idle = wire::connect(&house.gateway).await;
    let request = "GET /healthz HTTP/1.1\r\nhost: gateway\r\n\r\n";
    tokio::io::AsyncWriteExt::write_all(&mut idle, request.as_bytes()).await.expect("written");
    let mut byte = [0];
    tokio::io::AsyncReadExt::read_exact(&mut idle, &mut byte).await.expect("an answer");
    let silent = wire::connect(&house.gateway).await;
    house.close().await;
    drop((idle, silent));
}

#[tokio::test]
async fn a_stream_longer_than_the_grace_ends_with_it() {
    let house = House::open(json!({"server": {"shutdown_grace": "1s"}})).await;
    let (answer, _) = begun(house.post(&stream_path(FLASH), &chat(ENDLESS))).await;
    let House { gateway, .. } = house;
    let (exit, rest) = tokio::join!(gateway.stop(), Read::to_end(answer));
    assert_eq!(exit.status.code(), Some(0), "{}", exit.stderr);
    assert!(!rest.text().contains("event 10000 of 10000"));
}

#[tokio::test]
async fn a_second_signal_cuts_what_still_runs() {
    let simulator = simulator();
    let yaml = configuration(simulator.endpoints(), &json!({"server": {"shutdown_grace": "10m"}}));
    let gateway = Process::serve(keygate_binary(), "127.0.0.1:0", &yaml, SIMULATED_KEYS).await;
    let request = client().post(format!("{}{}", gateway.url, stream_path(FLASH)));
    let (answer, _) = begun(json_body(request, &chat(ENDLESS))).await;

    gateway.terminate().await;
    eventually("nobody is let in any more", async || client().get(&gateway.url).send().await.err()).await;
    assert_eq!(simulator.counts().google.streams_open, 1, "the stream goes on");
    gateway.terminate().await;
    let (status, rest) = tokio::join!(gateway.ended(), Read::to_end(answer));
    assert_eq!(status.code(), Some(0), "{status}");
    assert!(!rest.is_complete, "a stream that was cut must not look whole");
}

#[tokio::test]
async fn a_gateway_that_is_asked_to_end_is_not_ready_at_once_and_serves_on_for_its_delay() {
    let house = House::open(json!({"server": {"shutdown_delay": "10m", "shutdown_grace": "10m"}})).await;
    let (answer, _) = begun(house.post(&stream_path(FLASH), &chat("stream 60 every 20ms"))).await;
    assert_eq!(Answer::to(house.get("/readyz")).await.status, 200);
    house.gateway.signal("TERM").await;
    let red = eventually("readiness is red", async || {
        let ready = Answer::to(house.get("/readyz")).await;
        (ready.status == 503).then_some(ready)
    })
    .await;
    assert_eq!((red.json()["status"].as_str(), red.header("connection")), (Some("stopping"), "close"));
    assert_eq!(Answer::to(house.get("/healthz")).await.status, 200, "it lives");
    let served = house.generate(FLASH, "hello").await;
    served.is_providers("google", 200, 1);
    assert_eq!(served.header("connection"), "close", "the next request should go elsewhere");
    assert!(Read::to_end(answer).await.is_complete, "what ran when it was asked goes on");
    // The second signal ends the delay and everything else.
    let exit = house.gateway.stop().await;
    assert_eq!(exit.status.code(), Some(0), "{}", exit.stderr);
}

#[tokio::test]
async fn what_was_spent_in_the_last_moments_is_in_the_ledger() {
    let admin = ("KEYGATE_ADMIN_TOKEN", "kg_the_admin_of_this_house");
    let house = House::before(simulator(), json!({}), &[admin]).await;
    let (answer, _) = begun(house.post(&stream_path(FLASH), &chat("stream 60 every 20ms"))).await;
    let House { gateway, sim, .. } = house;
    let ((exit, home), rest) = tokio::join!(gateway.leave(), Read::to_end(answer));
    assert!(exit.status.code() == Some(0) && rest.is_complete, "{}", exit.stderr);
    let next = Keygate::start_in(home, &[SIMULATED_KEYS, &[admin]].concat()).await;
    let used = Answer::to(client().get(next.url("/api/usage")).bearer_auth(admin.1)).await;
    assert_eq!(used.json()["total"]["requests"], 1, "{used:?}");
    assert_eq!(sim.counts().google.streams_finished, 1);
    next.stop().await;
}

#[tokio::test]
async fn a_port_that_is_taken_ends_the_start_with_words() {
    let simulator = simulator();
    let taken = simulator.google_url().strip_prefix("http://").expect("an address").to_owned();
    let yaml = configuration(simulator.endpoints(), &json!({}));
    let exit = Keygate::run(&["serve", "--bind", &taken], &yaml, SIMULATED_KEYS).await;
    assert_eq!(exit.status.code(), Some(69), "{}", exit.stderr);
    assert!(exit.stderr.contains(&taken) && exit.stderr.contains("--bind"), "{}", exit.stderr);
    let answer = Answer::to(client().get(format!("http://{taken}/__sim/counts"))).await;
    assert_eq!(answer.status, 200, "who had the port still has it");
}
