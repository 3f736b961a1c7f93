//! What came of a rehearsal: what stood in the way, and all of it as a report.

use std::time::Duration;

use super::Rehearsal;
use crate::Report;
use crate::uses::budget_uses;

impl Rehearsal<'_> {
    /// Remembers what stands in the way of a bucket's last ask. What was found last still does until it ends:
    /// so nobody looks for it at every refusal of a flood.
    pub(super) fn note_stop(&mut self, bucket: usize, is_refused: bool) {
        let known = self.known_stops[bucket].filter(|(until, _)| *until > self.now);
        let known = known.or_else(|| {
            let (key, metric, until) = self.pool.first_in_the_way(&self.asks[bucket])?;
            Some((until, (self.group_of_key[key], bucket, metric)))
        });
        self.known_stops[bucket] = known;
        if let Some((_, stop)) = known {
            self.tally.stopped(stop, is_refused, self.now.wall);
        }
    }

    pub(crate) fn report(&self) -> Report {
        let tally = &self.tally;
        let asked = tally.requests - tally.refused_by_user.total;
        Report {
            starts: self.start.after(self.window.from).wall,
            span_seconds: self.span().as_secs(),
            requests: tally.requests,
            served: tally.served,
            refused_by_user: tally.refused_by_user,
            refused_by_pool: tally.refused_by_pool,
            refused_by_provider: tally.refused_by_provider,
            hung_up: tally.hung_up,
            timed_out: tally.timed_out,
            p_refused: if asked == 0 { 0.0 } else { tally.refused() as f64 / asked as f64 },
            provider_429s: tally.provider_429s,
            waits: tally.waits.times(),
            budgets: budget_uses(&self.provider, self.groups.len(), &self.buckets, self.span()),
            binds_first: tally.binds_first(&self.groups, &self.buckets),
            binding: tally.binding(&self.groups, &self.buckets),
            hours: tally.hours(),
        }
    }

    fn span(&self) -> Duration {
        self.window.until.saturating_sub(self.window.from)
    }
}
