//! The runs of all rounds together.

use std::collections::BTreeMap;

use super::{Line, Measured};
use crate::traffic::EVENTS;

/// All runs, by contestant (in the order of their first run) and scenario.
#[derive(Debug, Default)]
pub struct Figures {
    order: Vec<String>,
    runs: BTreeMap<(String, String), Vec<Measured>>,
}

impl Figures {
    /// Collects runs.
    pub fn of(lines: impl IntoIterator<Item = Line>) -> Self {
        let mut figures = Self::default();
        for line in lines {
            if !figures.order.contains(&line.contestant) {
                figures.order.push(line.contestant.clone());
            }
            figures.runs.entry((line.contestant, line.scenario)).or_default().push(line.measured);
        }
        figures
    }

    /// Who was measured.
    pub fn contestants(&self) -> impl Iterator<Item = &str> {
        self.order.iter().map(String::as_str)
    }

    fn runs(&self, contestant: &str, scenario: &str) -> &[Measured] {
        self.runs.get(&(contestant.to_owned(), scenario.to_owned())).map_or(&[], Vec::as_slice)
    }

    /// CPU time over good answers, of all rounds together.
    pub fn cpu_us_per_answer(&self, contestant: &str, scenario: &str) -> Option<f64> {
        let runs = self.runs(contestant, scenario);
        let (cpu, good) = runs.iter().fold((0, 0), |(cpu, good), run| (cpu + run.cpu_us, good + run.good));
        (good > 0 && cpu > 0).then(|| cpu as f64 / good as f64)
    }

    /// CPU time of streams over their events.
    pub fn cpu_us_per_event(&self, contestant: &str) -> Option<f64> {
        self.cpu_us_per_answer(contestant, "stream").map(|per_stream| per_stream / EVENTS as f64)
    }

    /// CPU time per answer as a multiple of another contestant's.
    pub fn ratio(&self, contestant: &str, other: &str, scenario: &str) -> Option<f64> {
        Some(self.cpu_us_per_answer(contestant, scenario)? / self.cpu_us_per_answer(other, scenario)?)
    }

    /// Good answers a second: the best round, since only noise makes it slower.
    pub fn rate(&self, contestant: &str, scenario: &str) -> Option<f64> {
        self.runs(contestant, scenario).iter().map(|run| run.good as f64 / run.seconds).reduce(f64::max)
    }

    /// p50 and p99 of the latency, each the median of the rounds.
    pub fn latency_us(&self, contestant: &str, scenario: &str) -> Option<(f64, f64)> {
        self.medians(contestant, scenario, |run| (run.p50_us, run.p99_us))
    }

    /// p50 and p99 of the time to the first event, each the median of the rounds.
    pub fn first_event_us(&self, contestant: &str) -> Option<(f64, f64)> {
        self.medians(contestant, "stream", |run| (run.first_p50_us, run.first_p99_us))
    }

    fn medians(
        &self,
        contestant: &str,
        scenario: &str,
        of: impl Fn(&Measured) -> (f64, f64),
    ) -> Option<(f64, f64)> {
        let (p50s, p99s) = self.runs(contestant, scenario).iter().map(of).unzip();
        Some((median(p50s)?, median(p99s)?))
    }

    /// The most memory the contestant had when the run at 64 connections ended.
    pub fn peak_mib(&self, contestant: &str) -> Option<f64> {
        let peaks = self.runs(contestant, "chat-64").iter().map(|run| run.peak_kib);
        // The high-water mark never falls, so a later round also remembers other scenarios.
        peaks.min().filter(|kib| *kib > 0).map(|kib| kib as f64 / 1024.0)
    }

    /// Answers that were not as they should be, in all scenarios.
    pub fn bad(&self, contestant: &str) -> u64 {
        let runs = self.runs.iter().filter(|((of, _), _)| of == contestant);
        runs.flat_map(|(_, runs)| runs).map(|run| run.bad).sum()
    }

    /// What went wrong first: contestant, scenario, complaint.
    pub fn complaints(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.runs.iter().filter_map(|((contestant, scenario), runs)| {
            let complaint = runs.iter().find_map(|run| run.complaint.as_deref())?;
            Some((contestant.as_str(), scenario.as_str(), complaint))
        })
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
