//! Counts and latencies.

use std::time::Duration;

use crate::report::Measured;
use crate::wire::Timing;

/// What came of the requests of one run.
#[derive(Debug, Default)]
pub struct Tally {
    /// Answers as they should be.
    pub good: u64,
    /// Everything else.
    pub bad: u64,
    /// The first thing that went wrong.
    pub complaint: Option<String>,
    /// From the first counted request to the last answer.
    pub elapsed: Duration,
    /// What the contestant used meanwhile.
    pub cpu_us: u64,
    last_ns: Vec<u32>,
    first_ns: Vec<u32>,
}

impl Tally {
    /// Counts one request; `late` is by how much it started after it was due.
    pub fn count(&mut self, outcome: std::io::Result<Timing>, late: Duration) {
        match outcome {
            Ok(timing) => {
                self.good += 1;
                self.last_ns.push(nanoseconds(timing.last + late));
                self.first_ns.push(nanoseconds(timing.first + late));
            }
            Err(error) => self.complain(error.to_string()),
        }
    }

    /// Counts one request that went wrong.
    pub fn complain(&mut self, complaint: String) {
        self.bad += 1;
        self.complaint.get_or_insert(complaint);
    }

    /// Adds what another connection counted.
    pub fn absorb(&mut self, other: Self) {
        self.good += other.good;
        self.bad += other.bad;
        self.complaint = self.complaint.take().or(other.complaint);
        self.last_ns.extend(other.last_ns);
        self.first_ns.extend(other.first_ns);
    }

    /// The figures of the run.
    pub fn measured(&mut self, peak_kib: u64) -> Measured {
        self.last_ns.sort_unstable();
        self.first_ns.sort_unstable();
        Measured {
            good: self.good,
            bad: self.bad,
            complaint: self.complaint.clone(),
            seconds: self.elapsed.as_secs_f64(),
            cpu_us: self.cpu_us,
            peak_kib,
            p50_us: quantile_us(&self.last_ns, 50),
            p99_us: quantile_us(&self.last_ns, 99),
            first_p50_us: quantile_us(&self.first_ns, 50),
            first_p99_us: quantile_us(&self.first_ns, 99),
        }
    }
}

fn nanoseconds(span: Duration) -> u32 {
    u32::try_from(span.as_nanos()).unwrap_or(u32::MAX)
}

/// The nearest-rank quantile of sorted values.
fn quantile_us(sorted_ns: &[u32], percent: usize) -> f64 {
    let rank = (sorted_ns.len() * percent).div_ceil(100);
    sorted_ns.get(rank.saturating_sub(1)).map_or(0.0, |ns| f64::from(*ns) / 1_000.0)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::none(&[], 50, 0.0)]
    #[case::one(&[7_000], 99, 7.0)]
    #[case::even(&[1_000, 2_000, 3_000, 4_000], 50, 2.0)]
    #[case::tail(&[1_000, 2_000, 3_000, 4_000], 99, 4.0)]
    fn quantiles_are_of_the_nearest_rank(
        #[case] sorted: &[u32],
        #[case] percent: usize,
        #[case] expected: f64,
    ) {
        assert!((quantile_us(sorted, percent) - expected).abs() < f64::EPSILON);
    }

    #[test]
    fn the_wait_before_sending_counts_as_latency() {
        let mut tally = Tally::default();
        let timing = Timing { first: Duration::from_micros(1), last: Duration::from_micros(2) };
        tally.count(Ok(timing), Duration::from_micros(10));
        let measured = tally.measured(0);
        assert!((measured.first_p50_us - 11.0).abs() < 0.001 && (measured.p99_us - 12.0).abs() < 0.001);
    }
}
