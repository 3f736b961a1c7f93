//! What stories of a provider in trouble have in common.

use std::time::Duration;

use keygate_domain::{Failure, Fault, Hint, Metric, Verdict};

use super::world::*;
use crate::{Ask, BreakerSnapshot, BreakerState, Lease, PoolRefusal};

pub(crate) fn three() -> World {
    World::of(&[("a", "p1"), ("b", "p2"), ("c", "p3")])
}

/// A 429 that names nothing.
pub(crate) fn unnamed() -> Verdict {
    let hint = Hint {
        retry_after: Some(seconds(5)),
        doubles_up_to: Some(seconds(120)),
        may_be_providers: true,
        ..Hint::default()
    };
    Verdict::Failed(Failure::of(Fault::RateLimited).hinting(hint))
}

/// A 429 that names its window.
pub(crate) fn named() -> Verdict {
    let hint = Hint { retry_after: Some(seconds(40)), metric: Metric::RequestsPerMinute, ..Hint::default() };
    Verdict::Failed(Failure::of(Fault::RateLimited).hinting(hint))
}

pub(crate) fn overloaded() -> Verdict {
    failed(Fault::Overloaded)
}

impl World {
    pub(crate) fn breakers(&self) -> Vec<BreakerSnapshot> {
        self.pool.snapshot(self.now).breakers
    }

    /// The one breaker: what it is in the way of, and where it stands.
    #[track_caller]
    pub(crate) fn breaker(&self) -> (Option<String>, BreakerState) {
        let breakers = self.breakers();
        let [one] = &breakers[..] else { panic!("not one: {breakers:?}") };
        (one.bucket.as_ref().map(ToString::to_string), one.state)
    }

    /// How long the breaker makes an ask wait, in seconds.
    #[track_caller]
    pub(crate) fn trouble(&mut self, ask: &Ask) -> f64 {
        let refusal = self.refused(ask);
        let PoolRefusal::BreakerOpen { retry_after, .. } = refusal else { panic!("no breaker: {refusal:?}") };
        retry_after.as_secs_f64()
    }

    /// Lets two groups meet a 503 of this model.
    pub(crate) fn storm(&mut self, model: &str) {
        for _ in 0..2 {
            self.use_once(&ask(model), overloaded());
        }
    }

    /// Passes the time until the next probe and leases it.
    pub(crate) fn probe(&mut self, ask: &Ask) -> Lease {
        let wait = self.trouble(ask);
        self.pass(Duration::from_secs_f64(wait + 1e-6));
        let lease = self.lease(ask);
        assert!(lease.is_trial);
        lease
    }
}
