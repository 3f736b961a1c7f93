//! An exact sliding window: a log of what was admitted in the last 60 s.

use std::collections::VecDeque;
use std::time::Duration;

/// The length of every window.
pub(crate) const WINDOW: Duration = Duration::from_mins(1);

/// What one user did in the last [`WINDOW`]. A unit admitted at `t` counts until `t + 60 s` and
/// not at that instant. Holds at most as many entries as units are allowed.
///
/// Most users who are remembered did one thing within the minute, and a million of them are to be
/// remembered: that one thing takes no memory of its own.
#[derive(Clone, Default, Debug)]
pub(crate) enum Window {
    #[default]
    Empty,
    /// Written out instead of an [`Entry`], which is padded: so it takes 16 bytes.
    One {
        at: u64,
        units: u32,
    },
    Many(Box<Log>),
}

/// What was admitted at one moment, in nanoseconds of the monotonic clock: half a century fits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    at: u64,
    units: u32,
}

/// Two entries or more.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    entries: VecDeque<Entry>,
    used: u32,
}

impl Entry {
    fn leaves(self) -> Duration {
        Duration::from_nanos(self.at) + WINDOW
    }
}

fn nanos(moment: Duration) -> u64 {
    u64::try_from(moment.as_nanos()).unwrap_or(u64::MAX)
}

impl Window {
    /// Units that count.
    pub(crate) fn used(&self) -> u32 {
        match self {
            Self::Empty => 0,
            Self::One { units, .. } => *units,
            Self::Many(log) => log.used,
        }
    }

    /// Drops what no longer counts.
    pub(crate) fn slide(&mut self, now: Duration) {
        match self {
            Self::Empty => {}
            Self::One { at, units } => {
                if (Entry { at: *at, units: *units }).leaves() <= now {
                    *self = Self::Empty;
                }
            }
            Self::Many(log) => {
                while let Some(first) = log.entries.front().filter(|entry| entry.leaves() <= now) {
                    log.used -= first.units;
                    log.entries.pop_front();
                }
                match log.entries.front() {
                    None => *self = Self::Empty,
                    Some(Entry { at, units }) if log.entries.len() == 1 => {
                        *self = Self::One { at: *at, units: *units };
                    }
                    Some(_) => {}
                }
            }
        }
    }

    /// Counts `units` from `now` on.
    pub(crate) fn add(&mut self, units: u32, now: Duration) {
        if units == 0 {
            return;
        }
        let new = Entry { at: nanos(now), units };
        match self {
            Self::Empty => *self = Self::One { at: new.at, units },
            Self::One { at, units: before } if *at == new.at => *before += units,
            Self::One { at, units: before } => {
                let first = Entry { at: *at, units: *before };
                let log = Log { used: first.units + units, entries: [first, new].into() };
                *self = Self::Many(Box::new(log));
            }
            Self::Many(log) => {
                log.used += units;
                match log.entries.back_mut() {
                    Some(last) if last.at == new.at => last.units += units,
                    Some(_) | None => log.entries.push_back(new),
                }
            }
        }
    }

    /// How long until no more than `allowed` units count.
    pub(crate) fn wait_until_used_is(&self, allowed: u32, now: Duration) -> Duration {
        let mut left = self.used();
        for entry in self.entries() {
            if left <= allowed {
                break;
            }
            left -= entry.units;
            if left <= allowed {
                return entry.leaves().saturating_sub(now);
            }
        }
        Duration::ZERO
    }

    /// When the oldest unit comes back.
    pub(crate) fn oldest_leaves(&self) -> Option<Duration> {
        self.entries().next().map(Entry::leaves)
    }

    /// When nothing counts any more.
    pub(crate) fn newest_leaves(&self) -> Option<Duration> {
        match self {
            Self::Empty => None,
            Self::One { at, units } => Some(Entry { at: *at, units: *units }.leaves()),
            Self::Many(log) => log.entries.back().map(|entry| entry.leaves()),
        }
    }

    fn entries(&self) -> impl Iterator<Item = Entry> {
        let (one, many) = match self {
            Self::Empty => (None, None),
            Self::One { at, units } => (Some(Entry { at: *at, units: *units }), None),
            Self::Many(log) => (None, Some(log.entries.iter().copied())),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }
}
