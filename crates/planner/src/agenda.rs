//! What is still to happen, in the order of time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

/// Something whose time comes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Due {
    /// A request's answer is complete, or it is given up.
    Ends(usize),
    /// A session is over, by position.
    SessionEnds(usize),
    /// A request is tried again.
    TriesAgain(usize),
    /// A caller who still waits for a key hangs up: the request, and its number, because places are used
    /// again.
    HangsUp(usize, u64),
}

/// Events by their time, and of one time in the order in which they were noted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Agenda {
    heap: BinaryHeap<Reverse<(Duration, u64, Due)>>,
    noted: u64,
}

impl Agenda {
    pub(crate) fn note(&mut self, at: Duration, due: Due) {
        self.noted += 1;
        self.heap.push(Reverse((at, self.noted, due)));
    }

    pub(crate) fn next(&self) -> Option<Duration> {
        self.heap.peek().map(|Reverse((at, ..))| *at)
    }

    pub(crate) fn pop(&mut self) -> Option<Due> {
        self.heap.pop().map(|Reverse((.., due))| due)
    }
}
