//! Budgets as they outlive a restart.

use std::time::Duration;

use jiff::Timestamp;
use keygate_domain::{BucketName, GroupId, Metric, Moment};
use serde::{Deserialize, Serialize};

use super::calendar_count::SavedCount;
use super::pace::SavedPace;
use super::tally::SavedTally;
use super::{Budgets, Meter};

/// What every group used of its budgets, by the wall clock. Apart from [`crate::PoolState`] because it
/// changes with every request and may be a second old.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct SpentState {
    pub(crate) meters: Vec<SavedMeter>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct SavedMeter {
    pub(crate) group: GroupId,
    pub(crate) bucket: BucketName,
    counters: Vec<SavedCounter>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct SavedCounter {
    metric: Metric,
    used: SavedUse,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SavedUse {
    Minute(Vec<(Timestamp, u64)>),
    Calendar {
        used: u64,
        edge: u64,
        ends: Timestamp,
        /// Absent in what earlier versions wrote: then the pace is learned anew.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pace: Option<SavedPace>,
    },
    /// As earlier versions wrote it: sessions had no names.
    Sessions(Vec<Timestamp>),
    /// Until when each session counts, and its name.
    Running(Vec<(Timestamp, Option<String>)>),
    Interval(Option<Timestamp>),
}

impl SavedMeter {
    pub(crate) fn of(group: &GroupId, bucket: &BucketName, meter: &Meter, now: Moment) -> Self {
        let counters =
            meter.limits().map(|(metric, _)| SavedCounter { metric, used: save(meter, metric, now) });
        Self { group: group.clone(), bucket: bucket.clone(), counters: counters.collect() }
    }

    /// Counts what was saved in the limits that still exist, besides what they count: of groups that
    /// became one there may be several.
    pub(crate) fn restore(&self, meter: &mut Meter, budgets: &Budgets, now: Moment) {
        for saved in &self.counters {
            if meter.limits().any(|(metric, _)| metric == saved.metric) {
                read(saved, meter, budgets.margin, now);
            }
        }
    }
}

fn save(meter: &Meter, metric: Metric, now: Moment) -> SavedUse {
    let wall = |mono: Duration| {
        now.wall - jiff::SignedDuration::try_from(now.mono.saturating_sub(mono)).unwrap_or_default()
    };
    match (meter.tally.save(metric), &meter.running) {
        (Some(SavedTally::Minute(entries)), _) => {
            SavedUse::Minute(entries.into_iter().map(|(at, amount)| (wall(at), amount)).collect())
        }
        (Some(SavedTally::Period(SavedCount { used, edge, ends, pace })), _) => {
            SavedUse::Calendar { used, edge, ends, pace }
        }
        (None, Some(running)) if metric == Metric::Concurrent => {
            // What ran when the process died may run on at the provider until its lease would end.
            let leases = running.leases.values().map(|ends| (ends.wall, None));
            let sessions = running.sessions.all().map(|(ends, name)| (ends.wall, name.map(str::to_owned)));
            SavedUse::Running(leases.chain(sessions).collect())
        }
        (None, _) => SavedUse::Interval(meter.last_sent.map(|last| last.wall)),
    }
}

fn read(saved: &SavedCounter, meter: &mut Meter, margin: Duration, now: Moment) {
    match (&saved.used, &mut meter.running) {
        (SavedUse::Minute(entries), _) => {
            let entries = entries.iter().map(|(at, amount)| (before(*at, now), *amount)).collect();
            meter.tally.restore(saved.metric, SavedTally::Minute(entries), now, margin);
        }
        (SavedUse::Calendar { used, edge, ends, pace }, _) => {
            let (used, edge, ends, pace) = (*used, *edge, *ends, *pace);
            let saved_count = SavedTally::Period(SavedCount { used, edge, ends, pace });
            meter.tally.restore(saved.metric, saved_count, now, margin);
        }
        (SavedUse::Sessions(ends), Some(running)) => {
            for at in ends {
                running.sessions.open(None, now.at_wall(*at));
            }
            running.sessions.forget_old(now);
        }
        (SavedUse::Running(sessions), Some(running)) => {
            for (at, name) in sessions {
                running.sessions.open(name.as_deref().map(Into::into), now.at_wall(*at));
            }
            running.sessions.forget_old(now);
        }
        (SavedUse::Interval(last), _) => {
            let last = last.map(|at| Moment { wall: at, mono: before(at, now) });
            meter.last_sent = meter.last_sent.max(last);
        }
        (SavedUse::Sessions(_) | SavedUse::Running(_), None) => {}
    }
}

/// The monotonic time at which the wall clock showed `at`; never later than now.
fn before(at: Timestamp, now: Moment) -> Duration {
    let ago = Duration::try_from(now.wall.duration_since(at)).unwrap_or_default();
    now.mono.saturating_sub(ago)
}
