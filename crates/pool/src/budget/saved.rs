//! Budgets as they outlive a restart.

use std::time::Duration;

use jiff::Timestamp;
use keygate_domain::{BucketName, GroupId, Metric, Moment};
use serde::{Deserialize, Serialize};

use super::counter::Counter;
use super::pace::SavedPace;
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
        let counters = meter.limits.iter();
        let counters = counters.map(|one| SavedCounter { metric: one.metric, used: save(&one.counter, now) });
        Self { group: group.clone(), bucket: bucket.clone(), counters: counters.collect() }
    }

    /// Counts what was saved in the limits that still exist, besides what they count: of groups that
    /// became one there may be several.
    pub(crate) fn restore(&self, meter: &mut Meter, budgets: &Budgets, now: Moment) {
        for saved in &self.counters {
            let known = meter.limits.iter_mut().find(|one| one.metric == saved.metric);
            if let Some(one) = known {
                read(&saved.used, &mut one.counter, budgets.margin, now);
            }
        }
    }
}

fn save(counter: &Counter, now: Moment) -> SavedUse {
    let wall = |mono: Duration| {
        now.wall - jiff::SignedDuration::try_from(now.mono.saturating_sub(mono)).unwrap_or_default()
    };
    match counter {
        Counter::Minute(window) => {
            SavedUse::Minute(window.entries().map(|(at, amount)| (wall(at), amount)).collect())
        }
        Counter::Calendar(count) => {
            let pace = Some(count.pace.left());
            SavedUse::Calendar { used: count.used, edge: count.edge, ends: count.ends, pace }
        }
        Counter::Running(running) => {
            // What ran when the process died may run on at the provider until its lease would end.
            let leases = running.leases.values().map(|ends| (ends.wall, None));
            let sessions = running.sessions.all().map(|(ends, name)| (ends.wall, name.map(str::to_owned)));
            SavedUse::Running(leases.chain(sessions).collect())
        }
        Counter::Interval { last } => SavedUse::Interval(last.map(|last| last.wall)),
    }
}

fn read(saved: &SavedUse, counter: &mut Counter, margin: Duration, now: Moment) {
    match (saved, counter) {
        (SavedUse::Minute(entries), Counter::Minute(window)) => {
            for (at, amount) in entries {
                window.add(*amount, before(*at, now), margin);
            }
        }
        (SavedUse::Calendar { used, edge, ends, pace }, Counter::Calendar(count)) => {
            count.absorb(count.saved(*used, *edge, *ends, *pace));
            count.advance(now, margin);
        }
        (SavedUse::Sessions(ends), Counter::Running(running)) => {
            for at in ends {
                running.sessions.open(None, now.at_wall(*at));
            }
            running.sessions.forget_old(now);
        }
        (SavedUse::Running(sessions), Counter::Running(running)) => {
            for (at, name) in sessions {
                running.sessions.open(name.as_deref().map(Into::into), now.at_wall(*at));
            }
            running.sessions.forget_old(now);
        }
        (SavedUse::Interval(saved), Counter::Interval { last }) => {
            *last = (*last).max(saved.map(|at| Moment { wall: at, mono: before(at, now) }));
        }
        (
            SavedUse::Minute(_)
            | SavedUse::Calendar { .. }
            | SavedUse::Sessions(_)
            | SavedUse::Running(_)
            | SavedUse::Interval(_),
            _,
        ) => {}
    }
}

/// The monotonic time at which the wall clock showed `at`; never later than now.
fn before(at: Timestamp, now: Moment) -> Duration {
    let ago = Duration::try_from(now.wall.duration_since(at)).unwrap_or_default();
    now.mono.saturating_sub(ago)
}
