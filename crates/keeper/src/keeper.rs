//! One bot: may it be asked now, and what follows from its answer.

use std::time::Duration;

use jiff::Timestamp;
use keygate_domain::Moment;
use serde::{Deserialize, Serialize};

/// The longest pause between attempts that fail, unless the cooldown is longer.
const LONGEST_PAUSE: Duration = Duration::from_hours(1);

/// Longest of what a bot says, in characters.
const LONGEST_WORDS: usize = 300;

/// What came of asking a bot.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Its session was good all along.
    Alive,
    /// It has a new session; with when it should be renewed again, if that is known.
    Refreshed {
        /// In so long.
        again_in: Option<Duration>,
    },
    /// It sees to it by itself.
    Accepted,
    /// It is at it already.
    Busy,
    /// Only a human can help.
    NeedsLogin,
    /// It could not be asked, or did not answer as agreed: why, without any secret.
    Failed(String),
}

impl Outcome {
    /// The word in status.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Refreshed { .. } => "refreshed",
            Self::Accepted => "accepted",
            Self::Busy => "busy",
            Self::NeedsLogin => "needs_login",
            Self::Failed(_) => "failed",
        }
    }
}

/// Where a keeper stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeeperState {
    /// It may be asked.
    Ready,
    /// It is being asked.
    Asking,
    /// It was asked a short while ago.
    CoolingDown,
    /// Only a human can help.
    NeedsLogin,
}

/// One bot. Handed the time; one attempt at a time.
#[derive(Clone, Debug)]
pub struct Keeper {
    cooldown: Duration,
    is_asking: bool,
    /// From when on it may be asked.
    ready_at: Option<Moment>,
    /// When it is to be asked without anybody's need.
    due_at: Option<Moment>,
    needs_login_since: Option<Timestamp>,
    failures: u32,
    attempts: u64,
    skipped: u64,
    last_attempt_at: Option<Timestamp>,
    last_outcome: Option<(&'static str, Timestamp)>,
    last_failure: Option<String>,
}

/// What of it outlives a process.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct SavedKeeper {
    /// Since when only a human can help.
    #[serde(default)]
    pub needs_login_since: Option<Timestamp>,
    /// When it was asked last.
    #[serde(default)]
    pub last_attempt_at: Option<Timestamp>,
    /// How often it failed since it succeeded.
    #[serde(default)]
    pub failures: u32,
}

/// A keeper as operators see it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct KeeperShown {
    /// What operators call it.
    pub name: String,
    /// Who renews the session.
    pub kind: &'static str,
    /// Where it stands.
    pub state: KeeperState,
    /// From when on it may be asked again.
    pub ready_at: Option<Timestamp>,
    /// When it is asked by itself.
    pub due_at: Option<Timestamp>,
    /// Since when only a human can help.
    pub needs_login_since: Option<Timestamp>,
    /// How often it was asked since the process began.
    pub attempts: u64,
    /// How often somebody would have had it asked, and it was too early.
    pub skipped: u64,
    /// How often it failed since it succeeded.
    pub failures: u32,
    /// When it was asked last.
    pub last_attempt_at: Option<Timestamp>,
    /// What it said last.
    pub last_outcome: Option<&'static str>,
    /// Why it failed, if it failed last.
    pub last_failure: Option<String>,
}

impl Keeper {
    /// A keeper that goes on where an earlier process ended.
    pub fn new(cooldown: Duration, saved: &SavedKeeper, now: Moment) -> Self {
        let mut keeper = Self {
            cooldown,
            is_asking: false,
            ready_at: None,
            due_at: None,
            needs_login_since: saved.needs_login_since,
            failures: saved.failures,
            attempts: 0,
            skipped: 0,
            last_attempt_at: saved.last_attempt_at,
            last_outcome: None,
            last_failure: None,
        };
        let ago = saved.last_attempt_at.map(|at| now.wall.duration_since(at));
        let ago = ago.and_then(|ago| Duration::try_from(ago).ok());
        keeper.ready_at = ago.map(|ago| now.after(keeper.pause().saturating_sub(ago)));
        keeper
    }

    /// Pauses by another cooldown from the next attempt on.
    pub fn set_cooldown(&mut self, cooldown: Duration) {
        self.cooldown = cooldown;
    }

    /// Somebody would have it asked. True if it is to be asked now: whoever asks says what came of it.
    pub fn wanted(&mut self, now: Moment) -> bool {
        let may = !self.is_asking && self.needs_login_since.is_none() && self.is_ready(now);
        if may {
            self.begin(now);
        } else {
            self.skipped += 1;
        }
        may
    }

    /// True if it is to be asked now because its time has come.
    pub fn is_due(&mut self, now: Moment) -> bool {
        let is_time = self.due_at.is_some_and(|due| due.mono <= now.mono);
        let may = is_time && !self.is_asking && self.needs_login_since.is_none() && self.is_ready(now);
        if may {
            self.begin(now);
        }
        may
    }

    /// It is to be asked at that time without anybody's need.
    pub fn set_due(&mut self, due_at: Option<Moment>) {
        self.due_at = due_at;
    }

    fn is_ready(&self, now: Moment) -> bool {
        self.ready_at.is_none_or(|ready| ready.mono <= now.mono)
    }

    /// The pause counts from here, whatever comes of it.
    fn begin(&mut self, now: Moment) {
        self.is_asking = true;
        self.attempts += 1;
        self.last_attempt_at = Some(now.wall);
        self.ready_at = Some(now.after(self.pause()));
    }

    fn pause(&self) -> Duration {
        let doubled = self.cooldown.saturating_mul(1 << self.failures.min(20));
        doubled.min(LONGEST_PAUSE.max(self.cooldown))
    }

    /// What came of asking it; `began` is when it was asked.
    pub fn ended(&mut self, outcome: &Outcome, began: Moment, now: Moment) {
        if !std::mem::take(&mut self.is_asking) {
            return;
        }
        self.last_outcome = Some((outcome.as_str(), now.wall));
        self.last_failure = None;
        match outcome {
            Outcome::Alive | Outcome::Accepted | Outcome::Busy => self.failures = 0,
            Outcome::Refreshed { again_in } => {
                self.failures = 0;
                self.due_at = again_in.map(|span| now.after(span));
            }
            Outcome::NeedsLogin => {
                self.needs_login_since = Some(now.wall);
                self.due_at = None;
            }
            Outcome::Failed(why) => {
                self.failures = self.failures.saturating_add(1);
                self.last_failure =
                    Some(why.chars().filter(|c| !c.is_control()).take(LONGEST_WORDS).collect());
                self.ready_at = Some(began.after(self.pause()));
            }
        }
    }

    /// A human has seen to it: it may be asked at once.
    pub fn clear(&mut self) {
        self.needs_login_since = None;
        self.failures = 0;
        self.ready_at = None;
        self.last_failure = None;
    }

    /// What of it outlives the process.
    pub fn saved(&self) -> SavedKeeper {
        SavedKeeper {
            needs_login_since: self.needs_login_since,
            last_attempt_at: self.last_attempt_at,
            failures: self.failures,
        }
    }

    /// As operators see it.
    pub fn shown(&self, name: &str, kind: &'static str, now: Moment) -> KeeperShown {
        let state = match () {
            () if self.is_asking => KeeperState::Asking,
            () if self.needs_login_since.is_some() => KeeperState::NeedsLogin,
            () if !self.is_ready(now) => KeeperState::CoolingDown,
            () => KeeperState::Ready,
        };
        KeeperShown {
            name: name.to_owned(),
            kind,
            state,
            ready_at: self.ready_at.filter(|_| !self.is_ready(now)).map(|at| at.wall),
            due_at: self.due_at.map(|at| at.wall),
            needs_login_since: self.needs_login_since,
            attempts: self.attempts,
            skipped: self.skipped,
            failures: self.failures,
            last_attempt_at: self.last_attempt_at,
            last_outcome: self.last_outcome.map(|(word, _)| word),
            last_failure: self.last_failure.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FIVE: Duration = Duration::from_mins(5);

    fn at(seconds: u64) -> Moment {
        Moment { mono: Duration::ZERO, wall: Timestamp::UNIX_EPOCH }.after(Duration::from_secs(seconds))
    }

    fn keeper() -> Keeper {
        Keeper::new(FIVE, &SavedKeeper::default(), at(0))
    }

    fn failed() -> Outcome {
        Outcome::Failed("it does not answer".to_owned())
    }

    #[test]
    fn the_cooldown_counts_from_the_attempt_and_one_is_made_at_a_time() {
        let mut keeper = keeper();
        assert!(keeper.wanted(at(0)));
        assert!(!keeper.wanted(at(400)), "it is being asked");
        keeper.ended(&Outcome::Alive, at(0), at(290));
        assert!(!keeper.wanted(at(299)));
        assert!(keeper.wanted(at(300)));
        assert_eq!(keeper.shown("zalo", "http", at(300)).skipped, 2);
    }

    #[test]
    fn failures_double_the_pause_up_to_an_hour() {
        let mut keeper = keeper();
        let mut now = 0;
        let mut pauses = Vec::new();
        for _ in 0..6 {
            let began = at(now);
            assert!(keeper.wanted(began));
            keeper.ended(&failed(), began, at(now + 10));
            let ready = keeper.shown("zalo", "http", at(now + 10)).ready_at.unwrap();
            let next = u64::try_from(ready.as_second()).unwrap();
            pauses.push((next - now) / 60);
            now = next;
        }
        assert_eq!(pauses, [10, 20, 40, 60, 60, 60]);
        assert!(keeper.wanted(at(now)));
        keeper.ended(&Outcome::Busy, at(now), at(now));
        assert_eq!(keeper.shown("zalo", "http", at(now)).failures, 0);
    }

    #[test]
    fn a_bot_that_needs_a_login_is_left_alone_until_somebody_clears_it() {
        let mut keeper = keeper();
        assert!(keeper.wanted(at(0)));
        keeper.ended(&Outcome::NeedsLogin, at(0), at(1));
        assert!(!keeper.wanted(at(100_000)));
        let saved = keeper.saved();
        let mut next_life = Keeper::new(FIVE, &saved, at(100_000));
        assert!(!next_life.wanted(at(100_001)), "a restart is no human");
        next_life.clear();
        assert!(next_life.wanted(at(100_001)), "at once");
    }

    #[test]
    fn a_restart_does_not_shorten_the_pause() {
        let mut keeper = keeper();
        assert!(keeper.wanted(at(1_000)));
        let mut next_life = Keeper::new(FIVE, &keeper.saved(), at(1_100));
        assert!(!next_life.wanted(at(1_299)));
        assert!(next_life.wanted(at(1_300)));
    }

    #[test]
    fn what_has_a_time_is_renewed_without_anybodys_need() {
        let mut keeper = keeper();
        assert!(keeper.wanted(at(0)));
        keeper.ended(&Outcome::Refreshed { again_in: Some(Duration::from_hours(20)) }, at(0), at(1));
        assert!(!keeper.is_due(at(72_000)));
        assert!(keeper.is_due(at(72_001)));
        keeper.ended(&failed(), at(72_001), at(72_002));
        assert!(!keeper.is_due(at(72_500)), "not before its pause is over");
        assert!(keeper.is_due(at(72_001 + 600)));
    }

    proptest! {
        #[test]
        fn attempts_are_never_closer_than_the_cooldown(steps in proptest::collection::vec((0..400u64, 0..5u8), 1..80)) {
            let mut keeper = keeper();
            let (mut now, mut last): (u64, Option<u64>) = (0, None);
            for (wait, outcome) in steps {
                now += wait;
                if keeper.wanted(at(now)) {
                    prop_assert!(last.is_none_or(|last| now - last >= 300));
                    last = Some(now);
                    let outcome = match outcome {
                        0 => Outcome::Alive,
                        1 => Outcome::Refreshed { again_in: None },
                        2 => Outcome::Busy,
                        3 => Outcome::Accepted,
                        _ => failed(),
                    };
                    keeper.ended(&outcome, at(now), at(now + 5));
                }
            }
        }
    }
}
