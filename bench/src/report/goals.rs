//! The goals and whether they are met. The figures are set in `bench/README.md`.

use super::Figures;

/// One goal: a figure and the two bars it is held against.
#[derive(Clone, Debug)]
pub struct Goal {
    /// What is held to it.
    pub name: &'static str,
    /// What was measured; `None` if a contestant it needs is missing.
    pub measured: Option<f64>,
    /// The bar that must be met.
    pub first: f64,
    /// The bar to come to.
    pub aim: f64,
}

impl Goal {
    /// In a word.
    pub fn verdict(&self) -> &'static str {
        match self.measured {
            None => "not measured",
            Some(value) if value <= self.aim => "pass (aim)",
            Some(value) if value <= self.first => "pass",
            Some(_) => "FAIL",
        }
    }
}

const KEYGATE: &str = "keygate";
const THOUSANDS: &str = "keygate-10k";

/// Every goal, with what was measured for it.
pub fn goals(figures: &Figures) -> Vec<Goal> {
    let ratio = |other, scenario| figures.ratio(KEYGATE, other, scenario);
    let added = |of: fn(&Figures, &str) -> Option<f64>| {
        Some((of(figures, KEYGATE)? - of(figures, "nginx")?) / 1_000.0)
    };
    let goal = |name, measured, first, aim| Goal { name, measured, first, aim };
    vec![
        goal("CPU per chat request ÷ nginx (16 conn)", ratio("nginx", "chat-16"), 3.5, 2.5),
        goal("CPU per chat request ÷ floor (16 conn)", ratio("floor", "chat-16"), 1.5, 1.15),
        goal("CPU per SSE event ÷ nginx", ratio("nginx", "stream"), 1.3, 1.1),
        goal("first event later than nginx by, ms (p50)", added(first_event_p50), 1.0, 0.3),
        goal("1 MiB body, CPU ÷ nginx", ratio("nginx", "upload"), 2.0, 1.3),
        goal("added p50 at 500/s over nginx, ms", added(rate_p50), 0.1, 0.05),
        goal("added p99 at 500/s over nginx, ms", added(rate_p99), 1.0, 0.5),
        goal("peak memory at 64 connections, MiB", figures.peak_mib(KEYGATE), 64.0, 40.0),
        goal("10,000 keys ÷ 3 keys, CPU (16 conn)", figures.ratio(THOUSANDS, KEYGATE, "chat-16"), 1.3, 1.05),
    ]
}

fn first_event_p50(figures: &Figures, contestant: &str) -> Option<f64> {
    figures.first_event_us(contestant).map(|(p50, _)| p50)
}

fn rate_p50(figures: &Figures, contestant: &str) -> Option<f64> {
    figures.latency_us(contestant, "rate-500").map(|(p50, _)| p50)
}

fn rate_p99(figures: &Figures, contestant: &str) -> Option<f64> {
    figures.latency_us(contestant, "rate-500").map(|(_, p99)| p99)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Line, Measured, markdown};

    fn run(contestant: &str, scenario: &str, cpu_us: u64, p50_us: f64) -> Line {
        let measured = Measured {
            good: 1_000,
            bad: 0,
            complaint: None,
            seconds: 2.0,
            cpu_us,
            peak_kib: 30 * 1024,
            p50_us,
            p99_us: p50_us * 2.0,
            first_p50_us: p50_us,
            first_p99_us: p50_us,
        };
        Line { contestant: contestant.into(), scenario: scenario.into(), measured }
    }

    fn verdict_on(figures: &Figures, start: &str) -> (&'static str, Option<String>) {
        let goal = goals(figures).into_iter().find(|goal| goal.name.starts_with(start)).unwrap();
        (goal.verdict(), goal.measured.map(|value| format!("{value:.2}")))
    }

    #[test]
    fn ratios_and_differences_are_held_against_their_bars() {
        let figures = Figures::of([
            run("nginx", "chat-16", 13_000, 100.0),
            run("nginx", "chat-16", 13_000, 100.0),
            run("floor", "chat-16", 29_000, 100.0),
            run("keygate", "chat-16", 39_000, 100.0),
            run("keygate-10k", "chat-16", 60_000, 100.0),
            run("nginx", "rate-500", 1, 200.0),
            run("keygate", "rate-500", 1, 240.0),
        ]);
        assert_eq!(verdict_on(&figures, "CPU per chat request ÷ nginx"), ("pass", Some("3.00".into())));
        assert_eq!(verdict_on(&figures, "10,000 keys"), ("FAIL", Some("1.54".into())));
        assert_eq!(verdict_on(&figures, "added p50"), ("pass (aim)", Some("0.04".into())));
        assert_eq!(verdict_on(&figures, "1 MiB body"), ("not measured", None));
    }

    #[test]
    fn the_report_names_every_contestant_and_every_complaint() {
        let mut broken = run("floor", "stream", 1, 1.0);
        broken.measured.bad = 2;
        broken.measured.complaint = Some("status 502: ".into());
        let text = markdown(&Figures::of([run("nginx", "chat-16", 13_000, 100.0), broken]));
        assert!(text.contains("| nginx | – | 13.0 | 1.00 |"), "{text}");
        assert!(text.contains("- bad answers: floor, stream: status 502"), "{text}");
    }
}
