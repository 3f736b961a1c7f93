//! Measures what it costs to find out what a request names, beside reading its body once:
//! `cargo run --release -p keygate-bench --no-default-features --bin scan [ROUNDS]`.

use std::hint::black_box;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Method};
use keygate_provider::{Inbound, Origin, ProviderOptions};
use keygate_provider_google::ADAPTER;

const MEBIBYTE: usize = 1024 * 1024;
const PATH: &str = "/v1beta/models/gemini-3.8-flash:generateContent";
/// What must hold of inline media.
const MOST_TIMES_THE_FLOOR: f64 = 2.0;

/// As in keygate itself.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A body, and the fastest of the rounds.
struct Case {
    name: &'static str,
    body: Bytes,
    is_held: bool,
    floor: Duration,
    understood: Duration,
}

impl Case {
    fn new(name: &'static str, body: String, is_held: bool) -> Self {
        Self { name, body: Bytes::from(body), is_held, floor: Duration::MAX, understood: Duration::MAX }
    }

    fn round(&mut self) {
        let repeats = (MEBIBYTE / self.body.len()).max(1);
        let times = u32::try_from(repeats).unwrap_or(u32::MAX);
        let floor = timed(|| {
            for _ in 0..repeats {
                // No body holds it.
                assert!(memchr::memchr(0, black_box(&self.body)).is_none());
            }
        });
        let (provider, headers) = ((ADAPTER.build)(&ProviderOptions::default()), HeaderMap::new());
        let understood = timed(|| {
            for _ in 0..repeats {
                let inbound = Inbound {
                    method: &Method::POST,
                    path: PATH,
                    query: None,
                    headers: &headers,
                    body: black_box(&self.body),
                    origin: Origin::INSIDE,
                    request_id: "",
                };
                assert!(provider.understand(&inbound).is_ok_and(|intent| intent.references.is_empty()));
            }
        });
        self.floor = self.floor.min(floor / times);
        self.understood = self.understood.min(understood / times);
    }

    fn ratio(&self) -> f64 {
        self.understood.as_secs_f64() / self.floor.as_secs_f64()
    }
}

fn main() -> io::Result<ExitCode> {
    let rounds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(20);
    let mut cases = [
        Case::new("inline media, 20 MiB", inline("iVBORw0KGgoAAAANSUhEUgAABAAAAAQACAYAAAB/"), true),
        Case::new(
            "the same from PHP, every slash escaped",
            inline("iVBORw0KGgoAAAANSUhEUgAABAAAAAQACAYAAAB\\/"),
            false,
        ),
        Case::new("text in parts of 100 bytes, 20 MiB", texts(), false),
        Case::new("a chat of 1 KiB", chat(), false),
    ];
    for _ in 0..rounds {
        // One after the other, so that a slow minute of the machine is everybody's.
        cases.iter_mut().for_each(Case::round);
    }
    let mut out = io::stdout();
    writeln!(
        out,
        "| body | reading it once, µs | understanding it, µs | × | verdict |\n|---|--:|--:|--:|---|"
    )?;
    for case in &cases {
        let micros = |span: Duration| span.as_secs_f64() * 1e6;
        let is_met = case.ratio() <= MOST_TIMES_THE_FLOOR;
        let verdict = match (case.is_held, is_met) {
            (false, _) => "",
            (true, true) => "≤ 2 × pass",
            (true, false) => "≤ 2 × FAIL",
        };
        let (name, floor, understood) = (case.name, micros(case.floor), micros(case.understood));
        writeln!(out, "| {name} | {floor:.2} | {understood:.2} | {:.2} | {verdict} |", case.ratio())?;
    }
    let all_met = cases.iter().all(|case| !case.is_held || case.ratio() <= MOST_TIMES_THE_FLOOR);
    Ok(if all_met { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn timed(work: impl FnOnce()) -> Duration {
    let began = Instant::now();
    work();
    began.elapsed()
}

fn inline(base64: &str) -> String {
    let data = base64.repeat(20 * MEBIBYTE / base64.len());
    format!(
        r#"{{"contents":[{{"role":"user","parts":[{{"text":"What is this?"}},{{"inlineData":{{"mimeType":"image/png","data":"{data}"}}}}]}}]}}"#
    )
}

fn texts() -> String {
    let part =
        r#"{"text":"A line of what somebody said, of the usual length, \"quoted\", with a line's end.\n"}"#;
    let parts = vec![part; 20 * MEBIBYTE / (part.len() + 1)].join(",");
    format!(r#"{{"contents":[{{"role":"user","parts":[{parts}]}}]}}"#)
}

fn chat() -> String {
    let text = "What somebody asked, and what was answered to it, at some length. ".repeat(5);
    format!(
        r#"{{"contents":[{{"role":"user","parts":[{{"text":"{text}"}}]}},{{"role":"model","parts":[{{"text":"{text}"}}]}},{{"role":"user","parts":[{{"text":"{text}"}}]}}],"generationConfig":{{"temperature":0.7,"maxOutputTokens":1024}}}}"#
    )
}
