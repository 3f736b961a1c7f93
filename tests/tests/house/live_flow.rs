//! How messages flow: any kind and size as it came, and no faster than the other side reads.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use keygate_tests::{eventually, simulator};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::time::sleep;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, accept_async};

use super::live::{LIVE, setup, turn};
use super::socket::{Event, Socket};
use super::stage::House;

const MIB: usize = 1 << 20;
/// Far more than all buffers on the way hold.
const MESSAGES: usize = 64;
/// What the gateway may need for a connection that stands still.
const STANDING: u64 = 24 << 20;

/// A house whose provider is this listener.
async fn before(listener: &TcpListener) -> House {
    let address = listener.local_addr().expect("it listens");
    let changes = json!({"providers": {"google": {"base_url": format!("http://{address}")}}});
    House::before(simulator(), changes, &[]).await
}

/// The provider's side of the next session, set up.
async fn session(listener: &TcpListener) -> WebSocketStream<TcpStream> {
    let (stream, _) = listener.accept().await.expect("the gateway connects");
    let mut socket = accept_async(stream).await.expect("a handshake");
    let first = socket.next().await.expect("a frame").expect("a frame");
    assert_eq!(first.into_text().expect("as it was sent").as_str(), setup().to_string());
    let complete = Message::Binary(br#"{"setupComplete":{}}"#.to_vec().into());
    socket.send(complete).await.expect("the gateway reads");
    socket
}

async fn set_up(house: &House) -> Socket {
    let mut socket = Socket::open(&house.gateway.url(""), LIVE, &[]).await.expect("opened");
    socket.say(&setup()).await;
    assert_eq!(socket.json().await, json!({"setupComplete": {}}));
    socket
}

fn message(number: usize) -> Vec<u8> {
    vec![u8::try_from(number % 251).expect("a byte"); MIB]
}

/// Waits until nothing more is sent.
async fn stands_still(sent: &AtomicUsize) -> usize {
    let mut before = usize::MAX;
    loop {
        let now = sent.load(Ordering::Relaxed);
        if now == before && now > 0 {
            return now;
        }
        before = now;
        sleep(Duration::from_millis(700)).await;
    }
}

#[tokio::test]
async fn messages_of_any_kind_and_size_pass_as_they_came() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let house = before(&listener).await;
    let echo = async {
        let mut provider = session(&listener).await;
        while let Some(Ok(message)) = provider.next().await {
            if message.is_text() || message.is_binary() {
                provider.send(message).await.expect("the gateway reads");
            }
        }
    };
    let talk = async {
        let mut caller = set_up(&house).await;
        for size in [0, 1, 125, 126, 65_535, 65_536, 3 * MIB] {
            let text = "aß語🦀".repeat(size / 10 + 1);
            caller.send(Message::Text(text.clone().into())).await;
            assert!(matches!(caller.next().await, Event::Text(back) if back == text), "text of {size}");
            let bytes: Vec<u8> = (0..size).map(|at| (at * 31 % 256) as u8).collect();
            caller.send(Message::Binary(bytes.clone().into())).await;
            assert!(matches!(caller.next().await, Event::Bytes(back) if back == bytes), "{size} bytes");
        }
        caller.close(4321, "grüße").await;
    };
    tokio::join!(echo, talk);
    house.close().await;
}

#[tokio::test]
async fn a_message_beyond_all_bounds_ends_the_connection_and_says_why() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let house = before(&listener).await;
    let provider = async {
        let mut provider = session(&listener).await;
        while let Some(Ok(message)) = provider.next().await {
            assert!(message.is_close(), "nothing of it arrives: {} bytes", message.len());
        }
    };
    let caller = async {
        let mut caller = set_up(&house).await;
        // The head of the frame alone says how large it is.
        let half = 17 * MIB;
        let _ = caller.0.send(Message::Binary(vec![7; half].into())).await;
        assert_eq!(caller.end().await.code, 1009);
    };
    tokio::join!(provider, caller);
    house.close().await;
}

#[tokio::test]
async fn a_caller_that_does_not_read_holds_the_provider_back_and_fills_no_memory() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let house = before(&listener).await;
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&sent);
    let provider = async {
        let mut provider = session(&listener).await;
        for number in 0..MESSAGES {
            provider.send(Message::Binary(message(number).into())).await.expect("in the end it is read");
            counted.store(number + 1, Ordering::Relaxed);
        }
        while let Some(Ok(_)) = provider.next().await {}
    };
    let caller = async {
        let mut caller = set_up(&house).await;
        let before = house.gateway.peak_memory_bytes();
        let stood_at = stands_still(&sent).await;
        assert!(stood_at < MESSAGES / 2, "{stood_at} MiB are on their way to nobody");
        let grown = house.gateway.peak_memory_bytes() - before;
        assert!(grown < STANDING, "{grown} bytes more");
        for number in 0..MESSAGES {
            let Event::Bytes(bytes) = caller.next().await else { panic!("message {number} is missing") };
            assert!(bytes == message(number), "message {number} is another");
        }
        caller.close(1000, "").await;
    };
    tokio::join!(provider, caller);
    house.close().await;
}

#[tokio::test]
async fn a_provider_that_does_not_read_holds_the_caller_back_and_fills_no_memory() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let house = before(&listener).await;
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&sent);
    let (read_on, may_read) = oneshot::channel();
    let provider = async {
        let mut provider = session(&listener).await;
        may_read.await.expect("the test goes on");
        for number in 0..MESSAGES {
            let heard = provider.next().await.expect("a message").expect("a message");
            assert!(heard.into_data() == message(number), "message {number} is another");
        }
        while let Some(Ok(_)) = provider.next().await {}
    };
    let caller = async {
        let mut caller = set_up(&house).await;
        let before = house.gateway.peak_memory_bytes();
        let sending = async {
            for number in 0..MESSAGES {
                caller.0.send(Message::Binary(message(number).into())).await.expect("in the end it is read");
                counted.store(number + 1, Ordering::Relaxed);
            }
        };
        let watching = async {
            let stood_at = stands_still(&sent).await;
            assert!(stood_at < MESSAGES / 2, "{stood_at} MiB are on their way to nobody");
            let grown = house.gateway.peak_memory_bytes() - before;
            assert!(grown < STANDING, "{grown} bytes more");
            read_on.send(()).expect("the provider waits");
        };
        tokio::join!(sending, watching);
        caller.close(1000, "").await;
    };
    tokio::join!(provider, caller);
    house.close().await;
}

/// A session may last a quarter of an hour: what it uses is known to the budgets while it goes on.
#[tokio::test]
async fn tokens_of_a_session_count_while_it_goes_on_and_once() {
    let budgets = json!({"default": {"input_tokens_per_minute": 100_000, "tokens_per_day": 100_000}});
    let keys = json!([{"secret": "env:ALPHA_1", "label": "alpha_1", "group": "alpha"}]);
    let house = House::open(json!({"providers": {"google": {"budgets": budgets, "keys": keys}}})).await;
    let used = async |metric: &str| {
        let pool = house.pool_now("google").await;
        let budgets = pool.key("alpha_1")["budgets"].as_array().cloned().unwrap_or_default();
        let of_metric = budgets.into_iter().find(|budget| budget["metric"] == metric);
        of_metric.and_then(|budget| budget["used"].as_u64()).unwrap_or_default()
    };
    let mut socket = Socket::open(&house.gateway.url(""), LIVE, &[]).await.expect("opened");
    socket.say(&setup()).await;
    socket.json().await;
    let (mut input, mut total) = (0, 0);
    for text in ["a first turn that is long enough to be seen", "and another"] {
        socket.say(&turn(text)).await;
        let usage = loop {
            let frame = socket.json().await;
            if frame["usageMetadata"].is_object() {
                break frame["usageMetadata"].clone();
            }
        };
        input += usage["promptTokenCount"].as_u64().expect("a count");
        total += usage["totalTokenCount"].as_u64().expect("a count");
        eventually("what was used is known", async || {
            let known = (used("input_tokens_per_minute").await, used("tokens_per_day").await);
            (known == (input, total)).then_some(())
        })
        .await;
        assert_eq!(house.pool_now("google").await.in_flight(), 1, "it goes on");
    }
    socket.close(1000, "bye").await;
    house.google().await.blames_nobody();
    assert_eq!((used("input_tokens_per_minute").await, used("tokens_per_day").await), (input, total));
    house.close().await;
}
