//! One request after the other, and what a scraper reads of them.

use std::time::Duration;

use jiff::Timestamp;
use keygate_domain::{ErrorKind, ModelName, Moment, Operation, ProviderName, Usage};
use tracing::Span;

use super::*;
use crate::Deliveries;

const GOOGLE: ProviderName = ProviderName::new("google");
const GENERATE: Operation = Operation("generate_content");

fn moment() -> Moment {
    Moment { mono: Duration::from_secs(1), wall: Timestamp::from_second(1_700_000_000).unwrap() }
}

fn written(metrics: &Metrics, format: Format) -> String {
    let mut page = Page::default();
    metrics.gather(&mut page);
    page.written(format)
}

fn serve(worker: &WorkerMetrics, model: &str, status: u16) {
    let request = worker.request(Some(GOOGLE), &Span::none());
    request.wants(GENERATE);
    let model = ModelName::from(model);
    let labels = AttemptLabels { otel: "gcp.gemini", operation: GENERATE, model: Some(&model) };
    let usage = Usage { input_tokens: 10, output_tokens: 4, thought_tokens: 2, ..Usage::default() };
    let served = Served { took: Duration::from_millis(30), usage: Some(usage), ..Served::default() };
    request.attempted(&labels, &served);
    request.spent_elsewhere(Duration::from_millis(30));
    request.answered(status, Duration::from_micros(30_200), false);
    request.ended(Duration::from_millis(31), moment);
}

#[track_caller]
fn has(text: &str, line: &str) {
    assert!(text.lines().any(|told| told == line), "no line {line:?} in\n{text}");
}

#[test]
fn a_scrape_adds_up_what_workers_counted() {
    let metrics = Metrics::new(moment(), Deliveries::default());
    let workers = [metrics.worker(), metrics.worker()];
    for worker in &workers {
        serve(worker, "gemini-2.5-flash", 200);
    }
    serve(&workers[0], "gemini-2.5-flash", 429);
    workers[1].request(Some(GOOGLE), &Span::none()).refused(ErrorKind::UserLimited);
    let text = written(&metrics, Format::Text);
    has(&text, "# TYPE keygate_requests_total counter");
    has(&text, r#"keygate_requests_total{provider="google",operation="generate_content",status="200"} 2"#);
    has(&text, r#"keygate_requests_total{provider="google",operation="generate_content",status="429"} 1"#);
    has(&text, r#"gemini_requests_total{status="success"} 2"#);
    has(&text, r#"gemini_requests_total{status="rate_limited"} 1"#);
    has(&text, r#"keygate_upstream_attempts_total{provider="google",fault="none"} 3"#);
    has(&text, r#"keygate_tokens_total{provider="google",model="gemini-2.5-flash",type="input"} 30"#);
    has(&text, r#"keygate_tokens_total{provider="google",model="gemini-2.5-flash",type="output"} 12"#);
    has(&text, r#"keygate_tokens_total{provider="google",model="gemini-2.5-flash",type="thought"} 6"#);
    has(&text, r#"keygate_refusals_total{provider="google",reason="user_limited"} 1"#);
    has(&text, r#"keygate_overhead_seconds_bucket{provider="google",le="0.0001"} 0"#);
    has(&text, r#"keygate_overhead_seconds_bucket{provider="google",le="0.00025"} 3"#);
    has(&text, r#"keygate_requests_running{provider="google"} 1"#);
    assert!(!text.contains("# EOF") && !text.contains("trace_id"));
}

#[test]
fn a_range_holds_its_end_and_what_is_below() {
    let histogram = histogram::Histogram::new(&histogram::DURATIONS);
    for (micros, place) in [(0, 0), (1_000, 0), (1_001, 1), (163_840_000, 16), (163_840_001, 17)] {
        assert_eq!(histogram.count(micros), place, "{micros}");
    }
    let told = histogram.read();
    assert_eq!(told.counts.iter().sum::<u64>(), 5);
    assert_eq!(told.sum, 2_001 + 163_840_000 + 163_840_001);
}

#[test]
fn models_beyond_the_bound_are_others() {
    let metrics = Metrics::new(moment(), Deliveries::default());
    let (worker, second) = (metrics.worker(), metrics.worker());
    for number in 0..500 {
        serve(if number % 2 == 0 { &worker } else { &second }, &format!("model-{number}"), 200);
    }
    let request = worker.request(Some(GOOGLE), &Span::none());
    let labels = AttemptLabels { otel: "gcp.gemini", operation: GENERATE, model: None };
    request.attempted(&labels, &Served { fault: Some("caller"), ..Served::default() });
    let text = written(&metrics, Format::Text);
    let told =
        text.lines().filter(|line| line.starts_with("keygate_tokens_total") && line.contains("\"input\""));
    assert_eq!(told.count(), 101, "100 models and all others");
    has(&text, r#"keygate_tokens_total{provider="google",model="other",type="input"} 4000"#);
}

#[test]
fn openmetrics_names_families_without_total_and_ends() {
    let metrics = Metrics::new(moment(), Deliveries::default());
    serve(&metrics.worker(), "gemini-2.5-flash", 200);
    metrics.reloaded(Reload::Refused);
    let text = written(&metrics, Format::OpenMetrics);
    has(&text, "# TYPE keygate_requests counter");
    has(&text, r#"keygate_config_reloads_total{result="refused"} 1"#);
    has(
        &text,
        r#"keygate_request_duration_seconds_bucket{provider="google",operation="generate_content",le="0.04"} 1"#,
    );
    assert!(text.ends_with("# EOF\n"));
    assert_eq!(
        Format::asked("application/openmetrics-text;version=1.0.0,text/plain;q=0.5"),
        Format::OpenMetrics
    );
    assert_eq!(Format::asked("*/*"), Format::Text);
}

#[test]
fn labels_are_escaped() {
    let mut page = Page::default();
    page.tell(&table::BUILD_INFO, &["a \"b\"\\\n"], 1.0);
    assert!(page.written(Format::Text).contains(r#"keygate_build_info{version="a \"b\"\\\n"} 1"#));
}

#[test]
fn a_worker_that_counts_nothing_tells_nothing() {
    let off = RequestMetrics::default();
    off.answered(200, Duration::ZERO, false);
    off.refused(ErrorKind::Internal);
    drop(off.streams());
    off.ended(Duration::ZERO, moment);
    assert!(!off.is_on());
}

/// The table of `docs/metrics.md` is the table of the code.
#[test]
fn the_document_lists_every_family_and_no_other() {
    let document = include_str!("../../../../docs/metrics.md");
    let mut documented: Vec<(String, String, String)> = Vec::new();
    for row in document.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let [_, name, kind, labels, ..] = cells[..] else { panic!("{row}") };
        documented.push((name.replace('`', ""), kind.to_owned(), labels.replace(['`', ' '], "")));
    }
    let told =
        |family: &&Family| (family.name.to_owned(), family.kind.as_str().to_owned(), family.labels.join(","));
    let mut coded: Vec<_> = table::ALL.iter().map(told).collect();
    coded.sort();
    documented.sort();
    assert_eq!(documented, coded);
}
