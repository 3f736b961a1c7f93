//! Whoever falls silent, provider or caller, holds nothing for longer than a request may take.

use keygate_tests::{PATIENCE, eventually, simulator};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use super::answer::Answer;
use super::stage::{FLASH, House, chat, generate_path, stream_path};
use super::stalling::{Reply, Stalling, promising, served};
use super::wire;

async fn before(upstream: &Stalling, mut changes: Value) -> House {
    changes["providers"]["google"]["base_url"] = json!(upstream.url);
    House::before(simulator(), changes, &[]).await
}

fn post(path: &str, body: &str) -> String {
    let head = format!("POST {path} HTTP/1.1\r\nhost: gateway\r\ncontent-type: application/json\r\n");
    format!("{head}content-length: {}\r\n\r\n{body}", body.len())
}

/// A connection of a caller that takes little at a time.
async fn narrow(house: &House) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a small buffer");
    let url = house.gateway.url("");
    let address = url.strip_prefix("http://").and_then(|at| at.parse().ok()).expect("an address");
    socket.connect(address).await.expect("the gateway takes connections")
}

#[tokio::test]
async fn a_caller_that_stops_reading_gives_everything_back_soon_after_the_deadline() {
    let upstream = Stalling::start(|number, _| if number == 0 { Reply::Flood } else { served() }).await;
    let limits = json!({"limits": {"per_user": {"max_concurrent": 1}}});
    let mut changes = json!({"providers": {"google": {"timeout": "2s"}}});
    changes["limits"] = limits["limits"].clone();
    let house = before(&upstream, changes).await;

    let mut stalled = narrow(&house).await;
    let request = post(&stream_path(FLASH), &chat("hello").to_string());
    stalled.write_all(request.as_bytes()).await.expect("written");
    let mut first = [0; 512];
    stalled.read_exact(&mut first).await.expect("the answer begins");
    assert!(first.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&first));
    house.generate(FLASH, "hello").await.is_refusal(429, "user_limited");

    eventually("the provider is let go", async || (upstream.open() == 0).then_some(())).await;
    let pool = house.google().await;
    pool.blames_nobody();
    assert_eq!(pool.ledger("attempts"), 1);
    assert!(!house.gateway.stderr().contains("never settled"), "the lease came back by itself");
    eventually("the user's slot is free", async || {
        (house.generate(FLASH, "hello").await.status == 200).then_some(())
    })
    .await;

    // Should it read on after all, it must not take half an answer for a whole one.
    let mut rest = Vec::new();
    // A connection that breaks is an end as good as any here.
    let _ = timeout(PATIENCE, stalled.read_to_end(&mut rest)).await.expect("the connection ends");
    assert!(!rest.ends_with(b"\r\n0\r\n\r\n"), "the answer ended as if it were whole");
    house.close().await;
}

#[tokio::test]
async fn a_caller_that_hangs_up_while_it_waits_gives_everything_back() {
    use keygate_tests::sim::{Action, Fault};
    let house = House::open(json!({"limits": {"per_user": {"max_concurrent": 1}}})).await;
    house.sim.script([Fault::new(Action::Hang)]).expect("room");
    let mut socket = wire::connect(&house.gateway).await;
    let request = post(&generate_path(FLASH), &chat("hello").to_string());
    socket.write_all(request.as_bytes()).await.expect("written");
    eventually("the request is on its way", async || (house.upstream_requests() == 1).then_some(())).await;
    house.generate(FLASH, "hello").await.is_refusal(429, "user_limited");

    // As a client does that has waited long enough: it closes, and the other side may still send.
    socket.shutdown().await.expect("closed");
    eventually("the provider notices that nobody waits", async || {
        (house.counts().google.unanswered == 1).then_some(())
    })
    .await;
    let pool = house.google().await;
    pool.blames_nobody();
    assert_eq!(pool.ledger("lost"), 1, "what it cost is unknown: {pool:?}");
    house.generate(FLASH, "hello").await.is_providers("google", 200, 1);
    drop(socket);
    house.close().await;
}

#[tokio::test]
async fn an_error_whose_text_never_comes_leaves_time_for_another_key() {
    let upstream = Stalling::start(|number, _| match number {
        0 => Reply::Stall(promising(503, 1000, "{\"error\": ")),
        _ => served(),
    })
    .await;
    let house = before(&upstream, json!({"providers": {"google": {"timeout": "25s"}}})).await;
    let answer = house.generate(FLASH, "hello").await;
    answer.is_providers("google", 200, 2);
    assert_eq!(answer.said(), "served");
    house.close().await;
}

/// What is sent too late is billed, or starts a session, for nobody.
#[tokio::test]
async fn nothing_is_sent_after_the_deadline() {
    let house = House::open(json!({})).await;
    let persona = json!({"personaConfig": {"name": "Ada", "avatarId": "a", "voiceId": "v"}});
    let start = house.post("/anam/v1/engine/session", &persona).header("x-server-timeout", "0.000001");
    let answer = Answer::to(start).await;
    answer.is_refusal(504, "deadline_exceeded");
    answer.took("anam", 0);
    assert_eq!(house.counts().anam.requests, 0);
    house.close().await;
}

#[tokio::test]
async fn bodies_that_do_not_come_hold_no_connection() {
    let house = House::open(json!({"providers": {"google": {"timeout": "1s"}}})).await;
    let declared = 100 * 1024 * 1024;
    let path = generate_path(FLASH);
    for (length, sent) in [(100, "{"), (declared, "{"), (100, "")] {
        let head = format!("POST {path} HTTP/1.1\r\nhost: gateway\r\ncontent-length: {length}\r\n\r\n{sent}");
        let answer = wire::send(&house.gateway, &head).await;
        answer.is_refusal(504, "deadline_exceeded");
        answer.says_native("DEADLINE_EXCEEDED", "The request body did not arrive in time");
    }
    assert_eq!(house.upstream_requests(), 0);
    assert_eq!(house.google().await.ledger("attempts"), 0, "no key was touched");
    house.close().await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn declaring_a_large_body_costs_the_gateway_no_memory() {
    let house = House::open(json!({})).await;
    let before = address_space_kb(&house);
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: gateway\r\ncontent-length: 104857600\r\n\r\n{{",
        generate_path(FLASH)
    );
    let mut waiting = Vec::new();
    for _ in 0..50 {
        let mut socket = wire::connect(&house.gateway).await;
        socket.write_all(head.as_bytes()).await.expect("written");
        waiting.push(socket);
    }
    // Served behind the others by the same workers.
    for _ in 0..4 {
        house.generate(FLASH, "hello").await.is_providers("google", 200, 1);
    }
    let grown = address_space_kb(&house).saturating_sub(before);
    assert!(grown < 1024 * 1024, "grown by {grown} KiB for 5 GB that were only declared");
    drop(waiting);
    house.close().await;
}

#[cfg(target_os = "linux")]
fn address_space_kb(house: &House) -> u64 {
    let home = house.gateway.home().canonicalize().expect("a folder");
    let processes =
        std::fs::read_dir("/proc").expect("Linux").filter_map(Result::ok).map(|entry| entry.path());
    // The only process in this folder.
    let mut gateways = processes.filter(|path| path.join("cwd").read_link().is_ok_and(|cwd| cwd == home));
    let status = gateways.next().expect("it runs").join("status");
    let status = std::fs::read_to_string(status).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmSize:")).expect("a line");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// Whoever serves no `WebSocket` may ignore the wish for one.
#[tokio::test]
async fn a_wish_to_upgrade_hangs_nobody() {
    let house = House::open(json!({})).await;
    let upgrade = "connection: upgrade\r\nupgrade: websocket\r\n";
    let models = format!("GET /v1beta/models HTTP/1.1\r\nhost: gateway\r\n{upgrade}\r\n");
    let answer = wire::send(&house.gateway, &models).await;
    answer.is_providers("google", 200, 1);

    let chat = post(&generate_path(FLASH), &chat("hello").to_string());
    let chat = chat.replacen("host: gateway\r\n", &format!("host: gateway\r\n{upgrade}"), 1);
    let answer = wire::send(&house.gateway, &chat).await;
    answer.is_providers("google", 200, 1);

    for path in ["/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent", "/anam/ws"]
    {
        let socket = format!("GET {path}?key=x HTTP/1.1\r\nhost: gateway\r\n{upgrade}\r\n");
        let answer: Answer = wire::send(&house.gateway, &socket).await;
        answer.is_refusal(400, "bad_request");
    }
    house.close().await;
}
