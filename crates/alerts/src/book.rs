//! What is wrong, and who knows of it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::condition::bounded;
use crate::letter::{Letter, Phase};
use crate::standing::{Standing, has_passed};
use crate::{
    AlertId, AlertKind, AlertsShown, Channel, ChannelShown, ChannelState, Condition, Notice, OpenAlert,
};

/// Most things that are kept apart.
const MOST: usize = 512;

/// So many attempts in a row must fail for a channel to be an alert of its own.
const FAILS_FROM: u32 = 3;

/// The pause after a first failure of a channel; it doubles.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

/// Who says that channels fail.
const CHANNELS: &str = "channels";

/// Who says that there is too much.
const BOOK: &str = "book";

/// Something that is news to the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// Whether it is wrong or over.
    pub phase: Phase,
    /// What.
    pub condition: Condition,
}

/// What is wrong, and who knows of it. Handed the time; bounded.
#[derive(Clone, Debug, Default)]
pub struct AlertBook {
    standings: BTreeMap<AlertId, Standing>,
    /// How much of what each source said found no room.
    left_out: BTreeMap<String, usize>,
    channels: Vec<Channel>,
    lines: BTreeMap<String, Line>,
    has_changed: bool,
}

/// The book as it outlives a process, so that nobody is told anew what was told before.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct SavedBook {
    standings: Vec<Standing>,
    /// How often each channel that fails did so in a row: else the first start after its alert would take it
    /// for one that recovered.
    #[serde(default)]
    failures: BTreeMap<String, u32>,
}

/// How a channel fares.
#[derive(Clone, Debug, Default)]
struct Line {
    /// What stands in the letter that is under way.
    under_way: Option<Vec<(AlertId, Phase, u8)>>,
    failures: u32,
    retry_at: Option<Timestamp>,
    sent: u64,
    failed: u64,
    last_success_at: Option<Timestamp>,
    last_failure: Option<(Timestamp, String)>,
}

impl AlertBook {
    /// A book for these channels that goes on where an earlier one ended.
    pub fn new(channels: Vec<Channel>, saved: SavedBook) -> Self {
        let standings = saved.standings.into_iter().take(MOST);
        let standings = standings.map(|standing| (standing.condition.id.clone(), standing)).collect();
        let failures = saved.failures.into_iter().take(MOST);
        let lines = failures.map(|(name, failures)| (name, Line { failures, ..Line::default() })).collect();
        let mut book = Self { standings, lines, ..Self::default() };
        book.set_channels(channels);
        book
    }

    /// Tells other channels from here on. What those that stay know they know.
    pub fn set_channels(&mut self, channels: Vec<Channel>) {
        let names: BTreeSet<&str> = channels.iter().map(|channel| channel.name.as_str()).collect();
        self.lines.retain(|name, _| names.contains(name.as_str()));
        for standing in self.standings.values_mut() {
            standing.told.retain(|name, _| names.contains(name.as_str()));
        }
        self.channels = channels;
    }

    /// Everything that is wrong as far as `source` can see. What it said before and says no more is over.
    pub fn observe(&mut self, source: &str, wrong: Vec<Condition>, now: Timestamp) -> Vec<Change> {
        let mut changes = self.take(source, wrong, now);
        let is_too_much = self.left_out.values().any(|count| *count > 0);
        let too_many = is_too_much.then(too_many).into_iter().collect();
        changes.extend(self.take(BOOK, too_many, now));
        self.forget(now);
        self.has_changed |= !changes.is_empty();
        changes
    }

    fn take(&mut self, source: &str, wrong: Vec<Condition>, now: Timestamp) -> Vec<Change> {
        let mut changes = Vec::new();
        let mut said = BTreeSet::new();
        let mut left_out = 0;
        for condition in wrong {
            said.insert(condition.id.clone());
            if let Some(standing) = self.standings.get_mut(&condition.id) {
                source.clone_into(&mut standing.source);
                if standing.again(condition.clone(), now) {
                    changes.push(Change { phase: Phase::Open, condition });
                }
            } else if self.has_room(source) {
                let standing = Standing::new(condition.clone(), source, now);
                self.standings.insert(condition.id.clone(), standing);
                changes.push(Change { phase: Phase::Open, condition });
            } else {
                left_out += 1;
            }
        }
        self.left_out.insert(source.to_owned(), left_out);
        for (id, standing) in &mut self.standings {
            if standing.source == source && !said.contains(id) && standing.gone(now) {
                changes.push(Change { phase: Phase::Recovered, condition: standing.condition.clone() });
            }
        }
        changes
    }

    /// Room for one more; what the house says of itself always has it.
    fn has_room(&mut self, source: &str) -> bool {
        if self.standings.len() < MOST {
            return true;
        }
        let settled = self.standings.iter().find(|(_, standing)| standing.is_settled());
        let settled = settled.map(|(id, _)| id.clone());
        settled.is_some_and(|id| self.standings.remove(&id).is_some())
            || (matches!(source, CHANNELS | BOOK) && self.standings.len() < MOST + self.channels.len() + 1)
    }

    /// Forgets what is over once the same may be told again anyway.
    fn forget(&mut self, now: Timestamp) {
        let channels = &self.channels;
        self.standings.retain(|_, standing| !standing.is_forgettable(channels, now));
    }

    /// What `channel` is to be told by now, if it is anything and nothing is under way to it. Whoever takes a
    /// letter says what became of it: [`Self::ended`].
    pub fn letter(&mut self, channel: &str, now: Timestamp) -> Option<Letter> {
        let channel = self.channels.iter().find(|known| known.name == channel)?;
        let line = self.lines.entry(channel.name.clone()).or_default();
        let is_pausing = line.retry_at.is_some_and(|at| now < at && !is_absurd(at, now));
        if line.under_way.is_some() || is_pausing {
            return None;
        }
        let due = |standing: &Standing| standing.due(channel, now).map(|phase| standing.notice(phase));
        let mut notices: Vec<Notice> = self.standings.values().filter_map(due).collect();
        if notices.is_empty() {
            return None;
        }
        line.under_way =
            Some(notices.iter().map(|one| (one.id().clone(), one.phase, one.condition.level)).collect());
        // Nothing is graver than what is wrong; within that, what is graver by its kind.
        notices.sort_by_key(|one| (one.phase, Reverse(one.id().kind.severity()), one.id().clone()));
        let more = notices.len().saturating_sub(Letter::MOST);
        notices.truncate(Letter::MOST);
        Some(Letter { number: line.sent + line.failed + 1, at: now, notices, more })
    }

    /// What became of the letter to `channel`; why it was not taken, without any secret.
    pub fn ended(&mut self, channel: &str, outcome: Result<(), &str>, now: Timestamp) -> Vec<Change> {
        let Some(line) = self.lines.get_mut(channel) else { return Vec::new() };
        let told = line.under_way.take().unwrap_or_default();
        match outcome {
            Ok(()) => line.succeeded(now),
            Err(why) => line.has_failed(why, now),
        }
        for (id, phase, level) in told {
            let Some(standing) = self.standings.get_mut(&id) else { continue };
            if outcome.is_ok() {
                standing.was_told(channel, phase, level, now);
            } else {
                standing.was_not_told(channel, phase, now);
            }
        }
        self.has_changed = true;
        let failing = self.lines.iter().filter(|(_, line)| line.failures >= FAILS_FROM);
        let failing = failing.map(|(name, line)| line.as_condition(name)).collect();
        self.observe(CHANNELS, failing, now)
    }

    /// Whether a letter is under way of which nobody knows yet what became of it.
    pub fn is_telling(&self) -> bool {
        self.lines.values().any(|line| line.under_way.is_some())
    }

    /// The book as it is to outlive the process, if it has changed since it was asked for last.
    pub fn changed(&mut self) -> Option<SavedBook> {
        let has_changed = std::mem::take(&mut self.has_changed);
        let failing = self.lines.iter().filter(|(_, line)| line.failures > 0);
        has_changed.then(|| SavedBook {
            standings: self.standings.values().cloned().collect(),
            failures: failing.map(|(name, line)| (name.clone(), line.failures)).collect(),
        })
    }

    /// It could not be kept: it is asked for again.
    pub fn not_kept(&mut self) {
        self.has_changed = true;
    }

    /// As operators see it.
    pub fn shown(&self, now: Timestamp) -> AlertsShown {
        let mut open: Vec<OpenAlert> =
            self.standings.values().filter(|standing| standing.is_open).map(open_alert).collect();
        open.sort_by_key(|alert| (Reverse(alert.severity), alert.event, alert.subject.clone()));
        let channels = self.channels.iter().map(|channel| self.channel_shown(channel, now)).collect();
        AlertsShown { open, left_out: self.left_out.values().sum(), channels }
    }

    fn channel_shown(&self, channel: &Channel, now: Timestamp) -> ChannelShown {
        let line = self.lines.get(&channel.name).cloned().unwrap_or_default();
        let due = self.standings.values().filter(|standing| standing.due(channel, now).is_some());
        let status = match (line.failures, line.sent) {
            (0, 0) => ChannelState::Unused,
            (0, _) => ChannelState::Ok,
            _ => ChannelState::Failing,
        };
        let (last_failure_at, last_failure) = line.last_failure.unzip();
        ChannelShown {
            name: channel.name.clone(),
            kind: channel.target.kind(),
            status,
            sent: line.sent,
            failed: line.failed,
            waiting: due.count(),
            last_success_at: line.last_success_at,
            last_failure_at,
            last_failure,
            retry_at: line.retry_at,
        }
    }
}

impl Line {
    fn succeeded(&mut self, now: Timestamp) {
        self.failures = 0;
        self.retry_at = None;
        self.sent += 1;
        self.last_success_at = Some(now);
    }

    fn has_failed(&mut self, why: &str, now: Timestamp) {
        let pause = FIRST_PAUSE.saturating_mul(1 << self.failures.min(20)).min(LONGEST_PAUSE);
        self.failures = self.failures.saturating_add(1);
        self.failed += 1;
        self.retry_at = SignedDuration::try_from(pause).ok().and_then(|pause| now.checked_add(pause).ok());
        self.last_failure = Some((now, bounded(why)));
    }

    fn as_condition(&self, name: &str) -> Condition {
        let why = self.last_failure.as_ref().map(|(_, why)| why.as_str()).unwrap_or_default();
        Condition::of_house(
            AlertKind::Channel,
            name,
            &format!("the alert channel {name} does not take alerts: {why}"),
            "correct it under alerts.channels, and try it with `keygate alerts test`",
        )
    }
}

/// Whether a moment to come lies further ahead than any pause: the clock was put back.
fn is_absurd(at: Timestamp, now: Timestamp) -> bool {
    has_passed(now, LONGEST_PAUSE + FIRST_PAUSE, at)
}

fn too_many() -> Condition {
    Condition::of_house(
        AlertKind::TooMany,
        "alerts",
        "more is wrong than alerts can tell apart",
        "look at /api/keys/status: it shows every key",
    )
}

fn open_alert(standing: &Standing) -> OpenAlert {
    let Standing { condition, since, times, .. } = standing;
    let kind = condition.id.kind;
    OpenAlert {
        event: kind,
        severity: kind.severity(),
        provider: condition.provider.clone(),
        subject: condition.subject.clone(),
        text: condition.text.clone(),
        remedy: condition.remedy.clone(),
        since: *since,
        times: *times,
        told: standing.told.keys().filter(|channel| standing.knows(channel)).cloned().collect(),
    }
}
