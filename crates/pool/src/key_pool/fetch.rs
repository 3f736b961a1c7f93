//! Asking memory for what a lease will need, all at once.
//!
//! Of thousands of keys the one whose turn it is, its group, its meter and their names lie in memory that no
//! cache holds. A lease comes by them one after the other, and counting up a name that is shared waits for
//! everything before it: so each would be waited for alone. Read beforehand and together, they come together.

use std::hint::black_box;

use super::KeyPool;
use crate::budget::Meter;

impl KeyPool {
    /// Reads a little of everything that granting `key` looks at.
    pub(super) fn fetch(&self, key: usize) {
        let found = &self.roster.keys[key];
        let group = &self.roster.groups[found.group];
        let names = [found.id().as_str(), &found.label, group.id.as_str()].map(first_byte);
        let counts = (found.secret.expose().len(), found.counts.attempts, found.counts.unsent);
        let last_use = group.uses.first().map(|one| (one.opens_session, one.at.mono));
        let meters = group.meters.values().next().map(Meter::fetch);
        black_box((names, counts, last_use, meters));
    }
}

fn first_byte(text: &str) -> u8 {
    text.as_bytes().first().copied().unwrap_or_default()
}
