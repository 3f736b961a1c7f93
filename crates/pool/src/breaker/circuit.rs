//! One breaker: open, tried out by one request at a time, and closed again step by step.

use std::collections::BTreeMap;
use std::time::Duration;

use keygate_domain::{BucketName, Fault, Moment};

use crate::cooldown::{Reason, doubled};
use crate::{BreakerSnapshot, BreakerState, Overloaded};

/// What a circuit opens for, and until when.
#[derive(Clone, Debug)]
pub(crate) struct Opening {
    /// When the incident began.
    pub(crate) began: Moment,
    pub(crate) fault: Fault,
    pub(crate) reason: Reason,
    /// How often the wait was doubled.
    pub(crate) level: u32,
    pub(crate) until: Moment,
    pub(crate) now: Moment,
}

/// A breaker that is, or was a moment ago, in the way of requests.
#[derive(Clone, Debug)]
pub(crate) struct Circuit {
    /// Since when it stands, re-openings included.
    pub(crate) since: Moment,
    pub(crate) began: Moment,
    pub(crate) fault: Fault,
    pub(crate) reason: Reason,
    pub(crate) level: u32,
    pub(crate) phase: Phase,
    /// Leases that it let through and that are outstanding; whether they were told to be good.
    trials: BTreeMap<u64, bool>,
}

/// Where a circuit stands.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Phase {
    /// Nobody passes until then; after that one request at a time, which is the probe.
    Open { until: Moment, probe: Option<Probe>, silent: u32 },
    /// The provider serves again: twice as many requests may be in flight with every step, or
    /// with every round of successes.
    Recovering { since: Moment, step: Duration, served: usize },
}

/// The request that finds out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Probe {
    lease: u64,
    /// If nothing is heard of it by then, another one goes.
    until: Moment,
}

impl Circuit {
    /// Steps of the slow start: 1, 2, 4 … 512 requests in flight, then any number.
    const STEPS: u32 = 10;
    /// An open circuit that nobody asks to pass is forgotten.
    const FORGOTTEN_AFTER: Duration = Duration::from_mins(10);

    /// Opens it; `since` is set when it stood before.
    pub(super) fn open(opening: Opening, since: Option<Moment>) -> Self {
        Self {
            since: since.unwrap_or(opening.now),
            began: opening.began,
            fault: opening.fault,
            reason: opening.reason,
            level: opening.level,
            phase: Phase::Open { until: opening.until, probe: None, silent: 0 },
            trials: BTreeMap::new(),
        }
    }

    /// One of an earlier life, whose leases are gone.
    pub(super) fn restored(opening: Opening, since: Moment, phase: Phase) -> Self {
        Self { phase, ..Self::open(opening, Some(since)) }
    }

    /// Whether the provider has not been seen to serve since it opened.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open { .. })
    }

    /// From when on an ask may pass, if nothing else happens (KP-6); `None` when it may now.
    pub(crate) fn admits_at(&self, now: Moment) -> Option<Moment> {
        let admits = match self.phase {
            Phase::Open { until, .. } if until > now => until,
            Phase::Open { probe, .. } => probe?.until,
            Phase::Recovering { since, step, served } => {
                let steps = steps_between(since, now, step);
                let allowed = 2_usize.saturating_pow(steps).max(served.saturating_add(1));
                if self.trials.len() < allowed {
                    return None;
                }
                let enough = usize::BITS - self.trials.len().leading_zeros();
                since.after(step.saturating_mul(enough.min(Self::STEPS)))
            }
        };
        (admits > now).then_some(admits)
    }

    /// Lets a lease pass. True if it is the probe.
    pub(super) fn grant(&mut self, lease: u64, waits: &Overloaded, now: Moment) -> bool {
        self.trials.insert(lease, false);
        let Phase::Open { probe, silent, .. } = &mut self.phase else { return false };
        if probe.is_some() {
            *silent = silent.saturating_add(1);
        }
        // A provider that hangs is not to be fed one request after the other.
        let patience = doubled(waits.at_least, self.level.saturating_add(*silent));
        let until = now.after(patience.min(waits.at_most).max(Duration::from_millis(1)));
        *probe = Some(Probe { lease, until });
        true
    }

    /// A lease proved good. True if the circuit closes by it.
    pub(super) fn succeeded(&mut self, lease: u64, step: Duration, now: Moment) -> bool {
        let Some(was_told) = self.trials.get_mut(&lease) else { return false };
        if std::mem::replace(was_told, true) {
            return false;
        }
        match &mut self.phase {
            Phase::Open { .. } => {
                self.phase = Phase::Recovering { since: now, step, served: 1 };
                true
            }
            Phase::Recovering { served, .. } => {
                *served = served.saturating_add(1);
                false
            }
        }
    }

    /// A lease ended. True if it was a trial.
    pub(super) fn ended(&mut self, lease: u64) -> bool {
        if let Phase::Open { probe, .. } = &mut self.phase
            && probe.is_some_and(|probe| probe.lease == lease)
        {
            *probe = None;
        }
        self.trials.remove(&lease).is_some()
    }

    /// When it is over, or forgotten.
    pub(super) fn due(&self) -> Moment {
        match self.phase {
            Phase::Open { until, .. } => until.after(Self::FORGOTTEN_AFTER),
            Phase::Recovering { since, step, .. } => since.after(step.saturating_mul(Self::STEPS)),
        }
    }

    /// As status pages show it.
    pub(super) fn observe(&self, bucket: Option<BucketName>, now: Moment) -> BreakerSnapshot {
        let state = match self.phase {
            Phase::Open { until, .. } if until > now => BreakerState::Open,
            Phase::Open { .. } => BreakerState::HalfOpen,
            Phase::Recovering { .. } => BreakerState::Recovering,
        };
        BreakerSnapshot {
            bucket,
            state,
            fault: self.fault,
            reason: self.reason.clone(),
            since: self.since,
            retry_at: self.admits_at(now),
            reopened: self.level,
            in_flight: self.trials.len(),
        }
    }
}

/// How many steps have passed; beyond the last one there is no difference.
fn steps_between(since: Moment, now: Moment, step: Duration) -> u32 {
    let steps = since.until(now).as_nanos() / step.as_nanos().max(1);
    u32::try_from(steps).unwrap_or(Circuit::STEPS).min(Circuit::STEPS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAITS: Overloaded =
        Overloaded { at_least: Duration::from_secs(2), at_most: Duration::from_secs(30) };
    const STEP: Duration = Duration::from_millis(500);

    fn at(millis: u64) -> Moment {
        let start = Moment { mono: Duration::ZERO, wall: "2026-07-01T12:00:00Z".parse().unwrap() };
        start.after(Duration::from_millis(millis))
    }

    fn opened() -> Circuit {
        let opening = Opening {
            began: at(0),
            fault: Fault::Overloaded,
            reason: "".into(),
            level: 0,
            until: at(2000),
            now: at(0),
        };
        Circuit::open(opening, None)
    }

    #[test]
    fn one_probe_passes_and_the_others_wait_for_it() {
        let mut circuit = opened();
        assert_eq!(circuit.admits_at(at(1999)), Some(at(2000)));
        assert_eq!(circuit.admits_at(at(2000)), None);
        assert!(circuit.grant(7, &WAITS, at(2000)));
        assert_eq!(circuit.admits_at(at(2000)), Some(at(4000)));
        assert!(circuit.ended(7), "whatever became of it");
        assert_eq!(circuit.admits_at(at(2001)), None);
    }

    #[test]
    fn a_silent_probe_makes_room_for_another_more_and_more_rarely() {
        let mut circuit = opened();
        let mut now = at(2000);
        let mut waits = Vec::new();
        for lease in 0..6 {
            circuit.grant(lease, &WAITS, now);
            let next = circuit.admits_at(now).unwrap();
            waits.push(now.until(next).as_secs());
            now = next;
        }
        assert_eq!(waits, [2, 4, 8, 16, 30, 30]);
        assert!(circuit.succeeded(0, STEP, now), "the first was only slow");
    }

    #[test]
    fn closed_it_lets_twice_as_many_through_with_every_step() {
        let mut circuit = opened();
        circuit.grant(0, &WAITS, at(2000));
        assert!(circuit.succeeded(0, STEP, at(3000)) && circuit.ended(0));
        let mut lease = 1;
        let mut admitted = Vec::new();
        for step in 0..5 {
            let now = at(3000 + 500 * step);
            while circuit.admits_at(now).is_none() {
                assert!(!circuit.grant(lease, &WAITS, now), "no probe");
                lease += 1;
            }
            let promised = circuit.admits_at(now).unwrap();
            assert!(promised > now && circuit.admits_at(promised).is_none(), "KP-6");
            admitted.push(lease - 1);
        }
        assert_eq!(admitted, [2, 2, 4, 8, 16], "the probe's own success allows a second one at once");
        assert_eq!(circuit.due(), at(8000));
    }

    #[test]
    fn quick_successes_need_not_wait_for_the_clock() {
        let mut circuit = opened();
        circuit.grant(0, &WAITS, at(2000));
        circuit.succeeded(0, STEP, at(2000));
        circuit.ended(0);
        let mut lease = 1;
        let mut rounds = Vec::new();
        for _ in 0..4 {
            let first = lease;
            while circuit.admits_at(at(2001)).is_none() {
                circuit.grant(lease, &WAITS, at(2001));
                lease += 1;
            }
            for lease in first..lease {
                assert!(!circuit.succeeded(lease, STEP, at(2001)));
                circuit.succeeded(lease, STEP, at(2001));
                circuit.ended(lease);
            }
            rounds.push(lease - first);
        }
        assert_eq!(rounds, [2, 4, 8, 16], "told twice counts once");
    }
}
