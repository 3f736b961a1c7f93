//! A provider of a few lines whose connections stay open: it falls silent where a script wants it, or never ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::wire::{json_answer, read_request};

/// What a request is answered.
pub(crate) enum Reply {
    /// This, and the end.
    Whole(Vec<u8>),
    /// This, and then nothing, until the other side leaves.
    Stall(Vec<u8>),
    /// A stream of events without an end, as fast as they are taken.
    Flood,
}

/// A running one.
pub(crate) struct Stalling {
    pub(crate) url: String,
    asked: Arc<AtomicUsize>,
    open: Arc<AtomicUsize>,
}

impl Stalling {
    /// Starts it. `script` is told how many requests came before, and the request.
    pub(crate) async fn start(script: impl Fn(usize, &str) -> Reply + 'static + Send + Sync) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("a bound address"));
        let (asked, open) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (its_asked, its_open, script) = (Arc::clone(&asked), Arc::clone(&open), Arc::new(script));
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let (asked, open) = (Arc::clone(&its_asked), Arc::clone(&its_open));
                let script = Arc::clone(&script);
                tokio::spawn(async move {
                    let request = read_request(&mut socket).await;
                    open.fetch_add(1, Ordering::SeqCst);
                    let reply = script(asked.fetch_add(1, Ordering::SeqCst), &request);
                    serve(socket, reply).await;
                    open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { url, asked, open }
    }

    /// How many requests came.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// How many of them still hold their connection.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }
}

async fn serve(mut socket: TcpStream, reply: Reply) {
    // A gateway that leaves is what is waited for.
    match reply {
        Reply::Whole(bytes) => drop(socket.write_all(&bytes).await),
        Reply::Stall(bytes) => {
            let _ = socket.write_all(&bytes).await;
            let _ = socket.read_u8().await;
        }
        Reply::Flood => {
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
            let event = event(&"x".repeat(16 * 1024));
            let mut written = socket.write_all(head.as_bytes()).await;
            while written.is_ok() {
                written = socket.write_all(event.as_bytes()).await;
            }
        }
    }
    let _ = socket.shutdown().await;
}

/// A head that promises `length` bytes of JSON, and the first of them.
pub(crate) fn promising(status: u16, length: usize, first: &str) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status} Told\r\ncontent-type: application/json\r\n");
    format!("{head}content-length: {length}\r\n\r\n{first}").into_bytes()
}

/// A chat in one piece.
pub(crate) fn served() -> Reply {
    Reply::Whole(json_answer(200, &said("served")))
}

fn said(text: &str) -> Value {
    json!({"candidates": [{"content": {"parts": [{"text": text}], "role": "model"}, "finishReason": "STOP"}]})
}

fn event(text: &str) -> String {
    format!("data: {}\r\n\r\n", said(text))
}
