//! What the strategy `headroom` knows of everybody's budgets.
//!
//! A lease and a settlement tell of their own group. But windows slide without a word, and to ask
//! thousands of groups every second would cost more than the requests: so each that is in use
//! says when something leaves its windows next, and is asked then.

use std::collections::BTreeSet;
use std::time::Duration;

use keygate_domain::Moment;

use super::KeyPool;
use crate::Strategy;

/// How old what is known of a group may be.
const LAG: Duration = Duration::from_secs(1);

/// When which group is to be asked.
#[derive(Clone, Debug, Default)]
pub(super) struct Slides {
    dues: BTreeSet<(Moment, usize)>,
    /// Whether it has a place among them, by group.
    is_due: Vec<bool>,
}

impl Slides {
    fn add(&mut self, group: usize, due: Moment) {
        self.dues.insert((due, group));
        if self.is_due.len() <= group {
            self.is_due.resize(group + 1, false);
        }
        self.is_due[group] = true;
    }

    fn knows(&self, group: usize) -> bool {
        self.is_due.get(group).is_some_and(|is_due| *is_due)
    }

    fn pop(&mut self, now: Moment) -> Option<usize> {
        let (_, group) = self.dues.first().copied().filter(|(due, _)| *due <= now)?;
        self.dues.pop_first();
        self.is_due[group] = false;
        Some(group)
    }
}

impl KeyPool {
    /// Brings what the lanes know of groups up to date whose windows slid.
    pub(super) fn refresh_headroom(&mut self) {
        while let Some(group) = self.slides.pop(self.now) {
            self.tell_headroom(group);
        }
    }

    /// A key is as good as the scarcest budget of its group.
    pub(super) fn tell_headroom(&mut self, group: usize) {
        if self.policy.strategy != Strategy::Headroom {
            return;
        }
        let (budgets, now, found) = (&self.roster.budgets, self.now, &self.roster.groups[group]);
        let Some(left) = found.meters.values().map(|meter| meter.headroom(budgets, now)).min() else {
            return;
        };
        for key in &found.members {
            self.lanes.set_headroom(*key, left);
        }
        // More use makes nothing leave earlier.
        if !self.slides.knows(group) {
            let next = found.meters.values().filter_map(|meter| meter.next_slide(budgets, now)).min();
            if let Some(next) = next {
                self.slides.add(group, next.max(now.after(LAG)));
            }
        }
    }

    /// Tells lanes that were made anew of everybody.
    pub(super) fn tell_all_headroom(&mut self) {
        self.slides = Slides::default();
        (0..self.roster.groups.len()).for_each(|group| self.tell_headroom(group));
    }
}
