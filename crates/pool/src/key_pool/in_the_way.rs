//! What a request waits for, or is refused for.

use keygate_domain::{Metric, Moment};

use super::{KeyPool, wish};
use crate::{Ask, Skip};

impl KeyPool {
    /// Of the keys that cannot serve `ask`, the one that returns first: its position, the counter that is
    /// in its way, and until when. As of the last moment the pool was handed; looks at every key, but
    /// unlike [`KeyPool::explain`] copies nothing. For whoever counts refusals by their reasons.
    pub fn first_in_the_way(&self, ask: &Ask) -> Option<(usize, Metric, Moment)> {
        let spend = self.to_reserve(ask);
        let wish = wish(&self.buckets, ask.model.as_ref(), ask.operation, ask.opens_session, spend);
        let in_the_way = (0..self.roster.in_use()).filter_map(|key| {
            match self.roster.obstacle(key, &wish, self.now)?.skip() {
                Skip::Resting { metric, until, .. } | Skip::OverBudget { metric, until } => {
                    Some((key, metric, until))
                }
                Skip::Disabled { .. } | Skip::Refused | Skip::Failed | Skip::NotOwner => None,
            }
        });
        in_the_way.min_by_key(|(_, _, until)| *until)
    }
}
