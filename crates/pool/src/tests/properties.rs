//! Random asks, verdicts, waits, resets, bindings and restarts over random pools; after every
//! step all invariants hold, and what was answered is what the plain reference expects.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use keygate_domain::{
    Binding, Failure, Fault, Keepsake, KeySpec, LeaseId, ModelName, Moment, Operation, Placement, Resource,
    Scope, Verdict,
};
use proptest::prelude::*;

use super::explaining::check_explanation;
use super::random::{self, CLIENTS, FILES, MODELS, OPERATIONS, Step, Wanted, order, specs, step};
use super::reference::{Expected, Fact, Judged, Owned, Reference};
use super::waiting::Patients;
use super::world::{a_session, ask, start, user};
use crate::{
    Ask, Granted, KeyPool, Lease, Policy, PoolRefusal, PoolState, QueueBounds, Rotation, Settled, StateRow,
    Strategy as Order, Tried, TriedHow, health, invariants,
};

struct Trial {
    specs: Vec<KeySpec>,
    policy: Policy,
    pool: KeyPool,
    reference: Reference,
    saved: PoolState,
    disk: Disk,
    now: Moment,
    life: u64,
    outstanding: Vec<(Lease, Ask, Moment)>,
    ended: Option<LeaseId>,
    tried: Vec<Tried>,
    promise: Option<Duration>,
    patients: Patients,
}

impl Trial {
    fn new(specs: Vec<KeySpec>, strategy: Order) -> Self {
        let daily = Rotation::new(Duration::from_hours(24), Time::midnight(), TimeZone::UTC).unwrap();
        let queue = QueueBounds { max_wait: Duration::from_mins(1), max_waiting: 4 };
        let policy = Policy { strategy, rotation: Some(daily), queue, ..Policy::default() };
        let pool = KeyPool::new(0, specs.clone(), policy.clone(), 9, start());
        Self {
            reference: Reference::of(&specs),
            saved: pool.state_after(PoolState::default()),
            disk: Disk::default(),
            specs,
            policy,
            pool,
            now: start(),
            life: 0,
            outstanding: Vec::new(),
            ended: None,
            tried: Vec::new(),
            promise: None,
            patients: Patients::default(),
        }
    }

    fn take(&mut self, step: Step) {
        let before = self.pool.clone();
        let may_enable = matches!(step, Step::Reset(_) | Step::Enable(_));
        match step {
            Step::Lease(wanted) => self.lease(&wanted),
            Step::Settle { which, verdict } => self.settle(which, verdict),
            Step::SettleAgain => self.settle_stale(self.ended),
            Step::SettleForeign { which } => {
                let known = self.outstanding.get(which).map(|(lease, ..)| lease.id);
                self.settle_stale(known.map(|id| LeaseId { life: id.life + 7, ..id }));
            }
            Step::Wait(span) => self.pass(span),
            Step::WaitAsPromised => self.pass(self.promise.unwrap_or_default()),
            Step::Reset(keys) => self.reset(keys),
            Step::Disable(key) => self.disable(key),
            Step::Enable(key) => self.enable(key),
            Step::Bind { file, owner, client, lifetime, is_law } => {
                self.bind(file, owner, client, lifetime, is_law);
            }
            Step::SlotFreed(key) => self.slot_freed(key),
            Step::Leave(which) => self.patients.leave(which, &mut self.pool, self.now),
            Step::Restart => self.restart(),
            Step::Reload(specs, order) => self.reload(specs, order),
        }
        self.look_after_patients();
        invariants::assert_holds(&self.pool);
        assert!(
            may_enable || invariants::disabled_stays_disabled(&before, &self.pool),
            "{}",
            invariants::KP_7.sentence
        );
        self.pool.save_changes(&mut self.saved);
        assert_eq!(self.saved, self.pool.state(), "changes add up to the state");
        self.disk.write(self.saved.take_unsaved(1));
        let snapshot = self.pool.snapshot(self.now);
        for key in &snapshot.keys {
            let known = self.reference.in_use[key.index];
            assert_eq!(key.health, self.reference.health(known, self.now), "key {}", key.index);
        }
        let counts = snapshot.counts;
        assert_eq!(counts.total, counts.available + counts.cooling_down + counts.exhausted + counts.disabled);
    }

    /// Time passes as it does for the shell: the pool is woken whenever it asks for it.
    fn pass(&mut self, span: Duration) {
        let end = self.now.after(span);
        while self.patients.is_anybody_waiting()
            && let Some(due) = self.pool.next_wakeup().filter(|due| *due <= end)
        {
            self.now = self.now.max(due);
            self.expire();
            self.look_after_patients();
        }
        self.now = end;
        self.expire();
    }

    fn look_after_patients(&mut self) {
        let served = self.patients.look_after(&mut self.pool, &self.reference, self.now);
        for (lease, ..) in &served {
            let key = self.reference.key(lease.key.id());
            self.reference.leased.push(key);
            self.reference.current = Some(key);
        }
        self.outstanding.extend(served);
    }

    fn expire(&mut self) {
        let now = self.now;
        self.outstanding.retain(|(_, _, expires)| *expires > now);
        self.pool.advance(now);
    }

    fn ask(&self, wanted: &Wanted) -> Ask {
        Ask {
            operation: Operation(OPERATIONS[wanted.operation]),
            model: MODELS[wanted.model].map(ModelName::from),
            opens_session: wanted.opens_session,
            references: wanted.files.iter().map(|file| Resource::new("file", FILES[*file])).collect(),
            placement: Placement::Any,
            client: CLIENTS[wanted.client].into(),
            user: user(&wanted.user.to_string()),
            patience: Duration::from_millis(wanted.patience),
            access: wanted.access,
            tried: if wanted.goes_on { self.tried.clone() } else { Vec::new() },
            hold: Duration::from_secs(wanted.hold),
            ..ask("any")
        }
    }

    fn lease(&mut self, wanted: &Wanted) {
        // No request lives so long that what cured its refusals is forgotten.
        let now = self.now;
        self.tried.retain(|tried| tried.at.until(now) < Duration::from_hours(1));
        let ask = self.ask(wanted);
        let expected = self.behind_breakers(&ask, self.reference.expects(&ask, self.now));
        check_explanation(&self.pool, &ask, self.now);
        let decision = self.pool.explain(&ask, self.now);
        let answer = self.pool.lease(&ask, self.now);
        match &answer {
            Ok(Granted::Lease(lease)) => assert_eq!(decision.answer, Ok(Some(lease.key.id().clone()))),
            Ok(Granted::NotOurs | Granted::Pass(_)) => assert_eq!(decision.answer, Ok(None)),
            Ok(Granted::Wait { .. }) => {
                assert!(matches!(decision.answer, Err(PoolRefusal::Resting { .. })), "{decision:?}");
            }
            Err(refusal) => assert_eq!(decision.answer.as_ref(), Err(refusal)),
        }
        match (&answer, expected) {
            (Ok(Granted::Lease(lease)), Expected::OneOf(keys)) => {
                let key = self.reference.key(lease.key.id());
                assert!(keys.contains(&key), "{key} instead of one of {keys:?}");
                assert_eq!(self.specs[lease.index].secret, lease.key);
                self.check_order(&keys, key);
                assert!(invariants::stays_with_its_owner(decision.bound_to.as_ref(), &lease.group));
                assert!(lease.skipped.len() <= 8);
            }
            (Ok(Granted::NotOurs | Granted::Pass(_)), Expected::NotOurs)
            | (Err(PoolRefusal::Conflict { .. }), Expected::Conflict)
            | (Err(PoolRefusal::Foreign { .. }), Expected::Foreign)
            | (Err(PoolRefusal::Unknown { .. }), Expected::Unknown)
            | (Err(PoolRefusal::Disabled { .. }), Expected::Disabled)
            | (Err(PoolRefusal::NothingLeft), Expected::NothingLeft) => {}
            (Ok(Granted::Wait { ticket, until }), Expected::Resting(wait)) => {
                self.patients.admit(*ticket, &ask, *until, self.now.after(wait));
            }
            (Err(PoolRefusal::BreakerOpen { retry_after, .. }), Expected::Troubled(wait)) => {
                assert_eq!(*retry_after, wait.max(Duration::from_millis(1)));
                self.promise = Some(*retry_after);
            }
            (Err(PoolRefusal::Resting { retry_after, .. }), Expected::Resting(wait)) => {
                self.patients.check_turned_away(&ask, *retry_after);
                assert_eq!(*retry_after, wait.max(Duration::from_millis(1)));
                self.promise = Some(*retry_after);
            }
            (answer, expected) => panic!("{answer:?} instead of {expected:?}"),
        }
        match answer {
            Ok(Granted::Lease(lease)) => {
                let expires = self.now.after(ask.hold);
                self.outstanding.push((lease, ask, expires));
            }
            Ok(Granted::NotOurs | Granted::Pass(_) | Granted::Wait { .. }) => {}
            Err(refusal) => {
                assert!(invariants::is_worth_waiting_for(&refusal), "{}", invariants::KP_5.sentence);
                if self.keeps_its_owner(&ask, &refusal) {
                    let is_kept = invariants::promise_is_kept(&self.pool, &ask, &refusal);
                    assert!(is_kept, "{}", invariants::KP_6.sentence);
                }
            }
        }
        self.tried.truncate(5);
    }

    /// The same with what the breakers that status shows do to it; whether they stand rightly is
    /// tested elsewhere.
    fn behind_breakers(&self, ask: &Ask, expected: Expected) -> Expected {
        let bucket = self.reference.bucket(ask.model.as_ref().map(ModelName::as_str), ask.operation.0);
        let breakers = self.pool.snapshot(self.now).breakers;
        let in_the_way = breakers
            .iter()
            .filter(|breaker| breaker.bucket.as_ref().is_none_or(|name| name.as_str() == bucket));
        let Some(until) = in_the_way.filter_map(|breaker| breaker.retry_at).max() else { return expected };
        let wait = self.now.until(until);
        let is_longest = match &expected {
            Expected::OneOf(_) => true,
            Expected::Resting(rest) => *rest < wait,
            Expected::NotOurs
            | Expected::Conflict
            | Expected::Foreign
            | Expected::Unknown
            | Expected::Disabled
            | Expected::NothingLeft
            | Expected::Troubled(_) => false,
        };
        if is_longest { Expected::Troubled(wait) } else { expected }
    }

    /// Of equally good keys the strategy's is chosen, where it leaves no choice.
    fn check_order(&mut self, keys: &[usize], chosen: usize) {
        let rotations = self.rotations();
        let expected = match self.policy.strategy {
            Order::PrimaryBackup => self.reference.first_of(keys, rotations),
            Order::LeastRecentlyUsed => self.reference.longest_unused(keys, rotations),
            Order::RoundRobin | Order::Weighted | Order::Health | Order::Headroom => None,
        };
        assert_eq!(chosen, expected.unwrap_or(chosen), "out of {keys:?} after {rotations} rotations");
        self.reference.leased.push(chosen);
        self.reference.current = Some(chosen);
    }

    /// A promise is given for things as they are; a resource may expire before it is due, and
    /// then the request is another one.
    fn keeps_its_owner(&self, ask: &Ask, refusal: &PoolRefusal) -> bool {
        let Some(retry_after) = refusal.retry_after() else { return true };
        let due = self.now.after(retry_after);
        let owned = |file: &&Owned| ask.references.contains(&file.resource) && file.expires > self.now;
        self.reference.owned.iter().filter(owned).all(|owned| owned.expires > due)
    }

    fn settle(&mut self, which: usize, verdict: Verdict) {
        if which >= self.outstanding.len() {
            return;
        }
        let (lease, ask, _) = self.outstanding.swap_remove(which);
        let verdict = random::truly_named(verdict, &lease.label);
        let settled = self.pool.settle(lease.id, verdict.clone(), self.now);
        assert_ne!(settled, Settled::Stale);
        self.ended = Some(lease.id);
        let judged = match &verdict {
            Verdict::Served(_) => Some(Judged::Served),
            Verdict::Failed(failure) => health::is_blamed(failure).then_some(Judged::Blamed),
            Verdict::Abandoned | Verdict::Unsent => None,
        };
        self.reference
            .judged
            .extend(judged.map(|judged| (self.reference.key(lease.key.id()), judged, self.now)));
        let Verdict::Failed(failure) = verdict else {
            assert_eq!(settled, Settled::Ended);
            return;
        };
        let how = if failure.takes_out() { TriedHow::Refused } else { TriedHow::Failed };
        self.tried.push(Tried { key: lease.key.id().clone(), group: lease.group.clone(), at: self.now, how });
        let model = ask.model.as_ref().map(ModelName::as_str);
        if let (Some(model), Some(bucket)) = (model, &failure.hint.bucket) {
            self.reference.learn(model, bucket.as_str(), self.now);
        }
        let key = self.reference.key(lease.key.id());
        if let Some(project) = &failure.hint.group {
            self.reference.name_project(key, project.as_str());
        }
        let until = match settled {
            // What turns out to be the provider's takes nothing out, whatever its adapter says.
            Settled::Ended => return assert!(!failure.takes_out() || failure.fault.is_providers()),
            Settled::Stale => unreachable!(),
            Settled::Disabled { .. } => None,
            Settled::Rested { until, .. } => {
                self.check_length(&failure, until);
                Some(until)
            }
        };
        self.reference.facts.push(Fact {
            scope: failure.scope,
            key,
            group: self.reference.groups[key].clone(),
            operation: ask.operation.0,
            bucket: self.reference.bucket(model, ask.operation.0),
            until,
            by_operator: false,
        });
    }

    fn rotations(&self) -> usize {
        let days = |at: Moment| usize::try_from(at.wall.as_second() / 86_400).unwrap();
        days(self.now) - days(start())
    }

    /// A provider's own delay is never undercut.
    fn check_length(&self, failure: &Failure, until: Moment) {
        let length = self.now.until(until);
        assert!(length >= Duration::from_millis(1));
        if failure.hint.resets.is_none() {
            assert!(length >= failure.hint.retry_after.unwrap_or_default());
        }
    }

    fn settle_stale(&mut self, lease: Option<LeaseId>) {
        let Some(lease) = lease else { return };
        let before = self.pool.clone();
        let verdict = super::world::failed(Fault::KeyInvalid);
        assert_eq!(self.pool.settle(lease, verdict, self.now), Settled::Stale);
        assert!(invariants::nothing_changed(&before, &self.pool), "{}", invariants::KP_8.sentence);
    }

    fn reset(&mut self, wanted: Option<Vec<usize>>) {
        let known = |keys: Vec<usize>| keys.into_iter().filter(|key| *key < self.specs.len()).collect();
        let named: Option<Vec<usize>> = wanted.map(known);
        let id = |key: &usize| self.specs[*key].secret.id().clone();
        let ids: Option<Vec<_>> = named.as_ref().map(|keys| keys.iter().map(id).collect());
        self.pool.reset(ids.as_deref(), self.now);
        let named = named.unwrap_or_else(|| (0..self.specs.len()).collect());
        let keys: Vec<usize> = named.into_iter().map(|key| self.reference.in_use[key]).collect();
        self.reference.reset(&keys, self.now);
    }

    fn disable(&mut self, key: usize) {
        let Some(spec) = self.specs.get(key) else { return };
        assert!(self.pool.disable(spec.secret.id(), self.now));
        let key = self.reference.in_use[key];
        self.reference.facts.retain(|fact| !is_disabling_of_key(fact, key));
        self.reference.facts.push(Fact {
            scope: Scope::Key,
            key,
            group: self.reference.groups[key].clone(),
            operation: "",
            bucket: String::new(),
            until: None,
            by_operator: true,
        });
    }

    fn enable(&mut self, key: usize) {
        let Some(spec) = self.specs.get(key) else { return };
        assert!(self.pool.enable(spec.secret.id(), self.now));
        let key = self.reference.in_use[key];
        let groups = self.reference.groups.clone();
        self.reference.facts.retain(|fact| {
            let is_groups = fact.scope == Scope::Group && fact.until.is_none();
            !(is_disabling_of_key(fact, key) || is_groups && fact.group == groups[key])
        });
    }

    fn bind(&mut self, file: usize, owner: usize, client: usize, lifetime: u64, is_law: bool) {
        let Some(group) = self.reference.groups.get(owner).cloned() else { return };
        let keepsake = if is_law { None } else { Keepsake::new(Bytes::from_static(b"how to")) };
        let resource = Resource::new("file", FILES[file]);
        let lifetime = Duration::from_secs(lifetime);
        let binding = Binding { resource: resource.clone(), lifetime, keepsake };
        self.pool.bind(&group.as_str().into(), &CLIENTS[client].into(), binding, self.now);
        let known = self.reference.owned.iter().find(|owned| owned.resource == resource);
        let is_foreign =
            known.is_some_and(|owned| owned.expires > self.now && owned.client != CLIENTS[client]);
        if is_foreign || lifetime.is_zero() {
            return;
        }
        self.reference.owned.retain(|owned| owned.resource != resource);
        let expires = self.now.after(lifetime);
        self.reference.owned.push(Owned {
            resource,
            group,
            client: CLIENTS[client].to_owned(),
            expires,
            is_law,
        });
    }

    fn slot_freed(&mut self, key: usize) {
        let Some(group) = self.reference.groups.get(key).cloned() else { return };
        self.pool.session_ended(&group.as_str().into(), &a_session("s"), self.now);
        self.reference.slot_freed(&group, self.now);
    }

    fn reload(&mut self, specs: Vec<KeySpec>, strategy: Order) {
        let is_in = |list: &[KeySpec], key: &KeySpec| list.iter().any(|other| other.secret == key.secret);
        let kept = specs.iter().filter(|key| is_in(&self.specs, key)).count();
        let goes_on = strategy == Order::LeastRecentlyUsed && self.policy.strategy == strategy;
        self.policy = Policy { strategy, ..self.policy.clone() };
        let told = self.pool.reload(specs.clone(), self.policy.clone(), self.now);
        assert_eq!(told.kept, kept);
        assert_eq!((told.added.len(), told.removed.len()), (specs.len() - kept, self.specs.len() - kept));
        self.reference.reload(&specs, self.rotations(), goes_on);
        self.specs = specs;
    }

    /// Another process goes on with what is on disk.
    fn restart(&mut self) {
        self.disk.write(self.saved.take_unsaved(usize::MAX));
        let mut state = self.disk.read();
        let saved: PoolState = serde_json::from_str(&serde_json::to_string(&self.saved).unwrap()).unwrap();
        // Breakers are no rows; here they stay, as they do after a panic.
        state.circuits.clone_from(&saved.circuits);
        assert_eq!(state, saved, "rows add up to the state");
        self.life += 1;
        self.pool = KeyPool::restore(self.life, self.specs.clone(), self.policy.clone(), 3, &state, self.now);
        self.saved = self.pool.state_after(state);
        self.reference.restart(&self.specs);
        // Keepsakes are not written down: what was a preference is a law from here on.
        self.reference.owned.iter_mut().for_each(|owned| owned.is_law = true);
        self.outstanding.clear();
        self.reference.leased.clear();
        self.reference.current = None;
        self.ended = None;
        self.tried.clear();
        self.patients = Patients::default();
    }
}

/// What storage does with rows, in the plainest way.
#[derive(Default)]
struct Disk(BTreeMap<(String, String), String>);

impl Disk {
    fn write(&mut self, rows: Vec<StateRow>) {
        for StateRow { part, name, value } in rows {
            let at = (part.into_owned(), name);
            match value {
                Some(value) => drop(self.0.insert(at, value)),
                None => drop(self.0.remove(&at)),
            }
        }
    }

    fn read(&self) -> PoolState {
        let rows = self.0.iter().map(|((part, name), value)| StateRow {
            part: part.clone().into(),
            name: name.clone(),
            value: Some(value.clone()),
        });
        PoolState::from_rows(rows).unwrap()
    }
}

fn is_disabling_of_key(fact: &Fact, key: usize) -> bool {
    fact.scope == Scope::Key && fact.until.is_none() && fact.key == key
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_pool_does_what_the_reference_expects(
        specs in specs(),
        order in order(),
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut trial = Trial::new(specs, order);
        for step in steps {
            trial.take(step);
        }
    }
}
