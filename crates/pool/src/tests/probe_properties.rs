//! Random outages, answers, reloads, restarts and operators: there is never more than one probe, never too
//! many in an hour, never one for a key that no fault disabled, and nothing but an answer that the provider
//! takes the key brings one back (KP-7).

use std::time::Duration;

use keygate_domain::{ApiKey, Failure, Fault, KeySpec, Moment, Verdict};
use proptest::prelude::*;

use super::world::{ask, failed, served, spec, start};
use crate::{Granted, KeyPool, KeyState, Policy, Probe, ProbePolicy};

#[derive(Clone, Debug)]
enum Step {
    Use(Verdict),
    Pass(Duration),
    Answer(Verdict),
    AnswerAnOldOne(Verdict),
    Disable(usize),
    Enable(usize),
    Reset,
    Reload(Vec<usize>, bool),
    Restart,
}

fn verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        Just(served()),
        Just(failed(Fault::KeyInvalid)),
        Just(failed(Fault::RateLimited)),
        Just(failed(Fault::Unreachable)),
        Just(Verdict::Failed(Failure::of(Fault::GroupBlocked))),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => verdict().prop_map(Step::Use),
        2 => Just(Step::Use(failed(Fault::KeyInvalid))),
        6 => (0_u64..2000).prop_map(|seconds| Step::Pass(Duration::from_secs(seconds))),
        4 => verdict().prop_map(Step::Answer),
        1 => verdict().prop_map(Step::AnswerAnOldOne),
        1 => (0..KEYS).prop_map(Step::Disable),
        1 => (0..KEYS).prop_map(Step::Enable),
        1 => Just(Step::Reset),
        1 => (prop::sample::subsequence((0..KEYS).collect::<Vec<_>>(), 1..=KEYS).prop_shuffle(), any::<bool>())
            .prop_map(|(keys, is_enabled)| Step::Reload(keys, is_enabled)),
        1 => Just(Step::Restart),
    ]
}

const KEYS: usize = 5;
const PER_HOUR: u32 = 12;

fn key(number: usize) -> KeySpec {
    spec(&format!("k{number}"), None)
}

fn policy(is_enabled: bool) -> Policy {
    let probe = ProbePolicy {
        is_enabled,
        every: Duration::from_mins(2),
        per_hour: PER_HOUR,
        ..ProbePolicy::default()
    };
    Policy { probe, ..Policy::default() }
}

/// The plain reference: who was disabled by whom.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Out {
    No,
    ByFault,
    ByHand,
}

struct Trial {
    pool: KeyPool,
    now: Moment,
    life: u64,
    configured: Vec<usize>,
    is_enabled: bool,
    out: [Out; KEYS],
    /// Sent and not answered, with the time of sending; whether it still counts.
    under_way: Option<(Probe, Moment)>,
    old: Option<Probe>,
    sent: Vec<Moment>,
}

impl Trial {
    fn new() -> Self {
        let configured: Vec<usize> = (0..KEYS).collect();
        let keys = configured.iter().map(|number| key(*number)).collect();
        Self {
            pool: KeyPool::new(1, keys, policy(true), 3, start()),
            now: start(),
            life: 1,
            configured,
            is_enabled: true,
            out: [Out::No; KEYS],
            under_way: None,
            old: None,
            sent: Vec::new(),
        }
    }

    fn number_of(key: &ApiKey) -> usize {
        (0..KEYS).find(|number| self::key(*number).secret.id() == key.id()).expect("a key of this trial")
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Use(verdict) => self.use_once(verdict.clone()),
            Step::Pass(span) => self.pass(*span),
            Step::Answer(verdict) => self.answer(verdict),
            Step::AnswerAnOldOne(verdict) => {
                if let Some(old) = self.old.take() {
                    self.pool.probed(old.id, verdict, self.now);
                }
            }
            Step::Disable(number) if self.configured.contains(number) => {
                self.pool.disable(key(*number).secret.id(), self.now);
                self.out[*number] = Out::ByHand;
                self.forget_under_way(|probed| probed == *number);
            }
            Step::Enable(number) if self.configured.contains(number) => {
                self.pool.enable(key(*number).secret.id(), self.now);
                self.out[*number] = Out::No;
                self.forget_under_way(|probed| probed == *number);
            }
            Step::Disable(_) | Step::Enable(_) => {}
            Step::Reset => self.reset(),
            Step::Reload(keys, is_enabled) => self.reload(keys, *is_enabled),
            Step::Restart => self.restart(),
        }
        self.fetch();
        self.check();
    }

    fn use_once(&mut self, verdict: Verdict) {
        let Ok(Granted::Lease(lease)) = self.pool.lease(&ask("pro"), self.now) else { return };
        let number = Self::number_of(&lease.key);
        assert_eq!(self.out[number], Out::No, "KP-7: a disabled key was leased");
        if verdict == failed(Fault::KeyInvalid) {
            self.out[number] = Out::ByFault;
        }
        self.pool.settle(lease.id, verdict, self.now);
    }

    /// As the shell lets time pass: the pool is woken when it wants to be, and its probes are fetched.
    fn pass(&mut self, span: Duration) {
        let end = self.now.after(span);
        while let Some(due) = self.pool.next_wakeup().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.pool.advance(self.now);
            self.fetch();
        }
        self.now = end;
        self.pool.advance(self.now);
        self.fetch();
    }

    fn fetch(&mut self) {
        let Some(probe) = self.pool.take_probe() else { return };
        if let Some((earlier, sent)) = self.under_way.take() {
            assert!(sent.until(self.now) >= Duration::from_secs(30), "two probes at the same time");
            self.old = Some(earlier);
        }
        let number = Self::number_of(&probe.key);
        assert!(self.configured.contains(&number), "a key that is not configured is asked after");
        assert_eq!(self.out[number], Out::ByFault, "a key that no fault disabled is asked after");
        assert!(self.is_enabled);
        self.sent.push(self.now);
        self.under_way = Some((probe, self.now));
    }

    fn answer(&mut self, verdict: &Verdict) {
        let Some((probe, sent)) = self.under_way.take() else { return };
        let is_late = sent.until(self.now) >= Duration::from_secs(30);
        let number = Self::number_of(&probe.key);
        if *verdict == served() && !is_late && self.configured.contains(&number) {
            self.out[number] = Out::No;
        }
        self.pool.probed(probe.id, verdict, self.now);
    }

    fn forget_under_way(&mut self, is_meant: impl Fn(usize) -> bool) {
        // Still under way, but what it finds is not for this outage any more.
        if let Some((probe, _)) = self.under_way.take_if(|(probe, _)| is_meant(Self::number_of(&probe.key))) {
            self.pool.probed(probe.id, &Verdict::Unsent, self.now);
            self.old = Some(probe);
        }
    }

    fn reset(&mut self) {
        self.pool.reset(None, self.now);
        for number in self.configured.clone() {
            if self.out[number] == Out::ByFault {
                self.out[number] = Out::No;
                self.forget_under_way(|probed| probed == number);
            }
        }
    }

    fn reload(&mut self, keys: &[usize], is_enabled: bool) {
        self.configured = keys.to_vec();
        self.is_enabled = is_enabled;
        self.pool.reload(keys.iter().map(|number| key(*number)).collect(), policy(is_enabled), self.now);
    }

    fn restart(&mut self) {
        self.life += 1;
        let state = self.pool.state();
        let keys = self.configured.iter().map(|number| key(*number)).collect();
        self.pool = KeyPool::restore(self.life, keys, policy(self.is_enabled), 3, &state, self.now);
        if let Some((probe, _)) = self.under_way.take() {
            // The sender refuses a second one while it is busy; the pool does not know.
            self.old = Some(probe);
        }
    }

    fn check(&self) {
        assert!(self.pool.plans_probes_truly());
        let snapshot = self.pool.snapshot(self.now);
        for (state, number) in snapshot.keys.iter().map(|key| key.state).zip(&self.configured) {
            assert_eq!(state == KeyState::Disabled, self.out[*number] != Out::No, "key {number}");
        }
        for (position, first) in self.sent.iter().enumerate() {
            let within =
                self.sent[position..].iter().filter(|at| first.until(**at) < Duration::from_hours(1));
            assert!(within.count() <= PER_HOUR as usize, "too many within an hour");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, max_shrink_iters: 2000, ..ProptestConfig::default() })]

    #[test]
    fn probes_are_few_single_and_for_the_right_keys(steps in prop::collection::vec(step(), 1..80)) {
        let mut trial = Trial::new();
        for step in &steps {
            trial.take(step);
        }
    }
}
