//! What is planned: the pool and its keys, the provider, and the clock.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use keygate_domain::{Allowance, ApiKey, GroupId, KeySpec, ModelName, Role};
use keygate_limits::{RetryPolicy, UserPolicy};
use keygate_pool::Policy;

/// Everything about a plan but its traffic.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The keys, in the order of the configuration.
    pub keys: Vec<KeySpec>,
    /// How the pool uses them.
    pub policy: Policy,
    /// How hard a request is tried.
    pub retry: RetryPolicy,
    /// What one user may do.
    pub per_user: UserPolicy,
    /// The deadline of a whole request.
    pub timeout: Duration,
    /// After this long a caller hangs up; the deadline where `None`.
    pub patience: Option<Duration>,
    /// What the provider grants each group of each model where that differs from the budgets.
    pub granted: Allowance,
    /// How long the provider takes to answer, on the average.
    pub latency: Duration,
    /// Set if each request opens a session: how long one lasts, on the average.
    pub session_length: Option<Duration>,
    /// When it begins.
    pub starts: Timestamp,
    /// How long it lasts.
    pub span: Duration,
    /// Whose hours of the day are reported.
    pub zone: TimeZone,
    /// Another seed is another run of chance.
    pub seed: u64,
}

impl Scenario {
    /// The bucket that sessions count in.
    pub(crate) const SESSIONS: &str = "start_session";

    /// The whole of it.
    pub fn window(&self) -> Window {
        Window { from: Duration::ZERO, until: self.span }
    }

    /// The quota groups, in the order of their first keys.
    pub fn groups(&self) -> Vec<GroupId> {
        self.members().groups
    }

    /// Who belongs to whom.
    pub(crate) fn members(&self) -> Members {
        let mut members = Members::default();
        let mut positions: BTreeMap<GroupId, usize> = BTreeMap::new();
        for spec in &self.keys {
            let id = group_of(spec);
            let position = *positions.entry(id.clone()).or_insert_with(|| {
                members.groups.push(id);
                members.own.push(Allowance::default());
                members.groups.len() - 1
            });
            members.own[position] = members.own[position].or(spec.allowance);
            members.group_of_key.push(position);
        }
        members
    }

    /// What the provider grants of a model to a group with limits of its `own`. Where nothing else is said it
    /// is what the pool lets it use: its own limits, else the model's, else everybody's.
    pub(crate) fn grant(&self, own: Allowance, model: Option<&ModelName>) -> Allowance {
        let budgets = &self.policy.budgets;
        let of_model = model.and_then(|model| budgets.models.get(model)).copied().unwrap_or_default();
        self.granted.or(own).or(of_model).or(budgets.default)
    }

    /// What the traffic counts in, by the positions of its models.
    pub(crate) fn buckets<'a>(&self, models: &'a [ModelName]) -> Vec<Option<&'a ModelName>> {
        if self.session_length.is_some() { vec![None] } else { models.iter().map(Some).collect() }
    }
}

/// The quota groups and their keys.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Members {
    /// In the order of their first keys.
    pub(crate) groups: Vec<GroupId>,
    /// The limits of each group's own.
    pub(crate) own: Vec<Allowance>,
    /// The group of each key, by position.
    pub(crate) group_of_key: Vec<usize>,
}

/// The part of a plan that is run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Window {
    /// Since the plan's beginning.
    pub from: Duration,
    /// Since the plan's beginning.
    pub until: Duration,
}

/// The group of a key, by the name that the pool has for it.
pub(crate) fn group_of(spec: &KeySpec) -> GroupId {
    spec.group.clone().unwrap_or_else(|| GroupId::new(format!("key:{}", spec.secret.id())))
}

/// Keys that nobody has yet: so many groups with so many keys each.
pub fn planned_keys(groups: u32, keys_per_group: u32) -> Vec<KeySpec> {
    let pairs = (1..=groups).flat_map(|group| (1..=keys_per_group).map(move |key| (group, key)));
    pairs.map(|(group, key)| planned_key(&format!("group-{group}"), key, Allowance::default())).collect()
}

/// A key that nobody has yet.
pub(crate) fn planned_key(group: &str, number: u32, allowance: Allowance) -> KeySpec {
    let label = format!("{group}-key-{number}");
    KeySpec {
        secret: ApiKey::new(format!("planned {label}")),
        label,
        group: Some(GroupId::from(group)),
        weight: 1,
        role: Role::Primary,
        allowance,
    }
}
