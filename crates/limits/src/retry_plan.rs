//! Whether a failed request is tried again: the fifth step of a request's way.

use std::time::Duration;

use keygate_domain::{Failure, Fault, Moment, Replay, RetryAdvice};

use crate::{Backoff, RetryPolicy};

/// How far an attempt came before it failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reach {
    /// Not a byte of it can have reached the provider.
    NeverWritten,
    /// The provider answered with an error.
    Answered,
    /// It was written, and the connection broke or the time ran out: it may have taken effect.
    Unknown,
}

/// What to do next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// Ask the pool again, after this pause (zero: at once).
    Again {
        /// How long to wait first; ends before the deadline.
        pause: Duration,
    },
    /// Answer the caller.
    GiveUp(GaveUp),
}

/// Why a request is not tried again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GaveUp {
    /// The deadline has passed, or would pass during the pause.
    Deadline,
    /// The provider failed as often as is allowed.
    Attempts,
    /// As many keys refused as is allowed.
    Refusals,
    /// It may have taken effect, and must not do so twice.
    Unsafe,
    /// The answer is for the caller.
    Advice,
}

impl GaveUp {
    /// The name in spans.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deadline => "deadline",
            Self::Attempts => "attempts",
            Self::Refusals => "refusals",
            Self::Unsafe => "unsafe",
            Self::Advice => "advice",
        }
    }
}

/// The memory of one request's failures. Valid while no byte of an answer went to the caller;
/// after that nobody may ask.
#[derive(Clone, Debug)]
pub struct RetryPlan {
    policy: RetryPolicy,
    replay: Replay,
    deadline: Moment,
    backoff: Backoff,
    attempts: u32,
    refusals: u32,
    once_was_used: bool,
}

impl RetryPlan {
    /// A plan for a request that has not failed yet. `seed` spreads the pauses.
    pub fn new(policy: RetryPolicy, replay: Replay, deadline: Moment, seed: u64) -> Self {
        let backoff = Backoff::new(policy.backoff_at_least, policy.backoff_at_most, seed);
        Self { policy, replay, deadline, backoff, attempts: 0, refusals: 0, once_was_used: false }
    }

    /// The request's deadline.
    pub fn deadline(&self) -> Moment {
        self.deadline
    }

    /// Until when an attempt that starts now may wait for its first byte.
    pub fn first_byte_by(&self, is_stream: bool, now: Moment) -> Moment {
        let allowed =
            if is_stream { self.policy.stream_attempt_timeout } else { self.policy.attempt_timeout };
        allowed.map_or(self.deadline, |span| now.after(span).min(self.deadline))
    }

    /// What follows after `failure`.
    ///
    /// The order of the reasons matters to whoever reads a trace: advice and safety say what can
    /// never be, counts and the deadline what is no longer.
    pub fn after(&mut self, failure: &Failure, reach: Reach, now: Moment) -> Next {
        match self.judge(failure, reach, now) {
            Ok(pause) => Next::Again { pause },
            Err(why) => Next::GiveUp(why),
        }
    }

    fn judge(&mut self, failure: &Failure, reach: Reach, now: Moment) -> Result<Duration, GaveUp> {
        self.heed_advice(failure.retry)?;
        self.check_safety(reach)?;
        self.count(failure)?;
        let pause = self.pause_for(failure);
        let resumes = now.mono.saturating_add(pause);
        if resumes < self.deadline.mono { Ok(pause) } else { Err(GaveUp::Deadline) }
    }

    fn heed_advice(&mut self, advice: RetryAdvice) -> Result<(), GaveUp> {
        match advice {
            RetryAdvice::Again => Ok(()),
            RetryAdvice::Once if !self.once_was_used => {
                self.once_was_used = true;
                Ok(())
            }
            RetryAdvice::Once | RetryAdvice::Never => Err(GaveUp::Advice),
        }
    }

    fn check_safety(&self, reach: Reach) -> Result<(), GaveUp> {
        match (reach, self.replay) {
            (Reach::NeverWritten | Reach::Answered, _) | (Reach::Unknown, Replay::Safe) => Ok(()),
            (Reach::Unknown, Replay::OnlyIfRefused) => Err(GaveUp::Unsafe),
        }
    }

    fn count(&mut self, failure: &Failure) -> Result<(), GaveUp> {
        if is_refusal(failure) {
            self.refusals += 1;
            return if self.refusals < self.policy.max_refusals { Ok(()) } else { Err(GaveUp::Refusals) };
        }
        self.attempts += 1;
        if self.attempts < self.policy.max_attempts { Ok(()) } else { Err(GaveUp::Attempts) }
    }

    /// A refusal is over at once elsewhere. So is one dead connection, which may only have been kept
    /// for too long; two mean that the provider is in trouble, and then it is given time, and never
    /// less than it asked for.
    fn pause_for(&mut self, failure: &Failure) -> Duration {
        if is_refusal(failure) {
            return Duration::ZERO;
        }
        let pause = self.backoff.next_pause();
        let got_no_answer = matches!(failure.fault, Fault::Timeout | Fault::Unreachable);
        if got_no_answer && self.attempts <= 1 {
            return Duration::ZERO;
        }
        pause.max(failure.hint.retry_after.unwrap_or_default())
    }
}

/// Whether the key or group was refused rather than the provider failing. A poisonous request
/// takes nothing out, but only a bigger group can serve it; what one organisation forbids (a persona of
/// another) says nothing about its key. One group said no, others may not.
fn is_refusal(failure: &Failure) -> bool {
    failure.takes_out() || matches!(failure.fault, Fault::Poison | Fault::KeyForbidden)
}
