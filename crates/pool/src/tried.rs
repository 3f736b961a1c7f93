//! What a request tried already, and what that means for the next choice.

use keygate_domain::Moment;

use crate::roster::Roster;
use crate::standing::Wish;
use crate::{Skip, Tried, TriedHow};

/// The tried keys of one ask, by position.
#[derive(Clone, Debug, Default)]
pub(crate) struct TriedKeys {
    refused: Vec<usize>,
    failed: Vec<usize>,
    failed_groups: Vec<usize>,
}

impl TriedKeys {
    /// How often a key may be worse than another for having failed: see [`TriedKeys::rank`].
    pub(crate) const RANKS: u8 = 3;

    /// Looks the tried keys up. A refused key whose rest is over counts as untried.
    pub(crate) fn find(tried: &[Tried], roster: &Roster, wish: &Wish<'_>, now: Moment) -> Self {
        let mut found = Self::default();
        for one in tried {
            match one.how {
                TriedHow::Refused => found.refused.extend(
                    roster.key_at(&one.key).filter(|key| !roster.rested_since(*key, wish, one.at, now)),
                ),
                TriedHow::Failed => {
                    found.failed.extend(roster.key_at(&one.key));
                    found.failed_groups.extend(roster.group_at(&one.group));
                }
            }
        }
        found
    }

    /// Whether nothing was tried that matters.
    pub(crate) fn is_empty(&self) -> bool {
        self.refused.is_empty() && self.failed.is_empty() && self.failed_groups.is_empty()
    }

    /// 0 for a key of a group that did not fail, 1 for another key of one that did, 2 for a key
    /// that failed itself; `None` for one that was refused.
    pub(crate) fn rank(&self, key: usize, group: usize) -> Option<u8> {
        if self.refused.contains(&key) {
            return None;
        }
        let is_key = self.failed.contains(&key);
        let is_group = self.failed_groups.contains(&group);
        Some(if is_key { 2 } else { u8::from(is_group) })
    }

    /// The same as a reason.
    pub(crate) fn skip(&self, key: usize, group: usize) -> Option<Skip> {
        match self.rank(key, group) {
            None => Some(Skip::Refused),
            Some(0) => None,
            Some(_) => Some(Skip::Failed),
        }
    }

    /// Every key tried.
    pub(crate) fn keys(&self) -> impl Iterator<Item = usize> + '_ {
        self.refused.iter().chain(&self.failed).copied()
    }
}
