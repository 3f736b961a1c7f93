//! What the strategy `headroom` knows of everybody's budgets.
//!
//! A lease and a settlement tell of their own group. But windows slide without a word, and to ask
//! thousands of groups every second would cost more than the requests: so each that is in use
//! says when something leaves its windows next, and is asked then.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use keygate_domain::Moment;

use super::KeyPool;
use crate::Strategy;

/// How old what is known of a group may be. All groups look as much fuller than they are by it, about as many
/// seconds of their minute, so that their order is nearly the same.
const LAG: Duration = Duration::from_secs(5);

/// When which group is to be asked.
#[derive(Clone, Debug, Default)]
pub(super) struct Slides {
    dues: BinaryHeap<Reverse<(Moment, usize)>>,
    /// By group.
    known: Vec<Known>,
}

/// What the lanes were told of a group.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    /// What is left, in parts per million.
    left: Option<u32>,
    /// Whether it is to be asked again.
    is_due: bool,
}

impl Slides {
    fn add(&mut self, group: usize, due: Moment) {
        self.dues.push(Reverse((due, group)));
        self.of(group).is_due = true;
    }

    fn of(&mut self, group: usize) -> &mut Known {
        if self.known.len() <= group {
            self.known.resize(group + 1, Known::default());
        }
        &mut self.known[group]
    }

    /// Other keys are in the group: they are to be told, too.
    pub(super) fn forget(&mut self, group: usize) {
        self.of(group).left = None;
    }

    fn pop(&mut self, now: Moment) -> Option<usize> {
        let Reverse((_, group)) = self.dues.peek().filter(|Reverse((due, _))| *due <= now).copied()?;
        self.dues.pop();
        self.of(group).is_due = false;
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
        let known = self.slides.of(group);
        if known.left.replace(left) != Some(left) {
            for key in &found.members {
                self.lanes.set_headroom(*key, left);
            }
        }
        // More use makes nothing leave earlier.
        if !known.is_due {
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
