//! The breaker: tells a provider in trouble from keys in trouble, and keeps requests away from it.
//!
//! Faults that name no quota and no key are noted for each quota bucket: an [`Incident`]. When
//! most groups agree, a [`Circuit`] opens for the bucket, or for the whole provider when several
//! buckets are hit and none is served. Whether they agree is the pool's to say: it knows which
//! groups are usable.

mod circuit;
mod incident;
mod saved;

use std::collections::BTreeMap;
use std::time::Duration;

use keygate_domain::{BucketName, Fault, GroupId, Moment};

pub(crate) use circuit::{Circuit, Opening};
pub(crate) use incident::Incident;
pub(crate) use saved::SavedCircuit;

use crate::{BreakerSnapshot, Overloaded};

/// What a circuit is in the way of: one quota bucket, or (`None`) everything.
pub(crate) type Extent = Option<BucketName>;

/// The incidents and circuits of one provider.
#[derive(Clone, Debug, Default)]
pub(crate) struct Breaker {
    incidents: BTreeMap<BucketName, Incident>,
    circuits: BTreeMap<BucketName, Circuit>,
    whole: Option<Circuit>,
    /// When the provider served anything last.
    served: Option<Moment>,
    /// Whether a circuit changed since it was saved last.
    pub(crate) is_unsaved: bool,
}

/// What became of the circuits a failed lease was a trial of.
#[derive(Debug, Default)]
pub(crate) struct Rejected {
    /// Whether a circuit is open already: then the failure is no news of its key.
    pub(crate) is_known: bool,
    /// Open circuits whose trial it was.
    pub(crate) of_trials: Vec<Extent>,
}

impl Breaker {
    /// Most buckets noted at once, and most circuits. Names of models are the callers' words.
    const MOST: usize = 64;

    /// From when on an ask of `bucket` may pass, and which fault closed the way; `None` when it
    /// may pass now.
    pub(crate) fn blocks(&self, bucket: &str, now: Moment) -> Option<(Moment, Fault)> {
        let circuits = self.whole.iter().chain(self.circuits.get(bucket));
        let blocked = circuits.filter_map(|circuit| Some((circuit.admits_at(now)?, circuit.fault)));
        blocked.max_by_key(|(until, _)| *until)
    }

    /// A lease that counts in `bucket` was granted. Returns whether it is a trial of a circuit,
    /// and the circuits whose only trial it is now.
    pub(crate) fn granted(
        &mut self,
        bucket: &str,
        lease: u64,
        waits: &Overloaded,
        now: Moment,
    ) -> (bool, Vec<Extent>) {
        if self.is_at_rest() {
            return (false, Vec::new());
        }
        let of_bucket = self.circuits.get_key_value(bucket).map(|(name, _)| name.clone());
        let mut probing = Vec::new();
        let mut is_trial = false;
        for extent in [Some(None), of_bucket.map(Some)].into_iter().flatten() {
            let Some(circuit) = self.circuit_mut(&extent) else { continue };
            is_trial = true;
            if circuit.grant(lease, waits, now) {
                probing.push(extent);
            }
        }
        (is_trial, probing)
    }

    /// A trial proved good, by its whole answer or by the beginning of one; other leases prove
    /// nothing about a circuit. Returns the circuits that closed by it, and since when they stood.
    pub(crate) fn succeeded(&mut self, lease: u64, step: Duration, now: Moment) -> Vec<(Extent, Moment)> {
        let mut closed = Vec::new();
        if self.is_at_rest() {
            return closed;
        }
        for (extent, circuit) in self.all_mut() {
            if circuit.succeeded(lease, step, now) {
                closed.push((extent, circuit.since));
            }
        }
        closed
    }

    /// The provider served `bucket`: what failed before was not the provider's.
    pub(crate) fn served(&mut self, bucket: &str, now: Moment) {
        self.served = Some(now);
        self.incidents.remove(bucket);
    }

    /// A lease of `bucket` failed, and its fault names nobody.
    pub(crate) fn rejected(&mut self, bucket: &BucketName, lease: u64) -> Rejected {
        let mut rejected = Rejected::default();
        for (extent, circuit) in self.all_mut() {
            let was_trial = circuit.ended(lease);
            if circuit.is_open() && extent.as_ref().is_none_or(|name| name == bucket) {
                rejected.is_known = true;
                if was_trial {
                    rejected.of_trials.push(extent);
                }
            }
        }
        rejected
    }

    /// A lease ended, however: it holds no place any more.
    pub(crate) fn ended(&mut self, lease: u64) {
        if self.is_at_rest() {
            return;
        }
        for (_, circuit) in self.all_mut() {
            circuit.ended(lease);
        }
    }

    /// Whether there is no circuit at all, as nearly always.
    fn is_at_rest(&self) -> bool {
        self.whole.is_none() && self.circuits.is_empty()
    }

    /// Notes that `group` met a fault that names nobody.
    pub(crate) fn note(&mut self, bucket: &BucketName, group: GroupId, now: Moment) -> &Incident {
        if self.incidents.len() >= Self::MOST && !self.incidents.contains_key(bucket) {
            let oldest = self.incidents.iter().min_by_key(|(_, incident)| incident.latest());
            if let Some(oldest) = oldest.map(|(bucket, _)| bucket.clone()) {
                self.incidents.remove(&oldest);
            }
        }
        let incident = self.incidents.entry(bucket.clone()).or_default();
        incident.note(group, now);
        incident
    }

    /// What a circuit for `bucket` has to be in the way of: everything, when another bucket's is
    /// open and nothing at all was served since `began`. `None` when there is no room for it.
    pub(crate) fn extent_for(&self, bucket: &BucketName, began: Moment) -> Option<Extent> {
        let is_elsewhere = self.circuits.iter().any(|(name, other)| name != bucket && other.is_open());
        if is_elsewhere && self.served.is_none_or(|at| at < began) {
            return Some(None);
        }
        let has_room = self.circuits.len() < Self::MOST || self.circuits.contains_key(bucket);
        has_room.then(|| Some(bucket.clone()))
    }

    /// How often the wait of a circuit that opens now is doubled: one that opens again before it
    /// was over waits longer.
    pub(crate) fn level_of(&self, extent: &Extent) -> u32 {
        let again = self.circuit(extent).map_or(0, |circuit| circuit.level.saturating_add(1));
        match extent {
            Some(_) => again,
            None => self.circuits.values().map(|circuit| circuit.level).fold(again, u32::max),
        }
    }

    /// Opens a circuit, or opens it again. One in the way of everything takes the place of all
    /// others that are open.
    pub(crate) fn open(&mut self, extent: Extent, opening: Opening) {
        let Some(bucket) = extent else {
            let since = self.circuits.values().filter(|other| other.is_open()).map(|other| other.since);
            let since = since.chain(self.whole.iter().map(|whole| whole.since)).min();
            self.circuits.retain(|_, other| !other.is_open());
            self.incidents.clear();
            self.whole = Some(Circuit::open(opening, since));
            return;
        };
        self.incidents.remove(&bucket);
        let since = self.circuits.get(&bucket).map(|circuit| circuit.since);
        self.circuits.insert(bucket, Circuit::open(opening, since));
    }

    /// The provider counts in `to` what was thought to count in `from`.
    pub(crate) fn renamed(&mut self, from: &BucketName, to: &BucketName) -> bool {
        let Some(open) = self.circuits.get(from).filter(|circuit| circuit.is_open()) else { return false };
        if self.circuits.contains_key(to) || self.circuits.len() >= Self::MOST {
            return false;
        }
        let open = open.clone();
        self.circuits.insert(to.clone(), open);
        true
    }

    /// Groups go by other names.
    pub(crate) fn rename_groups(&mut self, renamed: &BTreeMap<GroupId, GroupId>) {
        self.incidents.values_mut().for_each(|incident| incident.rename_groups(renamed));
    }

    /// Takes out a circuit whose time is over.
    pub(crate) fn pop_due(&mut self, now: Moment) -> Option<(Extent, Circuit)> {
        if self.is_at_rest() {
            return None;
        }
        let mut due = self.all().filter(|(_, circuit)| circuit.due() <= now);
        let extent = due.next().map(|(extent, _)| extent)?;
        drop(due);
        let circuit = match &extent {
            Some(bucket) => self.circuits.remove(bucket),
            None => self.whole.take(),
        };
        circuit.map(|circuit| (extent, circuit))
    }

    /// When [`Breaker::pop_due`] has something next.
    pub(crate) fn next_due(&self) -> Option<Moment> {
        self.whole.iter().chain(self.circuits.values()).map(Circuit::due).min()
    }

    /// Forgets everything. Returns the circuits that were open, and since when they stood.
    pub(crate) fn forget(&mut self) -> Vec<(Extent, Moment)> {
        let was = std::mem::take(self);
        let open = was.all().filter(|(_, circuit)| circuit.is_open());
        open.map(|(extent, circuit)| (extent, circuit.since)).collect()
    }

    /// The circuits as status pages show them.
    pub(crate) fn observe(&self, now: Moment) -> Vec<BreakerSnapshot> {
        self.all().map(|(bucket, circuit)| circuit.observe(bucket, now)).collect()
    }

    /// Every circuit: the whole provider's first.
    pub(crate) fn all(&self) -> impl Iterator<Item = (Extent, &Circuit)> {
        let whole = self.whole.iter().map(|circuit| (None, circuit));
        whole.chain(self.circuits.iter().map(|(bucket, circuit)| (Some(bucket.clone()), circuit)))
    }

    fn all_mut(&mut self) -> impl Iterator<Item = (Extent, &mut Circuit)> {
        let whole = self.whole.iter_mut().map(|circuit| (None, circuit));
        whole.chain(self.circuits.iter_mut().map(|(bucket, circuit)| (Some(bucket.clone()), circuit)))
    }

    fn circuit(&self, extent: &Extent) -> Option<&Circuit> {
        extent.as_ref().map_or(self.whole.as_ref(), |bucket| self.circuits.get(bucket))
    }

    fn circuit_mut(&mut self, extent: &Extent) -> Option<&mut Circuit> {
        match extent {
            Some(bucket) => self.circuits.get_mut(bucket),
            None => self.whole.as_mut(),
        }
    }

    /// Puts back a circuit of an earlier life.
    pub(crate) fn restore(&mut self, extent: Extent, circuit: Circuit) {
        match extent {
            Some(bucket) if self.circuits.len() < Self::MOST => drop(self.circuits.insert(bucket, circuit)),
            Some(_) => {}
            None => self.whole = Some(circuit),
        }
    }
}
