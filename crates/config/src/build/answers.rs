//! `answers:` and `cache:`.

use std::time::Duration;

use super::Judge;
use crate::config::{AnswersConfig, CacheConfig};
use crate::schema::{AnswersSection, CacheSection};

/// Longest time an answer may be given again: a slip of the hand would keep it for years.
const LONGEST_TTL: Duration = Duration::from_hours(24 * 7);

pub(crate) fn answers(section: &AnswersSection) -> AnswersConfig {
    AnswersConfig {
        enabled: section.enabled.0,
        threshold: section.threshold.0.0,
        catch_all: section.catch_all.0,
    }
}

pub(super) fn cache(section: &CacheSection, judge: &mut Judge<'_>) -> CacheConfig {
    judge.require(
        (Duration::from_secs(1)..=LONGEST_TTL).contains(&section.ttl.0),
        "cache.ttl",
        "is not between 1s and 7 days",
        "the default is 5m",
    );
    judge.require(
        (1 << 20..=1 << 40).contains(&section.max_size.0.0),
        "cache.max_size",
        "is not between 1MiB and 1TiB",
        "the default is 64MiB; the memory is the gateway's own",
    );
    CacheConfig { enabled: section.enabled.0, ttl: section.ttl.0, max_size: section.max_size.0.0 }
}
