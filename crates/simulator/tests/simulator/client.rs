//! A client that hides nothing: bytes as they came, and how the connection ended.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use keygate_simulator::{
    GoogleKey, GoogleProject, ModelLimits, Population, RunningSimulator, SimConfig, Simulator,
};
use serde_json::Value;

/// The key of the default population most tests use.
pub const KEY: &str = "sim-google-alpha-1";
/// A path that generates.
pub const GENERATE: &str = "/v1beta/models/gemini-3.8-flash:generateContent";
/// A path that streams events.
pub const STREAM: &str = "/v1beta/models/gemini-3.8-flash:streamGenerateContent?alt=sse";

/// An answer.
#[derive(Debug, Default)]
pub struct Reply {
    /// 0 when no head came.
    pub status: u16,
    pub headers: Vec<(String, String)>,
    /// The body, chunks joined.
    pub body: Vec<u8>,
    /// The chunks, for chunked bodies.
    pub chunks: Vec<Vec<u8>>,
    /// Whether the body's end came.
    pub is_complete: bool,
    /// How reading failed, if it did.
    pub broken: Option<io::ErrorKind>,
}

impl Reply {
    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Text at a JSON pointer.
    pub fn at(&self, pointer: &str) -> String {
        match self.json().pointer(pointer) {
            Some(Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
            None => String::new(),
        }
    }
}

/// Sends a request and reads until the server closes.
pub fn send(base: &str, method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Reply {
    let mut stream = open(base, method, target, headers, body);
    let mut raw = Vec::new();
    let broken = stream.read_to_end(&mut raw).err().map(|error| error.kind());
    Reply { broken, ..parsed(&raw) }
}

/// Sends a request and hands the connection over unread.
pub fn open(base: &str, method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> TcpStream {
    let address = base.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut head = format!("{method} {target} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n");
    for (name, value) in headers {
        head.extend([name, ": ", value, "\r\n"]);
    }
    head.extend(["content-length: ", &body.len().to_string(), "\r\n\r\n"]);
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body.as_bytes()).unwrap();
    stream
}

fn parsed(raw: &[u8]) -> Reply {
    let Some(end) = raw.windows(4).position(|window| window == b"\r\n\r\n") else { return Reply::default() };
    let head = std::str::from_utf8(&raw[..end]).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let split =
        |line: &str| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned())).unwrap();
    let mut reply = Reply { status, headers: lines.map(split).collect(), ..Reply::default() };
    let rest = &raw[end + 4..];
    if reply.header("transfer-encoding") == Some("chunked") {
        (reply.chunks, reply.is_complete) = chunks(rest);
        reply.body = reply.chunks.concat();
    } else {
        let length: usize =
            reply.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        reply.is_complete = rest.len() == length;
        reply.body = rest.to_vec();
    }
    reply
}

fn chunks(mut rest: &[u8]) -> (Vec<Vec<u8>>, bool) {
    let mut chunks = Vec::new();
    while let Some(end) = rest.windows(2).position(|window| window == b"\r\n") {
        let length = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
        if length == 0 {
            return (chunks, true);
        }
        let start = end + 2;
        if rest.len() < start + length + 2 {
            break;
        }
        chunks.push(rest[start..start + length].to_vec());
        rest = &rest[start + length + 2..];
    }
    (chunks, false)
}

/// A generating request that says `text`.
pub fn saying(text: &str) -> String {
    serde_json::json!({"contents": [{"role": "user", "parts": [{"text": text}]}]}).to_string()
}

/// Posts with a Gemini key in the header.
pub fn post(simulator: &RunningSimulator, key: &str, target: &str, body: &str) -> Reply {
    send(simulator.google_url(), "POST", target, &[("x-goog-api-key", key)], body)
}

/// Any method with a Gemini key in the header.
pub fn google(simulator: &RunningSimulator, key: &str, method: &str, target: &str, body: &str) -> Reply {
    send(simulator.google_url(), method, target, &[("x-goog-api-key", key)], body)
}

/// Any method with an Anam bearer.
pub fn anam(simulator: &RunningSimulator, bearer: &str, method: &str, target: &str, body: &str) -> Reply {
    let bearer = format!("Bearer {bearer}");
    send(simulator.anam_url(), method, target, &[("authorization", &bearer)], body)
}

/// A simulator as it comes, on a clock that stands still at noon in California.
pub fn standing() -> RunningSimulator {
    populated(Population::default())
}

/// A simulator with this population, on a clock that stands still at noon in California.
pub fn populated(population: Population) -> RunningSimulator {
    let starts_at = Some("2026-11-20T20:00:00Z".parse().unwrap());
    Simulator::start(SimConfig { speed: 0.0, starts_at, population, ..SimConfig::default() }).unwrap()
}

/// One project `alpha` with two keys and these limits for every model.
pub fn limited(limits: &ModelLimits) -> GoogleProject {
    GoogleProject {
        keys: vec![GoogleKey::new("alpha-1"), GoogleKey::new("alpha-2")],
        limits: vec![ModelLimits { model: "*".to_owned(), ..limits.clone() }],
        ..GoogleProject::named("alpha")
    }
}

/// A population of Gemini projects alone.
pub fn projects(projects: Vec<GoogleProject>) -> Population {
    let mut population = Population::empty();
    population.google.projects = projects;
    population
}

/// Waits until a condition holds.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < deadline, "never came true: {what}");
        std::thread::yield_now();
    }
}
