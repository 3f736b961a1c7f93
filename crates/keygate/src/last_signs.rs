//! What the next start is to know if this process does not live to say good-bye.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use keygate_actors::{Home, Ledger, LedgerCounts, clock};
use keygate_domain::UncleanEnd;
use keygate_storage::{Place, RunMark, Sign};
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};

use crate::ledger_keeping::beside;

/// How often a sign of life is given.
const EVERY: Duration = Duration::from_millis(250);

/// How long after its last sign a process may have lived.
const AT_MOST: SignedDuration = SignedDuration::from_millis(400);

/// Most signs remembered that are not written up to yet: a minute of a ledger that nothing takes.
const MOST_SIGNS: usize = 240;

/// The mark that is there while a gateway runs.
#[derive(Default)]
pub(crate) struct LastSigns {
    path: Option<PathBuf>,
    mark: Option<RunMark>,
}

impl LastSigns {
    /// Looks for what an earlier process left, and says so.
    pub(crate) fn look(place: &Place) -> (Self, Option<UncleanEnd>) {
        let Some(path) = beside(place, "running") else { return (Self::default(), None) };
        let left = RunMark::left_at(&path).unwrap_or_else(|error| {
            tracing::warn!(
                event = "run.unknown_end",
                "whether the last run ended as it should cannot be found out: {error}"
            );
            None
        });
        let end = left.map(unclean_end);
        if let Some(UncleanEnd { from, until, under_way }) = end {
            tracing::warn!(
                event = "run.cut_off",
                %from, %until, under_way,
                "the last run was cut off (killed, or the machine stopped): what ended before {from} is in the \
                 ledger, rows of what ended from then until {until} may be missing, and {under_way} attempts were \
                 under way"
            );
        }
        (Self { path: Some(path), mark: None }, end)
    }

    /// Gives signs of life from here on.
    pub(crate) fn begin(&mut self, ledger: Ledger, clerks: &Home) {
        let Some(path) = &self.path else { return };
        let now = clock::now().wall;
        match RunMark::make(path, Sign { written: now, alive: now, under_way: 0 }) {
            Ok(mark) => {
                self.mark = Some(mark.clone());
                clerks.spawn(give(mark, ledger));
            }
            Err(error) => tracing::warn!(
                event = "run.unmarked",
                file = path.display().to_string(),
                "there will be no telling whether this run ended as it should: {error}"
            ),
        }
    }

    /// This process ends as it should, and all is written.
    pub(crate) fn end(self) {
        if let Some(Err(error)) = self.mark.map(|mark| mark.remove()) {
            tracing::warn!(
                event = "run.unmarked",
                "the next start will take this end for one that was cut off: {error}"
            );
        }
    }
}

fn unclean_end(Sign { written, alive, under_way }: Sign) -> UncleanEnd {
    UncleanEnd { from: written, until: alive.saturating_add(AT_MOST).unwrap_or(alive), under_way }
}

async fn give(mark: RunMark, ledger: Ledger) {
    let mut signs = interval(EVERY);
    signs.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut watermark = Watermark::new(clock::now().wall);
    let mut is_well = true;
    loop {
        signs.tick().await;
        // In this order: what ended before `now` is counted.
        let now = clock::now().wall;
        let sign = watermark.sign(now, &ledger.counts());
        let mark = mark.clone();
        let written = spawn_blocking(move || mark.write(sign)).await;
        let is_written = matches!(written, Ok(Ok(())));
        if is_well && !is_written {
            tracing::warn!(
                event = "run.unmarked",
                "no sign of life can be written; where this run ends will not be known"
            );
        }
        is_well = is_written;
    }
}

/// Up to which moment all is written down.
struct Watermark {
    written: Timestamp,
    /// Moments, and how many attempts had ended by then.
    signs: VecDeque<(Timestamp, u64)>,
}

impl Watermark {
    fn new(now: Timestamp) -> Self {
        Self { written: now, signs: VecDeque::new() }
    }

    fn sign(&mut self, now: Timestamp, counts: &LedgerCounts) -> Sign {
        if self.signs.len() < MOST_SIGNS {
            self.signs.push_back((now, counts.closed()));
        }
        let done = counts.done();
        while let Some((moment, _)) = self.signs.pop_front_if(|(_, closed)| *closed <= done) {
            self.written = moment;
        }
        Sign { written: self.written, alive: now, under_way: counts.open() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(1_800_000_000_000 + millis).unwrap()
    }

    fn counts(opened: u64, settled: u64, entered: u64) -> LedgerCounts {
        LedgerCounts { opened, settled, entered, ..LedgerCounts::default() }
    }

    #[test]
    fn all_is_written_up_to_the_last_sign_whose_attempts_are() {
        let mut watermark = Watermark::new(at(0));
        assert_eq!(watermark.sign(at(250), &counts(0, 0, 0)).written, at(250), "nothing is");
        assert_eq!(watermark.sign(at(500), &counts(9, 5, 0)).written, at(250));
        let sign = watermark.sign(at(750), &counts(9, 7, 5));
        assert_eq!((sign.written, sign.alive, sign.under_way), (at(500), at(750), 2));
        assert_eq!(watermark.sign(at(1000), &counts(9, 9, 8)).written, at(750));
        assert_eq!(watermark.sign(at(1250), &counts(9, 9, 9)).written, at(1250));
    }

    #[test]
    fn a_ledger_that_nothing_takes_is_remembered_in_little_memory() {
        let mut watermark = Watermark::new(at(0));
        for beat in 1..10_000 {
            assert_eq!(watermark.sign(at(beat * 250), &counts(1, 1, 0)).written, at(0));
        }
        assert!(watermark.signs.len() <= MOST_SIGNS);
        watermark.sign(at(2_500_000), &counts(1, 1, 1));
        assert_eq!(watermark.sign(at(2_500_250), &counts(1, 1, 1)).written, at(2_500_250));
    }
}
