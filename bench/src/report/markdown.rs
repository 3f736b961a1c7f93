//! The report as Markdown.

use std::fmt::Write;

use super::{Figures, Goal, goals};

/// The whole report in Markdown.
pub fn markdown(figures: &Figures) -> String {
    let mut text = String::new();
    measurements(&mut text, figures);
    text.push('\n');
    verdicts(&mut text, &goals(figures));
    text.push('\n');
    complaints(&mut text, figures);
    text
}

fn measurements(text: &mut String, figures: &Figures) {
    let columns = [
        "contestant",
        "chat, CPU µs, 1 conn",
        "16 conn",
        "× nginx",
        "× floor",
        "64 conn",
        "rps, 64 conn",
        "CPU µs per SSE event",
        "1 MiB body, CPU µs",
        "first event p50/p99 µs",
        "500/s p50/p99 µs",
        "peak MiB",
        "bad",
    ];
    let _infallible =
        writeln!(text, "| {} |\n|---{}|", columns.join(" | "), "|--:".repeat(columns.len() - 1));
    for contestant in figures.contestants() {
        let cell = |value: Option<f64>, digits: usize| {
            value.map_or("–".into(), |value| format!("{value:.digits$}"))
        };
        let pair = |values: Option<(f64, f64)>| {
            values.map_or("–".into(), |(p50, p99)| format!("{p50:.0}/{p99:.0}"))
        };
        let cpu = |scenario| figures.cpu_us_per_answer(contestant, scenario);
        let cells = [
            contestant.to_owned(),
            cell(cpu("chat-1"), 1),
            cell(cpu("chat-16"), 1),
            cell(figures.ratio(contestant, "nginx", "chat-16"), 2),
            cell(figures.ratio(contestant, "floor", "chat-16"), 2),
            cell(cpu("chat-64"), 1),
            cell(figures.rate(contestant, "chat-64"), 0),
            cell(figures.cpu_us_per_event(contestant), 1),
            cell(cpu("upload"), 0),
            pair(figures.first_event_us(contestant)),
            pair(figures.latency_us(contestant, "rate-500")),
            cell(figures.peak_mib(contestant), 0),
            figures.bad(contestant).to_string(),
        ];
        let _infallible = writeln!(text, "| {} |", cells.join(" | "));
    }
}

fn verdicts(text: &mut String, goals: &[Goal]) {
    text.push_str("| goal | measured | first | aim | verdict |\n|---|--:|--:|--:|---|\n");
    for goal in goals {
        let measured = goal.measured.map_or("–".into(), |value| format!("{value:.2}"));
        let _infallible = writeln!(
            text,
            "| {} | {measured} | ≤ {} | ≤ {} | {} |",
            goal.name,
            goal.first,
            goal.aim,
            goal.verdict()
        );
    }
}

fn complaints(text: &mut String, figures: &Figures) {
    for (contestant, scenario, complaint) in figures.complaints() {
        let _infallible = writeln!(text, "- bad answers: {contestant}, {scenario}: {complaint}");
    }
}
