//! Where alerts and calls to bots arrive: a web server and a mail server on loopback that keep what they get.

use std::collections::VecDeque;
use std::sync::Arc;

use hmac::{Hmac, KeyInit as _, Mac as _};
use keygate_tests::eventually;
use serde_json::Value;
use sha2::Sha256;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

/// What a web server was sent.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
            .unwrap_or_default()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }

    /// Whether its sender knows `secret`, by its own computation.
    pub(crate) fn is_signed_with(&self, secret: &str) -> bool {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any key will do");
        mac.update(format!("{}.{}", self.header("x-keygate-timestamp"), self.body).as_bytes());
        let signature = self.header("x-keygate-signature");
        let digits = signature.strip_prefix("v1=").unwrap_or_default().as_bytes();
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        let sum: Option<Vec<u8>> = digits.chunks(2).map(byte).collect();
        sum.is_some_and(|sum| mac.verify_slice(&sum).is_ok())
    }

    /// The events and states of an alert letter.
    pub(crate) fn alerts(&self) -> Vec<(String, String)> {
        let body = self.json();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let alerts = body["alerts"].as_array().expect("alerts").clone();
        alerts.iter().map(|alert| (text(&alert["event"]), text(&alert["state"]))).collect()
    }
}

/// What a web server answers.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    With(u16, String),
    /// Nothing, for ever.
    Silence,
}

impl Reply {
    pub(crate) fn json(body: &Value) -> Self {
        Self::With(200, body.to_string())
    }
}

/// A web server that keeps what it gets. It answers as scripted, then always the same.
pub(crate) struct WebReceiver {
    pub(crate) url: String,
    received: Arc<Mutex<Vec<Received>>>,
    serving: JoinHandle<()>,
}

impl WebReceiver {
    pub(crate) async fn start(script: Vec<Reply>, then: Reply) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let received = Arc::<Mutex<Vec<Received>>>::default();
        let (kept, script) = (Arc::clone(&received), Arc::new(Mutex::new(VecDeque::from(script))));
        let serving = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (kept, script, then) = (Arc::clone(&kept), Arc::clone(&script), then.clone());
                tokio::spawn(async move { serve(socket, &kept, &script, then).await });
            }
        });
        Self { url, received, serving }
    }

    /// One that takes everything.
    pub(crate) async fn patient() -> Self {
        Self::start(Vec::new(), Reply::With(200, "ok".to_owned())).await
    }

    pub(crate) async fn all(&self) -> Vec<Received> {
        self.received.lock().await.clone()
    }

    /// The first that `wanted` finds.
    pub(crate) async fn first(&self, what: &str, wanted: impl Fn(&Received) -> bool) -> Received {
        eventually(what, async || self.all().await.into_iter().find(|one| wanted(one))).await
    }

    /// The first alert letter with this event in this state.
    pub(crate) async fn alert(&self, event: &str, state: &str) -> Received {
        let wanted = (event.to_owned(), state.to_owned());
        self.first(&format!("{event} is told as {state}"), |one| one.alerts().contains(&wanted)).await
    }

    /// How often an event was told in this state.
    pub(crate) async fn times(&self, event: &str, state: &str) -> usize {
        let wanted = (event.to_owned(), state.to_owned());
        self.all().await.iter().flat_map(Received::alerts).filter(|alert| *alert == wanted).count()
    }
}

impl Drop for WebReceiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(socket: TcpStream, kept: &Mutex<Vec<Received>>, script: &Mutex<VecDeque<Reply>>, then: Reply) {
    let mut reader = BufReader::new(socket);
    loop {
        let Some(received) = read(&mut reader).await else { return };
        kept.lock().await.push(received);
        let reply = script.lock().await.pop_front().unwrap_or_else(|| then.clone());
        let (status, body) = match reply {
            Reply::With(status, body) => (status, body),
            Reply::Silence => return std::future::pending().await,
        };
        let head = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        if reader.get_mut().write_all(format!("{head}{body}").as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn read(reader: &mut BufReader<TcpStream>) -> Option<Received> {
    let mut line = String::new();
    reader.read_line(&mut line).await.ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).await.ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length: usize = length.and_then(|(_, value)| value.parse().ok()).unwrap_or_default();
    let mut body = vec![0; length];
    reader.read_exact(&mut body).await.ok()?;
    Some(Received { path, headers, body: String::from_utf8(body).ok()? })
}

/// A mail server that takes mail from who logs in.
pub(crate) struct MailReceiver {
    pub(crate) address: String,
    mails: Arc<Mutex<Vec<String>>>,
    serving: JoinHandle<()>,
}

impl MailReceiver {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let mails = Arc::<Mutex<Vec<String>>>::default();
        let kept = Arc::clone(&mails);
        let serving = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let kept = Arc::clone(&kept);
                tokio::spawn(async move { take_mail(socket, &kept).await });
            }
        });
        Self { address, mails, serving }
    }

    /// The first mail, dialogue and all, in which `words` stand.
    pub(crate) async fn mail(&self, words: &str) -> String {
        eventually(&format!("a mail says {words:?}"), async || {
            self.mails.lock().await.iter().find(|mail| mail.contains(words)).cloned()
        })
        .await
    }
}

impl Drop for MailReceiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn take_mail(socket: TcpStream, kept: &Mutex<Vec<String>>) -> Option<()> {
    let mut reader = BufReader::new(socket);
    let mut said = String::new();
    let mut is_text = false;
    reader.get_mut().write_all(b"220 mail.test ESMTP\r\n").await.ok()?;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        said.push_str(&line);
        let word = line.trim_end().to_uppercase();
        let reply: &str = if is_text {
            if line != ".\r\n" {
                continue;
            }
            is_text = false;
            kept.lock().await.push(std::mem::take(&mut said));
            "250 taken\r\n"
        } else if word.starts_with("EHLO") {
            "250-mail.test\r\n250-AUTH PLAIN LOGIN\r\n250 8BITMIME\r\n"
        } else if word.starts_with("AUTH") {
            "235 welcome\r\n"
        } else if word == "DATA" {
            is_text = true;
            "354 go on\r\n"
        } else if word == "QUIT" {
            "221 bye\r\n"
        } else {
            "250 ok\r\n"
        };
        reader.get_mut().write_all(reply.as_bytes()).await.ok()?;
    }
}

/// A port on which nobody listens, and that nobody else gets while this lives: one that was merely free a moment ago
/// is soon handed to another test.
pub(crate) struct ClosedPort(TcpSocket);

impl ClosedPort {
    pub(crate) fn reserve() -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
        Self(socket)
    }

    /// `http://host:port`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.0.local_addr().expect("an address"))
    }
}
