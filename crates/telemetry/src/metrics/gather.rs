//! What workers counted, added up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::registry::Sheet;
use super::series::{AttemptKey, AttemptSeries, ProviderSeries, RequestKey, RequestSeries};
use super::{Page, table};

/// The provider whose requests have a name of their own on existing dashboards.
const GEMINI: &str = "google";

pub(crate) fn workers(page: &mut Page, sheets: &[Arc<Sheet>]) {
    let mut series = 0;
    for sheet in sheets {
        for (key, told) in &*sheet.requests.read() {
            series += 1;
            requests(page, key, told);
        }
        for (key, told) in &*sheet.attempts.read() {
            series += 1;
            attempts(page, key, told);
        }
        for (provider, told) in &*sheet.providers.read() {
            series += 1;
            one_provider(page, provider, told);
        }
        for ((provider, reason), count) in &*sheet.refusals.read() {
            series += 1;
            page.count(&table::REFUSALS, &[provider, reason], read(count));
        }
    }
    page.count(&table::SERIES, &[], series);
}

fn requests(page: &mut Page, key: &RequestKey, told: &RequestSeries) {
    let RequestKey { provider, operation, status } = *key;
    let duration = told.duration.read();
    let count = duration.counts.iter().sum();
    page.count(&table::REQUESTS, &[provider, operation, &status.to_string()], count);
    if provider == GEMINI {
        page.count(&table::GEMINI_REQUESTS, &[in_a_word(status)], count);
    }
    page.distribution(&table::REQUEST_DURATION, &[provider, operation], &duration);
    let first_byte = told.first_byte.read();
    if !first_byte.is_empty() {
        page.distribution(&table::FIRST_BYTE, &[provider, operation], &first_byte);
    }
    page.distribution(&table::OVERHEAD, &[provider], &told.own_time.read());
}

fn in_a_word(status: u16) -> &'static str {
    match status {
        0..400 => "success",
        429 => "rate_limited",
        _ => "error",
    }
}

fn attempts(page: &mut Page, key: &AttemptKey, told: &AttemptSeries) {
    let AttemptKey { provider, otel, operation, fault, model } = key;
    let model = model.as_ref().map(keygate_domain::ModelName::as_str);
    let duration = told.duration.read();
    page.count(&table::UPSTREAM_ATTEMPTS, &[provider, fault], duration.counts.iter().sum());
    page.distribution(&table::UPSTREAM_DURATION, &[provider], &duration);
    let error = if *fault == "none" { "" } else { fault };
    let of_model = model.unwrap_or("other");
    page.distribution(&table::GEN_AI_DURATION, &[operation, otel, of_model, error], &duration);
    let first_chunk = told.first_chunk.read();
    if !first_chunk.is_empty() {
        page.distribution(&table::GEN_AI_FIRST_CHUNK, &[operation, otel, of_model], &first_chunk);
    }
    let (input, output) = (told.input.read(), told.output.read());
    if input.is_empty() {
        return;
    }
    let (thought, cached) = (read(&told.thought_tokens), read(&told.cached_tokens));
    let answered = output.sum.saturating_sub(thought);
    for (kind, tokens) in
        [("input", input.sum), ("output", answered), ("thought", thought), ("cached", cached)]
    {
        page.count(&table::TOKENS, &[provider, of_model, kind], tokens);
    }
    page.distribution(&table::GEN_AI_TOKENS, &[operation, otel, of_model, "input"], &input);
    page.distribution(&table::GEN_AI_TOKENS, &[operation, otel, of_model, "output"], &output);
}

fn one_provider(page: &mut Page, provider: &str, told: &ProviderSeries) {
    page.tell(&table::REQUESTS_RUNNING, &[provider], told.running.load(Ordering::Relaxed) as f64);
    page.tell(&table::STREAMS_RUNNING, &[provider], told.streams.load(Ordering::Relaxed) as f64);
    page.count(&table::UPSTREAM_429, &[provider], read(&told.refused_429));
    page.distribution(&table::QUEUE_WAIT, &[provider], &told.queue_wait.read());
}

fn read(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}
