//! What must outlive a restart: rests, disabled keys, learned names, bindings.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use keygate_domain::{BucketName, ClientId, Fault, GroupId, Keepsake, KeyId, Metric, ModelName, Tier};
use serde::{Deserialize, Serialize};

use crate::SpentState;
use crate::affinity::ResourceName;
use crate::breaker::SavedCircuit;
use crate::learned::SavedLimit;
use crate::probing::SavedTurns;
use crate::roster::Owner;
use crate::rows::Unsaved;

/// Everything [`crate::KeyPool::restore`] needs. Times are wall times, so that it means the same
/// in another process. Leases and counters are not part of it.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct PoolState {
    /// Keys that are disabled, rest, or rested lately.
    pub(crate) keys: BTreeMap<KeyId, SavedStanding>,
    /// Groups that are disabled, rest, or rested lately, or of which something was learned.
    pub(crate) groups: BTreeMap<GroupId, SavedGroup>,
    /// Where the order of the keys stands, if it rotates.
    #[serde(default)]
    pub(crate) order: Option<SavedOrder>,
    /// Models whose bucket the provider named.
    pub(crate) buckets: BTreeMap<ModelName, BucketName>,
    /// The owners of resources, by kind and name.
    pub(crate) bindings: BTreeMap<String, BTreeMap<Arc<str>, SavedBinding>>,
    /// Where the provider itself is in trouble. No row of storage: it outlives a panic, and a process that
    /// starts anew may as well ask anew.
    #[serde(default)]
    pub(crate) circuits: Vec<SavedCircuit>,
    /// What was used of budgets, as storage had it; kept up to date in the pool only.
    #[serde(skip)]
    pub(crate) spent: SpentState,
    /// What storage has not been given yet.
    #[serde(skip)]
    pub(crate) unsaved: Unsaved,
}

/// Where the order of the keys stands.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct SavedOrder {
    /// The key that each role begins with.
    pub(crate) first: Vec<KeyId>,
    /// When it moved on last.
    pub(crate) rotated_at: Timestamp,
}

/// What is out of a key or group.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct SavedStanding {
    pub(crate) disabled: Option<SavedDisabled>,
    pub(crate) rests: Vec<SavedRest>,
    /// When a key that fares badly will be whole again.
    #[serde(default)]
    pub(crate) whole_at: Option<Timestamp>,
    /// The project that the provider named for a key.
    #[serde(default)]
    pub(crate) project: Option<GroupId>,
    /// How a disabled key is asked after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) probing: Option<SavedTurns>,
}

impl SavedStanding {
    pub(crate) fn is_clean(&self) -> bool {
        let has_no_standing = self.disabled.is_none() && self.rests.is_empty() && self.whole_at.is_none();
        has_no_standing && self.project.is_none() && self.probing.is_none()
    }

    /// What waited so long that it passed unseen has nothing to say any more.
    pub(crate) fn forget_what_is_over(&mut self, now: Timestamp) {
        self.rests.retain(|rest| rest.until > now);
        self.whole_at = self.whole_at.filter(|at| *at > now);
    }

    /// Whether the same is out: what must be on disk at once when it changes.
    pub(crate) fn is_out_like(&self, other: &Self) -> bool {
        self.disabled == other.disabled && self.rests == other.rests
    }
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct SavedDisabled {
    pub(crate) fault: Option<Fault>,
    pub(crate) reason: String,
    pub(crate) since: Timestamp,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct SavedRest {
    pub(crate) part: SavedPart,
    pub(crate) until: Timestamp,
    pub(crate) since: Timestamp,
    pub(crate) fault: Fault,
    pub(crate) reason: String,
    #[serde(default)]
    pub(crate) may_be_providers: bool,
    pub(crate) level: u32,
    pub(crate) next_level: u32,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SavedPart {
    Whole,
    Operation(String),
    Bucket(BucketName, Metric),
    Sessions,
}

#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct SavedGroup {
    pub(crate) standing: SavedStanding,
    #[serde(default)]
    pub(crate) tier: Option<Tier>,
    #[serde(default)]
    pub(crate) limits: Vec<SavedLimit>,
}

impl SavedGroup {
    pub(crate) fn is_clean(&self) -> bool {
        self.standing.is_clean() && self.tier.is_none() && self.limits.is_empty()
    }
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct SavedBinding {
    pub(crate) group: GroupId,
    pub(crate) client: ClientId,
    pub(crate) expires: Timestamp,
    /// Never written: it may hold a user's own words and credentials. Read back, the binding is a
    /// law, and its resource is served where it was made or not at all.
    #[serde(skip)]
    pub(crate) keepsake: Option<Keepsake>,
}

/// What changed since the state was written last.
#[derive(Clone, Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each names a part that changed; together they are no state"
)]
pub(crate) struct Changes {
    pub(crate) owners: Owners,
    /// Names that groups go by no longer.
    pub(crate) gone_groups: BTreeSet<GroupId>,
    pub(crate) names: bool,
    pub(crate) order: bool,
    pub(crate) bindings: BTreeSet<ResourceName>,
    /// Set when too many bindings changed to name them.
    pub(crate) all_bindings: bool,
    /// Set when positions mean other keys than before.
    pub(crate) everything: bool,
}

/// Keys and groups, each once. Most requests that fail change one, and to note it must be no search.
#[derive(Clone, Debug, Default)]
pub(crate) struct Owners {
    list: Vec<Owner>,
    keys: Vec<bool>,
    groups: Vec<bool>,
}

impl Owners {
    fn insert(&mut self, owner: Owner) {
        let (known, position) = match owner {
            Owner::Key(key) => (&mut self.keys, key),
            Owner::Group(group) => (&mut self.groups, group),
        };
        if known.len() <= position {
            known.resize(position + 1, false);
        }
        if !std::mem::replace(&mut known[position], true) {
            self.list.push(owner);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

impl IntoIterator for Owners {
    type Item = Owner;
    type IntoIter = std::vec::IntoIter<Owner>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter()
    }
}

impl Changes {
    const MOST_BINDINGS: usize = 4096;

    /// Everything has to be written anew.
    pub(crate) fn everything() -> Self {
        Self { everything: true, ..Self::default() }
    }

    pub(crate) fn owner(&mut self, owner: Owner) {
        // Positions of before a reload would mean other keys after it.
        if !self.everything {
            self.owners.insert(owner);
        }
    }

    pub(crate) fn group_gone(&mut self, name: GroupId) {
        if !self.everything {
            self.gone_groups.insert(name);
        }
    }

    pub(crate) fn order(&mut self) {
        self.order = true;
    }

    pub(crate) fn names(&mut self) {
        self.names = true;
    }

    pub(crate) fn binding(&mut self, name: ResourceName) {
        if self.all_bindings {
            return;
        }
        self.bindings.insert(name);
        if self.bindings.len() > Self::MOST_BINDINGS {
            self.bindings.clear();
            self.all_bindings = true;
        }
    }
}
