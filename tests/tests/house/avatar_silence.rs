//! Session starts while nobody answers. Anam's JavaScript SDK gives up after 10 s and starts a second, billed
//! session: whatever happens, there is an answer before that.

use std::time::Duration;

use keygate_tests::simulator;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::Instant;

use super::answer::Answer;
use super::stage::House;

const MINT: &str = "/anam/v1/auth/session-token";
const START: &str = "/anam/v1/engine/session";
/// What the SDK waits.
const SDK_PATIENCE: Duration = Duration::from_secs(10);

fn persona() -> Value {
    json!({"personaConfig": {"name": "Ada", "avatarId": "a", "voiceId": "v"}})
}

/// Two organisations at this address, under a deadline of any length.
async fn house(address: &str) -> House {
    let anam = json!({"base_url": format!("http://{address}"), "timeout": "60s"});
    House::before(simulator(), json!({"providers": {"anam": anam}}), &[]).await
}

/// Starts by key and by a token of the provider's own, side by side: each is answered in time, in words that
/// the SDK reads.
async fn starts_are_answered_in_time(house: &House) {
    let claims = "eyJhY2NvdW50SWQiOiJvcmctMSIsInR5cGUiOiJlcGhlbWVyYWwifQ";
    let began = Instant::now();
    let by_key = Answer::to(house.post(START, &persona()));
    let by_token = house.post(START, &json!({"clientMetadata": {}})).bearer_auth(format!("h.{claims}.s"));
    let (by_key, by_token) = tokio::join!(by_key, Answer::to(by_token));
    for answer in [by_key, by_token] {
        answer.is_refusal(504, "deadline_exceeded");
        assert!(answer.json()["error"].is_string(), "{answer:?}");
    }
    assert!(began.elapsed() < SDK_PATIENCE, "{:?}", began.elapsed());
    // A mint has the operator's time, unless its caller has less.
    let began = Instant::now();
    let mint = house.post(MINT, &persona()).header("x-server-timeout", "1");
    Answer::to(mint).await.is_refusal(504, "deadline_exceeded");
    assert!(began.elapsed() < SDK_PATIENCE);
}

#[tokio::test]
async fn an_upstream_that_takes_connections_and_says_nothing() {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let house = house(&silent.local_addr().expect("an address").to_string()).await;
    let listening = async {
        let mut taken = Vec::new();
        loop {
            taken.push(silent.accept().await.expect("a connection"));
        }
    };
    tokio::select! {
        () = starts_are_answered_in_time(&house) => {}
        () = async { let () = listening.await; } => {}
    }
    house.close().await;
}

#[tokio::test]
async fn an_upstream_that_does_not_even_take_connections() {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
    let full = socket.listen(0).expect("it listens");
    let address = full.local_addr().expect("an address");
    // Whoever comes after these is not answered: nobody takes them from the queue.
    let queued: Vec<TcpStream> = fill(address).await;
    let house = house(&address.to_string()).await;
    starts_are_answered_in_time(&house).await;
    house.close().await;
    drop((queued, full));
}

/// Connects until nobody gets in any more.
async fn fill(address: std::net::SocketAddr) -> Vec<TcpStream> {
    let mut queued = Vec::new();
    while let Ok(Ok(stream)) =
        tokio::time::timeout(Duration::from_millis(300), TcpStream::connect(address)).await
    {
        queued.push(stream);
        assert!(queued.len() < 64, "the queue has an end");
    }
    queued
}
