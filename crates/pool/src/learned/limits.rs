//! Limits that a provider stated, and how much they are to be relied on.
//!
//! A limit that is kept is never stated again: silence says nothing against it, so it holds until
//! another one is stated, or until somebody resets the group. What fades is the confidence: each
//! statement halves the doubt, and each month since the last one halves what is left, because a
//! month is the rhythm in which projects are billed and change their tier.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use jiff::Timestamp;
use keygate_domain::{BucketName, Metric};
use serde::{Deserialize, Serialize};

/// Days in which confidence halves.
const HALF_LIFE_DAYS: f64 = 30.0;
/// Statements closer together are one: answers to requests that were sent side by side.
const ONE_STATEMENT_SECONDS: i64 = 60;

/// A limit that a provider stated, for status pages.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StatedLimit {
    /// Which bucket.
    pub bucket: BucketName,
    /// What is counted.
    pub metric: Metric,
    /// How much is granted.
    pub limit: u64,
    /// How often it was stated so; answers within a minute are one.
    pub times: u32,
    /// When last.
    pub last_stated: Timestamp,
    /// Per cent: 50 when it was stated once, the doubt halved by each further time, all of it halved
    /// by each 30 days since the last.
    pub confidence: u8,
    /// What the configuration says of the same.
    pub configured: Option<u64>,
}

/// One limit, as it was stated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Stated {
    limit: u64,
    times: u32,
    last: Timestamp,
}

/// What a statement says that was not known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Statement {
    /// Nothing.
    Known,
    /// That it is still so.
    Confirmed,
    /// Another limit than before, if there was one.
    News { before: Option<u64> },
}

/// The limits stated for one group. Bounded.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct StatedLimits(BTreeMap<(BucketName, Metric), Stated>);

/// A limit as it outlives a restart. Written without the last two it is read as well: nobody knows
/// then when it was stated.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct SavedLimit {
    bucket: BucketName,
    metric: Metric,
    limit: u64,
    #[serde(default = "once")]
    times: u32,
    #[serde(default)]
    last: Timestamp,
}

fn once() -> u32 {
    1
}

impl StatedLimits {
    const MOST: usize = 64;

    /// Takes a statement in. Of too many limits the one stated longest ago is forgotten.
    pub(crate) fn state(
        &mut self,
        bucket: &BucketName,
        metric: Metric,
        limit: u64,
        now: Timestamp,
    ) -> Statement {
        match self.0.entry((bucket.clone(), metric)) {
            Entry::Occupied(known) => known.into_mut().state(limit, now),
            Entry::Vacant(place) => {
                place.insert(Stated { limit, times: 1, last: now });
                self.make_room();
                Statement::News { before: None }
            }
        }
    }

    fn make_room(&mut self) {
        if self.0.len() > Self::MOST {
            let oldest = self.0.iter().min_by_key(|(_, stated)| stated.last).map(|(place, _)| place.clone());
            oldest.map(|place| self.0.remove(&place));
        }
    }

    /// The limits of one bucket.
    pub(crate) fn of_bucket(&self, bucket: &BucketName) -> impl Iterator<Item = (Metric, u64)> {
        let all = self.all();
        all.filter_map(move |(of, metric, limit)| (of == bucket).then_some((metric, limit)))
    }

    /// Every limit.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&BucketName, Metric, u64)> {
        self.0.iter().map(|((bucket, metric), stated)| (bucket, *metric, stated.limit))
    }

    /// Takes in what was stated of a group that is this one from here on; of two statements of the
    /// same the later one is right.
    pub(crate) fn absorb(&mut self, other: Self) {
        for (place, stated) in other.0 {
            match self.0.entry(place) {
                Entry::Occupied(known) => known.into_mut().absorb(stated),
                Entry::Vacant(place) => drop(place.insert(stated)),
            }
            self.make_room();
        }
    }

    /// The limits for status; `configured` is asked what the configuration says of the same.
    pub(crate) fn observe(
        &self,
        now: Timestamp,
        configured: impl Fn(&BucketName, Metric) -> Option<u64>,
    ) -> Vec<StatedLimit> {
        let limits = self.0.iter().map(|((bucket, metric), stated)| StatedLimit {
            bucket: bucket.clone(),
            metric: *metric,
            limit: stated.limit,
            times: stated.times,
            last_stated: stated.last,
            confidence: stated.confidence(now),
            configured: configured(bucket, *metric),
        });
        limits.collect()
    }

    pub(crate) fn save(&self) -> Vec<SavedLimit> {
        let all = self.0.iter().map(|((bucket, metric), Stated { limit, times, last })| SavedLimit {
            bucket: bucket.clone(),
            metric: *metric,
            limit: *limit,
            times: *times,
            last: *last,
        });
        all.collect()
    }

    pub(crate) fn restored(saved: &[SavedLimit]) -> Self {
        let all = saved.iter().map(|SavedLimit { bucket, metric, limit, times, last }| {
            ((bucket.clone(), *metric), Stated { limit: *limit, times: *times, last: *last })
        });
        Self(all.take(Self::MOST).collect())
    }
}

impl Stated {
    fn state(&mut self, limit: u64, now: Timestamp) -> Statement {
        let before = self.limit;
        if before != limit {
            *self = Self { limit, times: 1, last: now };
            return Statement::News { before: Some(before) };
        }
        if self.is_one_statement(now) {
            return Statement::Known;
        }
        self.times = self.times.saturating_add(1);
        self.last = now;
        Statement::Confirmed
    }

    fn is_one_statement(&self, at: Timestamp) -> bool {
        (at.as_second() - self.last.as_second()).abs() < ONE_STATEMENT_SECONDS
    }

    fn absorb(&mut self, other: Self) {
        let is_same = self.limit == other.limit;
        let sum = if self.is_one_statement(other.last) { 0 } else { self.times.saturating_add(other.times) };
        let most = sum.max(self.times).max(other.times);
        if other.last > self.last {
            *self = other;
        }
        if is_same {
            self.times = most;
        }
    }

    #[expect(clippy::cast_sign_loss, reason = "a share of a hundred is neither negative nor larger")]
    fn confidence(&self, now: Timestamp) -> u8 {
        let doubt = 0.5_f64.powi(i32::try_from(self.times).unwrap_or(i32::MAX));
        let days = (now.as_second() - self.last.as_second()).max(0) as f64 / 86_400.0;
        (100.0 * (1.0 - doubt) * 0.5_f64.powf(days / HALF_LIFE_DAYS)).round() as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(day: i64, second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + day * 86_400 + second).unwrap()
    }

    fn state(limits: &mut StatedLimits, limit: u64, now: Timestamp) -> Statement {
        limits.state(&"m".into(), Metric::RequestsPerMinute, limit, now)
    }

    fn seen(limits: &StatedLimits, now: Timestamp) -> (u64, u32, u8) {
        let seen = &limits.observe(now, |_, _| None)[0];
        (seen.limit, seen.times, seen.confidence)
    }

    #[test]
    fn confidence_grows_by_statements_and_fades_with_time() {
        let mut limits = StatedLimits::default();
        assert_eq!(state(&mut limits, 15, at(0, 0)), Statement::News { before: None });
        assert_eq!(seen(&limits, at(0, 0)), (15, 1, 50));
        assert_eq!(state(&mut limits, 15, at(0, 59)), Statement::Known, "one incident");
        assert_eq!(state(&mut limits, 15, at(0, 60)), Statement::Confirmed);
        assert_eq!(state(&mut limits, 15, at(1, 0)), Statement::Confirmed);
        assert_eq!(seen(&limits, at(1, 0)), (15, 3, 88));
        assert_eq!(seen(&limits, at(31, 0)), (15, 3, 44));
        assert_eq!(seen(&limits, at(400, 0)), (15, 3, 0));
        assert_eq!(state(&mut limits, 60, at(400, 0)), Statement::News { before: Some(15) });
        assert_eq!(seen(&limits, at(400, 0)), (60, 1, 50), "another limit begins anew");
    }

    #[test]
    fn of_groups_that_become_one_the_later_word_holds_and_equal_words_add_up() {
        let (mut one, mut other) = (StatedLimits::default(), StatedLimits::default());
        state(&mut one, 15, at(0, 0));
        state(&mut other, 15, at(1, 0));
        one.absorb(other.clone());
        assert_eq!(seen(&one, at(1, 0)), (15, 2, 75));
        one.absorb(other.clone());
        assert_eq!(seen(&one, at(1, 0)), (15, 2, 75), "one incident that met both");
        state(&mut other, 30, at(2, 0));
        one.absorb(other.clone());
        assert_eq!(seen(&one, at(2, 0)), (30, 1, 50));
        state(&mut one, 60, at(3, 0));
        one.absorb(other);
        assert_eq!(seen(&one, at(3, 0)).0, 60);
    }

    #[test]
    fn of_too_many_the_one_stated_longest_ago_goes() {
        let mut limits = StatedLimits::default();
        for number in 0..100 {
            let bucket = BucketName::new(format!("m{:02}", 99 - number));
            limits.state(&bucket, Metric::RequestsPerDay, 5, at(number, 0));
        }
        let left: Vec<_> = limits.all().map(|(bucket, ..)| bucket.as_str()).collect();
        assert_eq!((left.len(), left[0], left[63]), (64, "m00", "m63"));
    }

    #[test]
    fn what_is_saved_comes_back() {
        let mut limits = StatedLimits::default();
        state(&mut limits, 15, at(0, 0));
        state(&mut limits, 15, at(9, 0));
        let saved = serde_json::to_string(&limits.save()).unwrap();
        let read: Vec<SavedLimit> = serde_json::from_str(&saved).unwrap();
        assert_eq!(StatedLimits::restored(&read), limits);
        let bare: SavedLimit = serde_json::from_str(r#"["m","requests_per_minute",15]"#).unwrap();
        assert_eq!(seen(&StatedLimits::restored(&[bare]), at(0, 0)), (15, 1, 0));
    }
}
