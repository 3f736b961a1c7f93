//! A clock that shows what it was last told.

use std::cell::Cell;
use std::time::Duration;

use governor::clock::Clock;

/// Drives governor by the moments handed in, so that tests with paused time, and the planner's
/// virtual clock, see the same decisions as production.
#[derive(Clone, Default, Debug)]
pub(crate) struct DrivenClock {
    mono: Cell<Duration>,
}

impl DrivenClock {
    /// Moves to `mono`; a reading from the past is ignored.
    pub(crate) fn drive(&self, mono: Duration) {
        self.mono.set(self.mono.get().max(mono));
    }
}

impl Clock for DrivenClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.mono.get()
    }
}
