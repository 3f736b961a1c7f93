//! What is wrong with a pool of keys, read off what it shows of itself.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use keygate_domain::{BucketName, Fault, KeyId, Metric};
use keygate_pool::{BudgetUse, KeySnapshot, KeyState, PoolSnapshot};

use crate::forecast::{in_words, span};
use crate::{AlertKind, AlertSettings, Condition};

/// Since when keys are in use, as far as that is known.
pub type KeysSeen = BTreeMap<KeyId, Timestamp>;

/// What a pool is looked at with.
#[derive(Clone, Copy, Debug)]
pub struct PoolWatch<'a> {
    /// Whose keys.
    pub provider: &'a str,
    /// What operators want to be told of.
    pub settings: &'a AlertSettings,
    /// Since when its keys are in use.
    pub seen: &'a KeysSeen,
    /// The time zone in which its days end.
    pub zone: &'a TimeZone,
}

/// Everything that is wrong with a pool.
pub fn of_pool(watch: PoolWatch<'_>, pool: &PoolSnapshot, now: Timestamp) -> Vec<Condition> {
    let groups = by_group(pool);
    let mut wrong: Vec<Condition> = watch.of_counts(pool).into_iter().collect();
    wrong.extend(watch.empty(pool));
    for keys in groups.values() {
        wrong.extend(watch.of_disabled(keys));
        wrong.extend(watch.of_exhausted(keys, now));
        wrong.extend(watch.of_forecast(keys, now));
    }
    wrong.extend(pool.keys.iter().filter_map(|key| watch.of_age(key, now)));
    wrong
}

type Groups<'a> = BTreeMap<&'a str, Vec<&'a KeySnapshot>>;

fn by_group(pool: &PoolSnapshot) -> Groups<'_> {
    let mut groups = Groups::new();
    for key in &pool.keys {
        groups.entry(key.group.as_str()).or_default().push(key);
    }
    groups
}

/// What a budget that is used up, or will be, is about.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Part<'a> {
    bucket: Option<&'a BucketName>,
    metric: &'static str,
}

impl Part<'_> {
    fn in_words(&self) -> String {
        let metric = match self.metric {
            "unnamed" => "quota".to_owned(),
            metric => metric.replace('_', " "),
        };
        match self.bucket {
            Some(bucket) => format!("{metric} of {bucket}"),
            None => metric,
        }
    }

    fn id(&self, group: &str) -> String {
        format!("{group}/{}/{}", self.bucket.map_or("*", BucketName::as_str), self.metric)
    }
}

impl PoolWatch<'_> {
    fn condition(&self, kind: AlertKind, of: &str, subject: &str, text: &str, remedy: &str) -> Condition {
        let text = format!("{}: {text}", self.provider);
        Condition::of_provider(kind, self.provider, of, subject, &text, remedy)
    }

    /// An empty pool is low, too: only what is new is told.
    fn of_counts(&self, pool: &PoolSnapshot) -> Option<Condition> {
        let (available, total) = (pool.counts.available, pool.counts.total);
        let low = usize::try_from(self.settings.low_keys).unwrap_or(usize::MAX);
        (available <= low && total > available && low > 0 && total > 1).then(|| {
            let text = format!("few keys are left: {available} of {total} can be used");
            let remedy = "look at /api/keys/status for what the others rest for, or add keys";
            self.condition(AlertKind::PoolLow, "pool", self.provider, &text, remedy)
        })
    }

    fn empty(&self, pool: &PoolSnapshot) -> Option<Condition> {
        let counts = pool.counts;
        (counts.available == 0).then(|| {
            let text = match pool.keys.iter().map(|key| key.cooldown_remaining).filter(|r| !r.is_zero()).min()
            {
                Some(first) => format!("no key can be used; the first is back in {}", soon(first)),
                None => "no key can be used".to_owned(),
            };
            let remedy = "requests are refused: add keys, raise quotas, or wait for the reset";
            self.condition(AlertKind::PoolEmpty, "pool", self.provider, &text, remedy)
        })
    }

    /// What an operator has taken out is no news to operators. A group that is blocked is out, too, where the
    /// provider's trouble with it is asked after by itself (a suspended project rests for a day).
    fn of_disabled(&self, keys: &[&KeySnapshot]) -> Vec<Condition> {
        let out = keys.iter().filter(|key| key.state != KeyState::Available);
        let mut wrong = Vec::new();
        let mut has_told_group = false;
        for key in out {
            let Some(reason) = &key.reason else { continue };
            let Some(fault) = reason.fault else { continue };
            if fault == Fault::GroupBlocked {
                if !std::mem::replace(&mut has_told_group, true) {
                    let text = format!("the quota group {} is out: {}", name_of(key), reason.text);
                    let remedy = "look at its billing and its state at the provider, then reset its keys";
                    let group = key.group.as_str();
                    wrong.push(self.condition(AlertKind::GroupDisabled, group, &name_of(key), &text, remedy));
                }
                continue;
            }
            if key.state != KeyState::Disabled {
                continue;
            }
            let text = format!("the key {} is disabled: {}", key.label, reason.text);
            let remedy = "replace it, or cure what the provider says and reset it";
            wrong.push(self.condition(AlertKind::KeyDisabled, key.id.as_str(), &key.label, &text, remedy));
        }
        wrong
    }

    fn of_exhausted(&self, keys: &[&KeySnapshot], now: Timestamp) -> Vec<Condition> {
        let Some(first) = keys.first() else { return Vec::new() };
        let mut until: BTreeMap<Part<'_>, Timestamp> = BTreeMap::new();
        for part in keys.iter().flat_map(|key| &key.resting) {
            if part.fault == Fault::QuotaExhausted {
                let named = Part { bucket: part.bucket.as_ref(), metric: part.metric.as_str() };
                until.insert(named, part.until.wall);
            }
        }
        for (bucket, one) in budgets(first) {
            if is_long(one.metric) && one.remaining() == Some(0) {
                let part = Part { bucket: Some(bucket), metric: one.metric.as_str() };
                let resets = one.resets_at.map_or(now, |at| at.wall);
                until.entry(part).or_insert(resets);
            }
        }
        let is_alone = keys.len() == 1;
        let kind = if is_alone { AlertKind::KeyExhausted } else { AlertKind::GroupExhausted };
        let (noun, name) =
            if is_alone { ("key", first.label.to_string()) } else { ("quota group", name_of(first)) };
        let told = until.into_iter().filter(|(_, until)| *until > now).map(|(part, until)| {
            let at = in_zone(until, self.zone);
            let text = format!("the {noun} {name} has used up its {} until {at}", part.in_words());
            let remedy = "raise the quota, add a group, or spread the load";
            self.condition(kind, &part.id(first.group.as_str()), &name, &text, remedy)
        });
        told.collect()
    }

    fn of_forecast(&self, keys: &[&KeySnapshot], now: Timestamp) -> Vec<Condition> {
        let Some(first) = keys.first() else { return Vec::new() };
        let name = if keys.len() == 1 { first.label.to_string() } else { name_of(first) };
        let told = budgets(first).filter_map(|(bucket, one)| {
            let (runs_out, resets) = (one.runs_out_at?.wall, one.resets_at?.wall);
            let left = Duration::try_from(runs_out.duration_since(now)).ok()?;
            let level = self.settings.runs_out.iter().filter(|mark| left <= **mark).count();
            if level == 0 || runs_out >= resets {
                return None;
            }
            let part = Part { bucket: Some(bucket), metric: one.metric.as_str() };
            let when = in_words(runs_out, resets, self.zone);
            let text = format!(
                "the {} of {name} {when} ({} of {} used, {} left at this pace)",
                part.in_words(),
                one.used,
                one.limit,
                span(left)
            );
            let remedy = "slow down what is not urgent, raise the quota, or add a group";
            let id = part.id(first.group.as_str());
            let condition = self.condition(AlertKind::RunsOut, &id, &name, &text, remedy);
            Some(Condition { level: u8::try_from(level).unwrap_or(u8::MAX), ..condition })
        });
        told.collect()
    }

    fn of_age(&self, key: &KeySnapshot, now: Timestamp) -> Option<Condition> {
        let longest = self.settings.rotate_after?;
        let seen = *self.seen.get(&key.id)?;
        let age = Duration::try_from(now.duration_since(seen)).unwrap_or_default();
        (age >= longest).then(|| {
            let text =
                format!("the key {} is in use for {}, longer than {}", key.label, span(age), span(longest));
            let remedy = "make another one, put it in its place, and revoke this one at the provider";
            self.condition(AlertKind::KeyOld, key.id.as_str(), &key.label, &text, remedy)
        })
    }
}

fn budgets(key: &KeySnapshot) -> impl Iterator<Item = (&BucketName, &BudgetUse)> {
    let mut told = BTreeSet::new();
    let all = key.budgets.iter().flat_map(|of| of.uses.iter().map(move |one| (&of.bucket, one)));
    all.filter(move |(bucket, one)| told.insert((*bucket, one.metric.as_str())))
}

/// Whether it is used up for hours: that a minute is full is nobody's concern.
fn is_long(metric: Metric) -> bool {
    matches!(metric, Metric::RequestsPerDay | Metric::TokensPerDay | Metric::TokensPerMonth)
}

/// What people call its group: as configured, else as the provider does.
fn name_of(key: &KeySnapshot) -> String {
    match (&key.reported_group, key.group.as_str()) {
        (Some(reported), group) if group.starts_with("key:") => reported.to_string(),
        (None, group) if group.starts_with("key:") => key.label.to_string(),
        (_, group) => group.to_owned(),
    }
}

fn in_zone(at: Timestamp, zone: &TimeZone) -> String {
    let at = at.to_zoned(zone.clone());
    at.strftime("%Y-%m-%d %H:%M %Z").to_string()
}

/// A wait that may be short.
fn soon(wait: Duration) -> String {
    if wait < Duration::from_mins(2) { format!("{} s", wait.as_secs() + 1) } else { span(wait) }
}
