//! How long requests waited, in bounded memory.

use std::time::Duration;

use crate::WaitTimes;

/// Counts by length: exact below 16 ms, then sixteen steps for each doubling (HDR histograms do the same),
/// so that a percentile is at most 1/16 too long.
#[derive(Clone, Debug, Default)]
pub(crate) struct Waits {
    counts: Vec<u64>,
    waited: u64,
    longest: Duration,
}

const STEPS: u64 = 16;

impl Waits {
    pub(crate) fn add(&mut self, wait: Duration) {
        let step = step_of(wait.as_millis() as u64);
        if self.counts.len() <= step {
            self.counts.resize(step + 1, 0);
        }
        self.counts[step] += 1;
        self.waited += 1;
        self.longest = self.longest.max(wait);
    }

    pub(crate) fn times(&self) -> WaitTimes {
        WaitTimes {
            waited: self.waited,
            p50_ms: self.percentile(50),
            p95_ms: self.percentile(95),
            max_ms: self.longest.as_millis() as u64,
        }
    }

    /// The wait that so many of a hundred did not exceed.
    fn percentile(&self, percent: u64) -> u64 {
        let mut left = (self.waited * percent).div_ceil(100);
        for (step, count) in self.counts.iter().enumerate() {
            if *count >= left && left > 0 {
                return longest_of(step).min(self.longest.as_millis() as u64);
            }
            left = left.saturating_sub(*count);
        }
        0
    }
}

fn step_of(millis: u64) -> usize {
    if millis < STEPS {
        return millis as usize;
    }
    let doubling = u64::from(millis.ilog2()) - 4;
    (STEPS + doubling * STEPS + ((millis >> doubling) - STEPS)) as usize
}

fn longest_of(step: usize) -> u64 {
    let step = step as u64;
    if step < STEPS {
        return step;
    }
    let (doubling, part) = ((step - STEPS) / STEPS, (step - STEPS) % STEPS);
    ((STEPS + part + 1) << doubling) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_has_a_step_that_holds_it_closely() {
        let mut last = 0;
        for millis in (0..5_000).chain([60_000, 3_600_000]) {
            let step = step_of(millis);
            assert!(step >= last);
            assert!(longest_of(step) >= millis && longest_of(step) <= millis + millis / 16, "{millis}");
            last = step;
        }
    }

    #[test]
    fn percentiles() {
        let mut waits = Waits::default();
        assert_eq!(waits.times().p95_ms, 0);
        for millis in 1..=100 {
            waits.add(Duration::from_millis(millis * 10));
        }
        let times = waits.times();
        assert_eq!((times.waited, times.max_ms), (100, 1000));
        assert!((500..=532).contains(&times.p50_ms), "{times:?}");
        assert!((950..=1000).contains(&times.p95_ms), "{times:?}");
    }
}
