//! Bytes on sockets where no HTTP library would send or answer them so.

use std::time::Duration;

use keygate_tests::{Keygate, PATIENCE};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::answer::Answer;

/// Sends these bytes and reads whatever comes until the gateway closes the connection.
pub(crate) async fn send(gateway: &Keygate, request: &str) -> Answer {
    let mut socket = connect(gateway).await;
    socket.write_all(request.as_bytes()).await.expect("the request can be written");
    let mut bytes = Vec::new();
    let read = timeout(PATIENCE, socket.read_to_end(&mut bytes)).await;
    assert!(
        read.is_ok(),
        "no end of the answer to {request:?}, so far {:?}",
        String::from_utf8_lossy(&bytes)
    );
    parsed(&bytes)
}

/// A connection to the gateway.
pub(crate) async fn connect(gateway: &Keygate) -> TcpStream {
    let url = gateway.url("");
    let address = url.strip_prefix("http://").expect("an address");
    TcpStream::connect(address).await.expect("the gateway takes connections")
}

fn parsed(bytes: &[u8]) -> Answer {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
    let pairs = lines.filter_map(|line| line.split_once(": "));
    let pairs = pairs.filter_map(|(name, value)| {
        let name: reqwest::header::HeaderName = name.parse().ok()?;
        Some((name, value.parse().ok()?))
    });
    Answer {
        status: status.unwrap_or_else(|| panic!("no status: {text:?}")),
        headers: pairs.collect(),
        body: body.to_owned().into(),
    }
}

/// What a slow provider takes between two pieces; they may still arrive as one, which a test must allow for.
const BETWEEN_PIECES: Duration = Duration::from_millis(50);

/// A provider of a few lines: each connection brings one request, is given the bytes that `script` wants, and ends.
pub(crate) struct Upstream {
    pub(crate) url: String,
    requests: mpsc::UnboundedReceiver<String>,
}

impl Upstream {
    /// Starts it. `script` is told how many requests came before, and the request.
    pub(crate) async fn start(script: impl Fn(usize, &str) -> Vec<u8> + 'static + Send + Sync) -> Self {
        Self::in_pieces(move |number, request| vec![script(number, request)]).await
    }

    /// The same with answers in pieces that arrive apart.
    pub(crate) async fn in_pieces(
        script: impl Fn(usize, &str) -> Vec<Vec<u8>> + 'static + Send + Sync,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("a bound address"));
        let (told, requests) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let mut number = 0;
            while let Ok((socket, _)) = listener.accept().await {
                serve(socket, |request| script(number, request), &told).await;
                number += 1;
            }
        });
        Self { url, requests }
    }

    /// The requests that came since the last look.
    pub(crate) fn requests(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.requests.try_recv().ok()).collect()
    }
}

/// A whole JSON answer in bytes.
pub(crate) fn json_answer(status: u16, body: &Value) -> Vec<u8> {
    let body = body.to_string();
    let head = format!("HTTP/1.1 {status} Told\r\ncontent-type: application/json\r\nconnection: close\r\n");
    format!("{head}content-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

async fn serve(
    mut socket: TcpStream,
    script: impl FnOnce(&str) -> Vec<Vec<u8>>,
    told: &mpsc::UnboundedSender<String>,
) {
    let request = read_request(&mut socket).await;
    let pieces = script(&request);
    // A test or a client that has gone is its own business.
    let _ = told.send(request);
    let _ = socket.set_nodelay(true);
    for (at, piece) in pieces.iter().enumerate() {
        if at > 0 {
            sleep(BETWEEN_PIECES).await;
        }
        let _ = socket.write_all(piece).await;
    }
    let _ = socket.shutdown().await;
}

pub(crate) async fn read_request(socket: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    while !is_whole(&bytes) {
        match socket.read_buf(&mut bytes).await {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn is_whole(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok());
    body.len() >= length.unwrap_or(0_usize)
}
