//! Projects, their keys, and what they have used.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::bodies::quota_exceeded;
use super::caches::Caches;
use super::catalogue::bucket;
use super::compatible::Jobs;
use super::error::GoogleError;
use super::files::Files;
use super::interactions::Interactions;
use super::kept::Things;
use super::live::LiveSessions;
use super::rows::{Family, GoogleRow, Scene};
use super::tokens::LiveTokens;
use super::uploads::Uploads;
use crate::config::{GoogleProject, KeyState};
use crate::quota::{Demand, ModelLimits, ModelQuota, Shape, Window};
use crate::record::hex;

/// The wait a refusal for the day names: far too short, as the real service's is.
const LYING_RETRY: Duration = Duration::from_nanos(22_461_839_027);

/// Everything Gemini remembers.
#[derive(Default)]
pub(crate) struct GoogleWorld {
    projects: BTreeMap<String, Project>,
    keys: BTreeMap<String, Key>,
    pub(crate) files: Files,
    pub(crate) uploads: Uploads,
    pub(crate) caches: Caches,
    pub(crate) kept: Things,
    pub(crate) live: LiveSessions,
    pub(crate) tokens: LiveTokens,
    pub(crate) interactions: Interactions,
    pub(crate) jobs: Jobs,
    answers: u64,
}

/// A key and whose it is.
pub(crate) struct Key {
    pub(crate) label: String,
    pub(crate) project: String,
    pub(crate) state: KeyState,
}

/// A project and its use.
pub(crate) struct Project {
    pub(crate) declared: GoogleProject,
    pub(crate) number: String,
    quotas: BTreeMap<String, ModelQuota>,
    spend: Option<Window>,
    month: Option<Window>,
}

/// A caller whose credential was accepted.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) key: String,
    pub(crate) project: String,
}

impl GoogleWorld {
    /// Adds or replaces a project.
    pub(crate) fn declare(&mut self, project: &GoogleProject) -> Result<(), String> {
        if project.name.is_empty() {
            return Err("a google project needs a name".to_owned());
        }
        let taken = |key: &str| self.keys.get(key).is_some_and(|known| known.project != project.name);
        if project.keys.iter().any(|key| taken(&key.key)) {
            return Err(format!("a key of google project {} belongs to another project", project.name));
        }
        self.keys.retain(|_, key| key.project != project.name);
        for key in &project.keys {
            let label = key.label.clone().unwrap_or_else(|| key.key.clone());
            let known = Key { label, project: project.name.clone(), state: key.state };
            self.keys.insert(key.key.clone(), known);
        }
        self.projects.insert(project.name.clone(), Project::new(project));
        Ok(())
    }

    /// Whether there is such a key to change.
    pub(crate) fn set_state(&mut self, key: &str, state: KeyState) -> bool {
        self.keys.get_mut(key).map(|known| known.state = state).is_some()
    }

    /// Forgets everyone and everything but the connections that are open.
    pub(crate) fn forget(&mut self) {
        let live = std::mem::take(&mut self.live).without_handles();
        *self = Self { live, answers: self.answers, ..Self::default() };
    }

    pub(crate) fn key(&self, secret: &str) -> Option<&Key> {
        self.keys.get(secret)
    }

    pub(crate) fn project(&self, name: &str) -> Option<&Project> {
        self.projects.get(name)
    }

    /// Takes from the quotas of the caller's project, or refuses.
    pub(crate) fn charge(
        &mut self,
        caller: &Caller,
        scene: &Scene,
        demand: Demand,
        now: Timestamp,
    ) -> Result<(), GoogleError> {
        match self.projects.get_mut(&caller.project) {
            Some(project) => project.charge(scene, demand, now),
            None => Ok(()),
        }
    }

    /// Adds what an answer cost to the windows that are known only afterwards.
    pub(crate) fn spent(&mut self, caller: &Caller, tokens: u64, now: Timestamp) {
        if let Some(project) = self.projects.get_mut(&caller.project) {
            let windows = [&mut project.spend, &mut project.month];
            windows.into_iter().flatten().for_each(|window| window.take(tokens, now));
        }
    }

    /// An id for an answer, made of its number.
    pub(crate) fn next_response_id(&mut self) -> String {
        self.answers += 1;
        let digest = Sha256::digest(self.answers.to_be_bytes());
        hex(&digest[..10])
    }
}

impl Project {
    fn new(declared: &GoogleProject) -> Self {
        let window = |shape, limit: Option<u64>| limit.map(|limit| Window::new(shape, limit));
        Self {
            number: declared.number.clone().unwrap_or_else(|| made_up_number(&declared.name)),
            spend: window(Shape::Rolling(Duration::from_mins(10)), declared.spend_tokens_per_10_minutes),
            month: window(Shape::PacificMonth, declared.tokens_per_month),
            quotas: BTreeMap::new(),
            declared: declared.clone(),
        }
    }

    fn charge(&mut self, scene: &Scene, demand: Demand, now: Timestamp) -> Result<(), GoogleError> {
        if self.month.as_mut().is_some_and(|month| month.wait_for(1, now).is_some()) {
            return Err(GoogleRow::MonthlySpendingCap.error(scene));
        }
        if let Some(retry) = self.spend.as_mut().and_then(|spend| spend.wait_for(1, now)) {
            // Real refusals of this kind name 31 to 45 s, whatever is left of the ten minutes.
            let retry = retry.min(Duration::from_secs(45));
            return Err(GoogleRow::SpendRate.error(&Scene { retry, ..scene.clone() }));
        }
        let Some(quota) = self.quota(&scene.model) else { return Ok(()) };
        quota.admit(demand, now).map_err(|violations| {
            let is_daily = violations.iter().any(|violation| violation.kind.is_per_day());
            let longest = violations.iter().map(|violation| violation.retry_after).max().unwrap_or_default();
            quota_exceeded(&violations, if is_daily { LYING_RETRY } else { longest }, scene)
        })
    }

    /// The quota of the model's bucket, if any limit names it.
    fn quota(&mut self, model: &str) -> Option<&mut ModelQuota> {
        let bucket = bucket(model);
        let limits = &self.declared.limits;
        let named = |limits: &&ModelLimits| limits.model == bucket || limits.model == model;
        let limits =
            limits.iter().find(named).or_else(|| limits.iter().find(|limits| limits.model == "*"))?;
        let minute = self.declared.minute;
        let quota = self.quotas.entry(bucket.to_owned());
        Some(quota.or_insert_with(|| ModelQuota::new(limits, minute)))
    }
}

impl Family {
    /// Tokens of a request are counted by its family's project and model alike; only names differ.
    pub(crate) fn of(operation: super::operation::Operation) -> Self {
        use super::operation::Operation as Op;
        if matches!(operation, Op::Embed | Op::BatchEmbed | Op::ChatEmbeddings) {
            Self::Embed
        } else {
            Self::Generate
        }
    }
}

/// Twelve digits that look like a project's number.
fn made_up_number(name: &str) -> String {
    let digest = Sha256::digest(name.as_bytes());
    let number = digest.iter().take(6).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    format!("{}", 100_000_000_000 + number % 900_000_000_000)
}
