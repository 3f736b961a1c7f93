//! How many users are remembered, as it can be seen without asking.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Written by the limiter alone, behind each of its calls.
#[derive(Debug, Default)]
pub(crate) struct Crowd {
    users: AtomicUsize,
    most: AtomicUsize,
}

impl Crowd {
    pub(super) fn tell(&self, users: usize, most: usize) {
        self.users.store(users, Ordering::Relaxed);
        self.most.store(most, Ordering::Relaxed);
    }

    /// Those that are remembered, and the most that can be.
    pub(super) fn read(&self) -> (usize, usize) {
        (self.users.load(Ordering::Relaxed), self.most.load(Ordering::Relaxed))
    }
}
