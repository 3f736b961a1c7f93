//! One thing that is or was wrong, and which channel knows of it.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Channel, Condition, Notice, Phase};

/// One thing that is or was wrong.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Standing {
    pub(crate) condition: Condition,
    /// Who says so.
    pub(crate) source: String,
    pub(crate) since: Timestamp,
    /// Since when nobody says so any more.
    pub(crate) gone_at: Option<Timestamp>,
    pub(crate) is_open: bool,
    pub(crate) times: u32,
    /// By channel.
    pub(crate) told: BTreeMap<String, Told>,
}

/// What a channel knows of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Told {
    what: ToldWhat,
    level: u8,
    /// When it was told last that it is wrong.
    at: Timestamp,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ToldWhat {
    /// That it is wrong, but the channel did not take it.
    Tried,
    /// That it is wrong.
    Open,
    /// That it is over.
    Over,
}

impl Standing {
    pub(crate) fn new(condition: Condition, source: &str, now: Timestamp) -> Self {
        Self {
            condition,
            source: source.to_owned(),
            since: now,
            gone_at: None,
            is_open: true,
            times: 1,
            told: BTreeMap::new(),
        }
    }

    /// It is wrong still, or again. True if it was over.
    pub(crate) fn again(&mut self, condition: Condition, now: Timestamp) -> bool {
        self.condition = condition;
        self.gone_at = None;
        let was_over = !std::mem::replace(&mut self.is_open, true);
        if was_over {
            self.since = now;
            self.times = self.times.saturating_add(1);
        }
        was_over
    }

    /// Nobody says so any more. True if it is over with that.
    pub(crate) fn gone(&mut self, now: Timestamp) -> bool {
        let gone_at = *self.gone_at.get_or_insert(now);
        let is_calm = has_passed(gone_at, self.condition.id.kind.calm(), now);
        let is_over = self.is_open && is_calm;
        if is_over {
            self.is_open = false;
            self.forget_quietly();
        }
        is_over
    }

    /// The end of some kinds is told to nobody.
    fn forget_quietly(&mut self) {
        if !self.condition.id.kind.tells_its_end() {
            self.told.values_mut().for_each(|told| told.what = ToldWhat::Over);
        }
    }

    /// What `channel` is to be told of it by now.
    pub(crate) fn due(&self, channel: &Channel, now: Timestamp) -> Option<Phase> {
        let is_about_itself =
            self.condition.id.kind == crate::AlertKind::Channel && self.condition.subject == channel.name;
        if is_about_itself || !channel.wants(self.condition.id.kind) {
            return None;
        }
        let told = self.told.get(&channel.name);
        match (self.is_open, told) {
            (true, None) => Some(Phase::Open),
            (true, Some(told)) => match told.what {
                ToldWhat::Tried => Some(Phase::Open),
                ToldWhat::Open => (self.condition.level > told.level).then_some(Phase::Open),
                ToldWhat::Over => has_passed(told.at, channel.min_interval, now).then_some(Phase::Open),
            },
            (false, Some(told)) => (told.what != ToldWhat::Over).then_some(Phase::Recovered),
            (false, None) => None,
        }
    }

    pub(crate) fn notice(&self, phase: Phase) -> Notice {
        Notice { phase, condition: self.condition.clone(), since: self.since, times: self.times }
    }

    /// A channel took it.
    pub(crate) fn was_told(&mut self, channel: &str, phase: Phase, level: u8, now: Timestamp) {
        let (what, level) = match phase {
            Phase::Open => (ToldWhat::Open, level),
            Phase::Recovered => (ToldWhat::Over, 0),
        };
        let at = match (phase, self.told.get(channel)) {
            (Phase::Recovered, Some(before)) if before.what == ToldWhat::Open => before.at,
            _ => now,
        };
        self.told.insert(channel.to_owned(), Told { what, level, at });
        if !self.is_open {
            self.forget_quietly();
        }
    }

    /// A channel did not take it: it is owed, also when it is over by then.
    pub(crate) fn was_not_told(&mut self, channel: &str, phase: Phase, now: Timestamp) {
        if phase == Phase::Open && !self.told.get(channel).is_some_and(|told| told.what == ToldWhat::Open) {
            let tried = Told { what: ToldWhat::Tried, level: 0, at: now };
            self.told.insert(channel.to_owned(), tried);
            if !self.is_open {
                self.forget_quietly();
            }
        }
    }

    pub(crate) fn knows(&self, channel: &str) -> bool {
        self.told.get(channel).is_some_and(|told| told.what == ToldWhat::Open)
    }

    /// Whether nothing follows from it any more for any of these channels.
    pub(crate) fn is_forgettable(&self, channels: &[Channel], now: Timestamp) -> bool {
        let is_over_for = |channel: &Channel| {
            self.told.get(&channel.name).is_none_or(|told| {
                told.what == ToldWhat::Over && has_passed(told.at, channel.min_interval, now)
            })
        };
        !self.is_open && channels.iter().all(is_over_for)
    }

    /// Whether it may be forgotten where there is no room: then what comes back is told again.
    pub(crate) fn is_settled(&self) -> bool {
        !self.is_open && self.told.values().all(|told| told.what == ToldWhat::Over)
    }
}

/// Whether `span` has passed since `then`. A clock that was put back counts as if it had.
pub(crate) fn has_passed(then: Timestamp, span: Duration, now: Timestamp) -> bool {
    let span = SignedDuration::try_from(span).unwrap_or(SignedDuration::MAX);
    now < then || now.duration_since(then) >= span
}
