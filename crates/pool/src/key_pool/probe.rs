//! Asking after keys that a fault disabled.
//!
//! A free call proves that the provider knows a key again and lets it in: that is what invalid, expired,
//! leaked and restricted keys lack. It proves nothing of money: it is served whether or not a project may
//! spend, so a group that was disabled is for humans, and so is what an operator took out by hand. A probe
//! draws nothing from budgets, like a caller's own free call: providers count generating calls by model,
//! and the free one has none.

use std::time::Duration;

use keygate_domain::{Fault, KeyId, Moment, Verdict};

use super::KeyPool;
use crate::probing::{Finding, SavedTurns, Turns};
use crate::roster::Owner;
use crate::{PoolEvent, Probe, ProbeId, ProbingSnapshot, invariants};

impl KeyPool {
    /// The probe whose time has come, if any. There is never a second one before it is answered, or has
    /// not been for half a minute.
    pub fn take_probe(&mut self) -> Option<Probe> {
        let probe = self.probing.take_ready(&self.policy.probe, self.now)?;
        let key = self.roster.key_at(probe.key.id()).filter(|key| self.is_being_probed(*key));
        let Some(key) = key else {
            // What was decided about the key since it fell due makes it needless.
            self.probing.end(probe.id.number);
            return None;
        };
        let turns = self.roster.keys[key].probing.get_or_insert_default();
        turns.sent += 1;
        turns.last_at = Some(self.now);
        self.changes.owner(Owner::Key(key));
        Some(probe)
    }

    /// Takes in what became of a probe. One of another life, one that was given up, and one whose key was
    /// brought back, taken out by hand or replaced meanwhile change nothing.
    pub fn probed(&mut self, probe: ProbeId, verdict: &Verdict, now: Moment) {
        self.advance(now);
        if probe.life == self.life {
            self.heed_probe(probe.number, Finding::of(verdict));
        }
        self.attend();
        invariants::assert_holds(self);
    }

    fn heed_probe(&mut self, number: u64, finding: Finding) {
        let Some(answered) = self.probing.end(number) else { return };
        let Some(key) = self.roster.key_at(&answered.key) else { return };
        if self.out_since(key) != Some(answered.disabled_since) {
            return;
        }
        match finding {
            Finding::Works => self.works_again(key),
            Finding::Refused(fault, reason) => {
                self.raise_level(key);
                let next_at = self.plan_probe(key, Duration::ZERO);
                self.tell_still_out(key, Some(fault), reason, next_at);
            }
            Finding::Unclear { fault, wait } => {
                let next_at = self.plan_probe(key, wait);
                self.tell_still_out(key, fault, "", next_at);
            }
        }
    }

    fn works_again(&mut self, key: usize) {
        self.raise_level(key);
        if self.take_back(Owner::Key(key)) {
            let key = &self.roster.keys[key];
            let (id, label) = (key.id().clone(), key.label.clone());
            self.events.push(PoolEvent::KeyProvedGood { id, label });
        }
    }

    fn tell_still_out(
        &mut self,
        key: usize,
        fault: Option<Fault>,
        reason: &'static str,
        next_at: Option<Moment>,
    ) {
        let key = &self.roster.keys[key];
        let (id, label) = (key.id().clone(), key.label.clone());
        self.events.push(PoolEvent::KeyProbed { id, label, fault, reason, next_at });
    }

    fn raise_level(&mut self, key: usize) {
        let turns = self.roster.keys[key].probing.get_or_insert_default();
        turns.level = turns.level.saturating_add(1);
        self.changes.owner(Owner::Key(key));
    }

    // === when a key is asked after ===

    /// A fault disabled it: it is asked after from here on. Groups are not.
    pub(super) fn ask_after(&mut self, owner: Owner) {
        if let Owner::Key(key) = owner {
            self.plan_probe(key, Duration::ZERO);
        }
    }

    /// An operator decided about it.
    pub(super) fn ask_no_more_after(&mut self, owner: Owner) {
        let Owner::Key(key) = owner else { return };
        let key = &mut self.roster.keys[key];
        if let Some(turns) = key.probing.take() {
            if let Some(due) = turns.next_at {
                self.probing.strike(key.secret.id(), due);
            }
            self.changes.owner(owner);
        }
    }

    /// A request was served: what a probe found out is proved.
    pub(super) fn proved_by_use(&mut self, key: usize) {
        if self.roster.keys[key].probing.is_some() && self.roster.keys[key].standing.disabled.is_none() {
            self.ask_no_more_after(Owner::Key(key));
        }
    }

    /// What an earlier life knew. What fell due meanwhile is spread, so that a start is no storm.
    pub(super) fn remember_probing(&mut self, owner: Owner, saved: Option<&SavedTurns>) {
        let Owner::Key(key) = owner else { return };
        let read = saved.map(|saved| Turns::read(saved, |wall| self.at(wall)));
        let planned = read.and_then(|turns| turns.next_at);
        self.roster.keys[key].probing = read.map(|turns| Box::new(Turns { next_at: None, ..turns }));
        if !self.is_asked_after(key) {
            return;
        }
        match planned {
            Some(due) if due > self.now => self.plan_probe_at(key, due),
            Some(_) => {
                let wait = self.probing.part_of_first_wait(&self.policy.probe);
                self.plan_probe_at(key, self.now.after(wait));
            }
            None => drop(self.plan_probe(key, Duration::ZERO)),
        }
    }

    /// Positions and the policy changed. What was planned stays planned, or comes sooner if the waits are
    /// shorter than they were.
    pub(super) fn replan_probes(&mut self) {
        self.probing.strike_all();
        for key in 0..self.roster.keys.len() {
            let Some(turns) = self.roster.keys[key].probing.as_mut() else {
                self.ask_after_if_out(key);
                continue;
            };
            let (planned, level) = (turns.next_at.take(), turns.level);
            if !self.is_asked_after(key) || self.is_being_probed(key) {
                continue;
            }
            let latest = self.now.after(self.policy.probe.longest_wait(level));
            match planned.filter(|planned| *planned <= latest) {
                Some(planned) => self.plan_probe_at(key, planned),
                None => drop(self.plan_probe(key, Duration::ZERO)),
            }
        }
    }

    fn ask_after_if_out(&mut self, key: usize) {
        if self.is_asked_after(key) {
            self.plan_probe(key, Duration::ZERO);
        }
    }

    /// Plans the next probe of a key that is out; not before `at_least` has passed.
    fn plan_probe(&mut self, key: usize, at_least: Duration) -> Option<Moment> {
        if !self.is_asked_after(key) {
            return None;
        }
        let level = self.roster.keys[key].probing.as_ref().map_or(0, |turns| turns.level);
        let due = self.now.after(self.probing.wait(&self.policy.probe, level, at_least));
        self.plan_probe_at(key, due);
        Some(due)
    }

    fn plan_probe_at(&mut self, position: usize, due: Moment) {
        let key = &mut self.roster.keys[position];
        let turns = key.probing.get_or_insert_default();
        if let Some(earlier) = turns.next_at.replace(due) {
            self.probing.strike(key.secret.id(), earlier);
        }
        self.probing.plan(key.secret.id(), due);
        self.changes.owner(Owner::Key(position));
    }

    /// Since when a fault has disabled it, if one has.
    fn out_since(&self, key: usize) -> Option<Moment> {
        let disabled = self.roster.keys[key].standing.disabled.as_ref()?;
        disabled.fault.map(|_| disabled.since)
    }

    fn is_asked_after(&self, key: usize) -> bool {
        self.policy.probe.is_enabled && key < self.roster.in_use() && self.out_since(key).is_some()
    }

    fn is_being_probed(&self, key: usize) -> bool {
        let id = self.roster.keys[key].id();
        self.out_since(key).is_some_and(|since| self.probing.is_under_way(id, since))
    }

    // === the passing of time ===

    /// Gives up a probe without an answer, and begins the next one that is due.
    pub(super) fn advance_probing(&mut self) {
        while self.probing.next_due().is_some_and(|due| due <= self.now) {
            match self.probing.give_up(self.now) {
                Some(silent) => self.still_silent(&silent.key, silent.disabled_since),
                None => self.begin_probe(),
            }
        }
    }

    fn still_silent(&mut self, id: &KeyId, disabled_since: Moment) {
        let Some(key) = self.roster.key_at(id) else { return };
        if self.out_since(key) == Some(disabled_since) {
            self.plan_probe(key, Duration::ZERO);
        }
    }

    fn begin_probe(&mut self) {
        let Some(key) = self.probing.pop().and_then(|id| self.roster.key_at(&id)) else { return };
        let Some(since) = self.out_since(key) else { return };
        let found = &mut self.roster.keys[key];
        if let Some(turns) = &mut found.probing {
            turns.next_at = None;
        }
        self.probing.begin(self.life, found.secret.clone(), since, &self.policy.probe, self.now);
        self.changes.owner(Owner::Key(key));
    }

    /// How a key is asked after, for status.
    pub(super) fn observe_probing(&self, key: usize) -> ProbingSnapshot {
        let Turns { level: _, sent, last_at, next_at } =
            self.roster.keys[key].probing.as_deref().copied().unwrap_or_default();
        let next_at = next_at.map(|due| self.probing.earliest(due));
        ProbingSnapshot { probes: sent, last_at, next_at }
    }

    /// What is planned is what the keys say, and only keys in use that a fault disabled are asked after.
    #[cfg(test)]
    pub(crate) fn plans_probes_truly(&self) -> bool {
        let keys = self.roster.keys.iter().enumerate();
        let planned = keys.filter_map(|(at, key)| {
            let due = key.probing.as_ref()?.next_at?;
            self.is_asked_after(at).then(|| (due, key.id().clone()))
        });
        let all_told = self.roster.keys[..self.roster.in_use()].iter().enumerate().all(|(at, key)| {
            let next_at = key.probing.as_ref().and_then(|turns| turns.next_at);
            next_at.is_some() == (self.is_asked_after(at) && !self.is_being_probed(at))
        });
        planned.collect::<std::collections::BTreeSet<_>>() == *self.probing.planned() && all_told
    }
}
