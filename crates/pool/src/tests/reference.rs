//! "Which key may be used?", answered a second time, as plainly as possible: a list of facts
//! that is read from end to end for every question.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use keygate_domain::{Access, KeyId, KeySpec, Moment, Resource, Role, Scope};

use crate::{Ask, TriedHow};

/// Something that forbids a use until a moment, or for good.
#[derive(Clone, Debug)]
pub(crate) struct Fact {
    pub(crate) scope: Scope,
    pub(crate) key: usize,
    /// The key's group at that time.
    pub(crate) group: String,
    pub(crate) operation: &'static str,
    /// The bucket counted in.
    pub(crate) bucket: String,
    /// `None`: until somebody acts.
    pub(crate) until: Option<Moment>,
    pub(crate) by_operator: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Owned {
    pub(crate) resource: Resource,
    pub(crate) group: String,
    pub(crate) client: String,
    pub(crate) expires: Moment,
    pub(crate) is_law: bool,
}

/// What a reference expects of an ask.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Expected {
    OneOf(Vec<usize>),
    NotOurs,
    Conflict,
    Foreign,
    Unknown,
    /// After this long.
    Resting(Duration),
    Disabled,
    NothingLeft,
    /// A breaker is in the way for this long; keys are free before.
    Troubled(Duration),
}

#[derive(Clone, Debug)]
pub(crate) struct Reference {
    /// The group of every key that ever was, the one it is or was last in.
    pub(crate) groups: Vec<String>,
    pub(crate) ids: Vec<KeyId>,
    /// Which of them are in use, in the order of the configuration.
    pub(crate) in_use: Vec<usize>,
    pub(crate) facts: Vec<Fact>,
    pub(crate) owned: Vec<Owned>,
    /// Model, bucket.
    pub(crate) names: Vec<(String, String)>,
    pub(crate) roles: Vec<Role>,
    /// The key that each role began with, if it is not the first of the configuration, and after how
    /// many rotations that was so.
    began_with: [Option<usize>; 2],
    rotated: usize,
    /// The key leased last.
    pub(crate) current: Option<usize>,
    /// The keys leased in this life, in order.
    pub(crate) leased: Vec<usize>,
    /// What each key was judged by, and when.
    pub(crate) judged: Vec<(usize, Judged, Moment)>,
    /// Whether the configuration names, or last named, the group of each key.
    pub(super) declared: Vec<bool>,
    /// The project that the provider named for each key.
    pub(super) projects: Vec<Option<String>>,
    /// The group that each project is.
    pub(super) homes: BTreeMap<String, String>,
    /// The project that each declared group is.
    pub(super) named: BTreeMap<String, String>,
}

/// What changes a key's health.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Judged {
    Served,
    Blamed,
    Forgiven,
}

const ROLES: [Role; 2] = [Role::Primary, Role::Backup];

impl Reference {
    pub(crate) fn of(specs: &[KeySpec]) -> Self {
        Self {
            groups: specs.iter().map(group_of).collect(),
            ids: specs.iter().map(|spec| spec.secret.id().clone()).collect(),
            in_use: (0..specs.len()).collect(),
            facts: Vec::new(),
            owned: Vec::new(),
            names: Vec::new(),
            roles: specs.iter().map(|spec| spec.role).collect(),
            leased: Vec::new(),
            began_with: [None; 2],
            rotated: 0,
            current: None,
            judged: Vec::new(),
            declared: specs.iter().map(|spec| spec.group.is_some()).collect(),
            projects: vec![None; specs.len()],
            homes: BTreeMap::new(),
            named: BTreeMap::new(),
        }
    }

    /// Another configuration: groups all of whose keys went to one other are that one from here on, and
    /// so are those that are a project for the group of that project.
    pub(crate) fn reload(&mut self, specs: &[KeySpec], rotations: usize, same_order: bool) {
        let orders = ROLES.map(|role| self.order_of(role, rotations));
        let before = self.groups.clone();
        for spec in specs {
            if !self.ids.contains(spec.secret.id()) {
                self.ids.push(spec.secret.id().clone());
                self.groups.push(String::new());
                self.roles.push(spec.role);
                self.declared.push(false);
                self.projects.push(None);
            }
        }
        let after = self.grouping(specs);
        let mut renamed = Vec::new();
        for name in self.names_in_use_no_more(&after) {
            let members = after.iter().filter(|(key, _)| before.get(**key) == Some(&name));
            let targets: BTreeSet<&String> = members.map(|(_, group)| group).collect();
            let only = targets.first().copied().filter(|_| targets.len() == 1);
            if let Some(target) = only.or_else(|| self.homes.get(&name)) {
                renamed.push((name.clone(), target.clone()));
            }
        }
        for (name, target) in &renamed {
            self.rename(name, target);
        }
        self.in_use.clear();
        for spec in specs {
            let key = self.key(spec.secret.id());
            self.groups[key] = after[&key].clone();
            self.roles[key] = spec.role;
            self.in_use.push(key);
        }
        let still = |key: &usize, role| self.in_use.contains(key) && self.roles[*key] == role;
        let first = |role: usize| orders[role].iter().copied().find(|key| still(key, ROLES[role]));
        self.began_with = [first(0), first(1)];
        self.rotated = rotations;
        self.leased.retain(|key| same_order && self.in_use.contains(key));
        self.leased.extend(self.current.filter(|key| self.in_use.contains(key)));
    }

    /// A restart forgets in which groups keys were that are not in use.
    pub(crate) fn restart(&mut self, specs: &[KeySpec]) {
        for key in (0..self.ids.len()).filter(|key| !self.in_use.contains(key)) {
            self.groups[key].clear();
        }
        let after = self.grouping(specs);
        for name in self.names_in_use_no_more(&after) {
            if let Some(home) = self.homes.get(&name).cloned() {
                self.rename(&name, &home);
            }
        }
        for (key, group) in after {
            self.groups[key] = group;
        }
    }

    /// The key of an id.
    pub(crate) fn key(&self, id: &KeyId) -> usize {
        self.ids.iter().position(|known| known == id).expect("a known key")
    }

    /// A key's health, counted up from the beginning.
    pub(crate) fn health(&self, key: usize, now: Moment) -> u8 {
        let tick = |at: Moment| at.mono.as_secs() / 6;
        let (mut points, mut last) = (100, 0);
        for (_, judged, at) in self.judged.iter().filter(|(judged, ..)| *judged == key) {
            points = 100.min(points + tick(*at) - last);
            last = tick(*at);
            points = match judged {
                Judged::Served => 100.min(points + 5),
                Judged::Blamed => points.saturating_sub(20),
                Judged::Forgiven => 100,
            };
        }
        u8::try_from(100.min(points + tick(now) - last)).unwrap()
    }

    /// The keys of a role in their order, after so many rotations.
    fn order_of(&self, role: Role, rotations: usize) -> Vec<usize> {
        let mut keys: Vec<usize> =
            self.in_use.iter().copied().filter(|key| self.roles[*key] == role).collect();
        let began_with = self.began_with[ROLES.iter().position(|one| *one == role).unwrap()];
        let start = keys.iter().position(|key| Some(*key) == began_with).unwrap_or_default();
        let by = (start + rotations - self.rotated) % keys.len().max(1);
        keys.rotate_left(by);
        keys
    }

    /// Of these keys the one that `primary_backup` uses.
    pub(crate) fn first_of(&self, keys: &[usize], rotations: usize) -> Option<usize> {
        let order = ROLES.map(|role| self.order_of(role, rotations)).concat();
        order.into_iter().find(|key| keys.contains(key))
    }

    /// Of these keys the one that was leased longest ago, of those never leased the first.
    pub(crate) fn longest_unused(&self, keys: &[usize], rotations: usize) -> Option<usize> {
        let lead = ROLES.map(|role| self.order_of(role, rotations)).concat()[0];
        let lead = self.in_use.iter().position(|key| *key == lead).unwrap();
        let order = self.in_use[lead..].iter().chain(&self.in_use[..lead]).copied();
        let order = order.filter(|key| keys.contains(key));
        order.min_by_key(|key| self.leased.iter().rposition(|leased| leased == key).map(|at| at + 1))
    }

    pub(crate) fn bucket(&self, model: Option<&str>, operation: &str) -> String {
        let Some(model) = model else { return operation.to_owned() };
        let learned = self.names.iter().find(|(name, _)| name == model);
        learned.map_or_else(|| model.to_owned(), |(_, bucket)| bucket.clone())
    }

    /// The provider counts a model in a bucket.
    pub(crate) fn learn(&mut self, model: &str, bucket: &str, now: Moment) {
        let before = self.bucket(Some(model), "");
        self.names.retain(|(name, _)| name != model);
        self.names.push((model.to_owned(), bucket.to_owned()));
        let shared = self.facts.iter().filter(|fact| {
            fact.scope == Scope::GroupBucket && fact.bucket == before && fact.until.is_some_and(|at| at > now)
        });
        let shared: Vec<_> = shared.map(|fact| Fact { bucket: bucket.to_owned(), ..fact.clone() }).collect();
        self.facts.extend(shared);
    }

    fn forbids(&self, fact: &Fact, key: usize, ask: &Ask) -> bool {
        let same_group = fact.group == self.groups[key];
        let bucket = self.bucket(ask.model.as_ref().map(keygate_domain::ModelName::as_str), ask.operation.0);
        match fact.scope {
            Scope::Nothing => false,
            Scope::Key => fact.key == key,
            Scope::KeyRoute => fact.key == key && fact.operation == ask.operation.0,
            Scope::Group => same_group,
            Scope::GroupRoute => same_group && fact.operation == ask.operation.0,
            Scope::GroupBucket => same_group && fact.bucket == bucket,
            Scope::GroupSessions => same_group && ask.opens_session,
        }
    }

    /// From when on a key can be used; `None` if no time helps.
    fn free_from(&self, key: usize, ask: &Ask, now: Moment) -> Option<Moment> {
        let facts = self.facts.iter().filter(|fact| self.forbids(fact, key, ask));
        facts.map(|fact| fact.until).try_fold(now, |latest, until| Some(latest.max(until?)))
    }

    /// Whether this request may use a key again at `at`, and how gladly.
    fn eagerness(&self, key: usize, ask: &Ask, at: Moment) -> Option<u8> {
        let was_cured = |since: Moment| {
            let rests = self.facts.iter().filter(|fact| self.forbids(fact, key, ask));
            rests.filter_map(|fact| fact.until).any(|until| until > since && until <= at)
        };
        let mut eagerness = 0;
        for tried in &ask.tried {
            let is_key = tried.key == self.ids[key];
            match tried.how {
                TriedHow::Refused if is_key && !was_cured(tried.at) => return None,
                TriedHow::Failed if is_key => eagerness = 2,
                TriedHow::Failed if self.name_now(tried.group.as_str()) == self.groups[key] => {
                    eagerness = eagerness.max(1);
                }
                TriedHow::Refused | TriedHow::Failed => {}
            }
        }
        Some(eagerness)
    }

    fn owners(&self, ask: &Ask, now: Moment) -> Result<Vec<&Owned>, Expected> {
        let mut owners: Vec<&Owned> = Vec::new();
        for resource in &ask.references {
            let owner = self.owned.iter().find(|owned| owned.resource == *resource && owned.expires > now);
            let Some(owner) = owner else {
                if ask.access.needs_reference() {
                    return Err(Expected::Unknown);
                }
                continue;
            };
            if owner.client != ask.client.as_str() && ask.access.needs_token() {
                return Err(Expected::Foreign);
            }
            if owners.first().is_some_and(|first| first.group != owner.group) {
                return Err(Expected::Conflict);
            }
            owners.push(owner);
        }
        Ok(owners)
    }

    pub(crate) fn expects(&self, ask: &Ask, now: Moment) -> Expected {
        let owners = match self.owners(ask, now) {
            Ok(owners) => owners,
            Err(refusal) => return refusal,
        };
        let brings_its_own = owners.is_empty() && ask.access == Access::OwnCredential;
        if brings_its_own || !ask.access.needs_key() {
            return Expected::NotOurs;
        }
        let home = owners.first().map(|owner| owner.group.as_str());
        let is_law = owners.iter().any(|owner| owner.is_law);
        let is_home = |key: usize| home.is_none_or(|home| self.groups[key] == home);
        let allowed: Vec<usize> =
            self.in_use.iter().copied().filter(|key| !is_law || is_home(*key)).collect();
        let usable = allowed.iter().copied().filter(|key| self.free_from(*key, ask, now) == Some(now));
        let ranked: Vec<_> = usable
            .filter_map(|key| Some(((self.eagerness(key, ask, now)?, u8::from(!is_home(key))), key)))
            .collect();
        if let Some(best) = ranked.iter().map(|(rank, _)| *rank).min() {
            return Expected::OneOf(
                ranked.into_iter().filter(|(rank, _)| *rank == best).map(|(_, key)| key).collect(),
            );
        }
        self.why_not(&allowed, ask, now)
    }

    fn why_not(&self, allowed: &[usize], ask: &Ask, now: Moment) -> Expected {
        let later = allowed.iter().filter_map(|key| {
            let at = self.free_from(*key, ask, now)?;
            self.eagerness(*key, ask, at).map(|_| at)
        });
        if let Some(earliest) = later.min() {
            return Expected::Resting(now.until(earliest));
        }
        let is_any_free = allowed.iter().any(|key| self.free_from(*key, ask, now) == Some(now));
        if is_any_free { Expected::NothingLeft } else { Expected::Disabled }
    }

    /// A reset of these keys.
    pub(crate) fn reset(&mut self, keys: &[usize], now: Moment) {
        self.judged.extend(keys.iter().map(|key| (*key, Judged::Forgiven, now)));
        let groups = self.groups.clone();
        self.end(now, |fact| {
            let of_group = matches!(
                fact.scope,
                Scope::Group | Scope::GroupRoute | Scope::GroupBucket | Scope::GroupSessions
            );
            let is_meant =
                keys.iter().any(|key| if of_group { groups[*key] == fact.group } else { *key == fact.key });
            !fact.by_operator && is_meant
        });
    }

    /// A session of a group ended.
    pub(crate) fn slot_freed(&mut self, group: &str, now: Moment) {
        self.end(now, |fact| fact.scope == Scope::GroupSessions && fact.group == group);
    }

    /// What rests ends and is remembered as such; what rested or is disabled is forgotten.
    fn end(&mut self, now: Moment, is_meant: impl Fn(&Fact) -> bool) {
        self.facts.retain_mut(|fact| {
            if !is_meant(fact) {
                return true;
            }
            let was_running = fact.until.is_some_and(|until| until > now);
            fact.until = Some(now);
            was_running
        });
    }
}

pub(super) fn group_of(spec: &KeySpec) -> String {
    spec.group.as_ref().map_or_else(|| format!("key:{}", spec.secret.id()), ToString::to_string)
}
