//! What an answer gives anew as it goes on, of which the last is used: tokens to go on with, handles to resume by.

use std::collections::VecDeque;
use std::time::Duration;

use keygate_domain::{Binding, Resource};

/// How many of them are remembered. Those before are let go, or one long answer would push out everybody's
/// files.
const KEPT: usize = 4;

/// How much longer one that is let go is known.
const LET_GO: Duration = Duration::from_mins(1);

/// The last ones of one answer or connection.
#[derive(Debug)]
pub(crate) struct Latest {
    lifetime: Duration,
    kept: VecDeque<Resource>,
}

impl Latest {
    /// None yet; each is known for `lifetime`.
    pub(crate) fn new(lifetime: Duration) -> Self {
        Self { lifetime, kept: VecDeque::new() }
    }

    /// Notes another one; says what is to be bound by it.
    pub(crate) fn add(&mut self, resource: Resource) -> Vec<Binding> {
        if self.kept.contains(&resource) {
            return Vec::new();
        }
        let oldest = if self.kept.len() == KEPT { self.kept.pop_front() } else { None };
        self.kept.push_back(resource.clone());
        let let_go = oldest.map(|resource| bound(resource, LET_GO));
        let_go.into_iter().chain([bound(resource, self.lifetime)]).collect()
    }
}

fn bound(resource: Resource, lifetime: Duration) -> Binding {
    Binding { resource, lifetime, keepsake: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_are_kept_and_those_before_let_go() {
        let lifetime = Duration::from_hours(1);
        let mut latest = Latest::new(lifetime);
        let named = |number: usize| Resource::new("live_handle", number.to_string());
        for number in 0..KEPT {
            assert_eq!(latest.add(named(number)), [bound(named(number), lifetime)]);
            assert_eq!(latest.add(named(number)), [], "it is known");
        }
        assert_eq!(latest.add(named(KEPT)), [bound(named(0), LET_GO), bound(named(KEPT), lifetime)]);
    }
}
