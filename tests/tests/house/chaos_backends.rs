//! Backends that go on asking whatever happens, and judge what they are answered.

use std::ops::AddAssign;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use fastrand::Rng;
use reqwest::{Client, RequestBuilder};
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::answer::{Answer, Read, json_body};
use super::stage::{FLASH, PRO, chat, client, generate_path, stream_path};

const BACKENDS: u64 = 6;
/// Each pauses up to so long after an answer: the gateway is to be troubled, not overloaded.
const LONGEST_PAUSE_MILLIS: u64 = 150;
const USERS: u32 = 20;
/// What may be answered while providers fail at random: nothing blames the caller, who did nothing wrong.
const PROPER: [u16; 6] = [200, 429, 500, 502, 503, 504];

/// Where the gateway is at the moment.
#[derive(Default)]
pub(crate) struct Signpost {
    url: watch::Sender<String>,
    /// Even while there is a gateway; every life has a number of its own.
    life: AtomicU64,
    is_over: AtomicBool,
}

/// What the backends were answered.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) served: u64,
    pub(crate) refused: u64,
    pub(crate) cut: u64,
    pub(crate) met_nobody: u64,
}

/// All of them.
pub(crate) struct Backends {
    signpost: Arc<Signpost>,
    tasks: Vec<JoinHandle<Tally>>,
}

enum Outcome {
    Served,
    Refused,
    Cut,
    Nobody,
}

// === impl Signpost ===

impl Signpost {
    /// The gateway is about to end.
    pub(crate) fn goes(&self) {
        self.life.fetch_add(1, Ordering::SeqCst);
    }

    /// A gateway listens at `url`.
    pub(crate) fn comes(&self, url: String) {
        self.url.send_replace(url);
        if !self.is_up() {
            self.life.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn is_up(&self) -> bool {
        self.life.load(Ordering::SeqCst).is_multiple_of(2)
    }

    fn to(&self, path: &str) -> String {
        format!("{}{path}", *self.url.borrow())
    }
}

// === impl Backends ===

impl Backends {
    /// They begin.
    pub(crate) fn start(url: String, seed: u64) -> (Self, Arc<Signpost>) {
        let signpost = Arc::new(Signpost::default());
        signpost.comes(url);
        let backend = |number| {
            let backend = Backend {
                signpost: Arc::clone(&signpost),
                http: client(),
                random: Rng::with_seed(seed + number),
            };
            tokio::spawn(backend.run())
        };
        let tasks = (0..BACKENDS).map(backend).collect();
        (Self { signpost: Arc::clone(&signpost), tasks }, signpost)
    }

    /// They finish what they are at.
    pub(crate) async fn end(self) -> Tally {
        self.signpost.is_over.store(true, Ordering::SeqCst);
        let mut sum = Tally::default();
        for task in self.tasks {
            sum += task.await.expect("a backend ends without a complaint");
        }
        sum
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.served += other.served;
        self.refused += other.refused;
        self.cut += other.cut;
        self.met_nobody += other.met_nobody;
    }
}

struct Backend {
    signpost: Arc<Signpost>,
    http: Client,
    random: Rng,
}

impl Backend {
    async fn run(mut self) -> Tally {
        let mut tally = Tally::default();
        while !self.signpost.is_over.load(Ordering::SeqCst) {
            match self.ask().await {
                Outcome::Served => tally.served += 1,
                Outcome::Refused => tally.refused += 1,
                Outcome::Cut => tally.cut += 1,
                Outcome::Nobody => tally.met_nobody += 1,
            }
            sleep(Duration::from_millis(self.random.u64(..LONGEST_PAUSE_MILLIS))).await;
        }
        tally
    }

    async fn ask(&mut self) -> Outcome {
        match self.random.u32(..10) {
            0..6 => self.whole().await,
            6..8 => self.stream().await,
            8 => self.leaves().await,
            _ => self.mint().await,
        }
    }

    /// A chat in one piece: there is an answer, unless the gateway itself went away.
    async fn whole(&mut self) -> Outcome {
        let model = if self.random.bool() { FLASH } else { PRO };
        let request = self.post(&generate_path(model), &chat("hello"));
        self.answered(request).await
    }

    async fn mint(&mut self) -> Outcome {
        let persona = json!({"personaConfig": {"name": "p", "avatarId": "a", "voiceId": "v", "llmId": "l"}});
        let request = self.post("/anam/v1/auth/session-token", &persona);
        self.answered(request).await
    }

    async fn answered(&self, request: RequestBuilder) -> Outcome {
        let life = self.life();
        let Ok(answer) = request.send().await else { return self.nobody(life) };
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let Ok(body) = answer.bytes().await else { return self.nobody(life) };
        proper(&Answer { status, headers, body })
    }

    /// A stream: it may be cut, but never without having begun.
    async fn stream(&mut self) -> Outcome {
        let request = self.post(&stream_path(FLASH), &chat("stream 20 every 2ms"));
        let life = self.life();
        let Ok(answer) = request.send().await else { return self.nobody(life) };
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let read = Read::to_end(answer).await;
        if !read.is_complete {
            return Outcome::Cut;
        }
        proper(&Answer { status, headers, body: read.bytes.into() })
    }

    /// Leaves in the middle.
    async fn leaves(&mut self) -> Outcome {
        let request = self.post(&stream_path(PRO), &chat("stream 500 every 5ms"));
        let life = self.life();
        let Ok(mut answer) = request.send().await else { return self.nobody(life) };
        drop(answer.chunk().await);
        Outcome::Cut
    }

    fn post(&mut self, path: &str, body: &serde_json::Value) -> RequestBuilder {
        let user = format!("user {}", self.random.u32(..USERS));
        json_body(self.http.post(self.signpost.to(path)), body).header("x-user-id", user)
    }

    fn life(&self) -> u64 {
        self.signpost.life.load(Ordering::SeqCst)
    }

    /// No answer came: there was no gateway, or it is another by now.
    #[track_caller]
    fn nobody(&self, asked_in: u64) -> Outcome {
        let is_excused = !asked_in.is_multiple_of(2) || self.life() != asked_in;
        assert!(is_excused, "a gateway that went on did not answer");
        Outcome::Nobody
    }
}

/// An answer of the model, or an error that an SDK can read and that time can cure.
#[track_caller]
fn proper(answer: &Answer) -> Outcome {
    assert!(PROPER.contains(&answer.status), "{answer:?}");
    assert!(!answer.header("x-request-id").is_empty(), "{answer:?}");
    if answer.status == 200 {
        assert!(!answer.body.is_empty(), "{answer:?}");
        return Outcome::Served;
    }
    let error = answer.json();
    let (google, anam) = (error["error"]["message"].is_string(), error["error"].is_string());
    assert!(google || anam, "{answer:?}");
    assert!(answer.status != 429 || answer.retry_after().is_some_and(|wait| wait > 0), "{answer:?}");
    Outcome::Refused
}
