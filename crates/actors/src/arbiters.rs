//! The threads that actors live on.

use actix::{Actor, Addr, Arbiter, Context, Supervised, Supervisor};
use actix_rt::ArbiterHandle;

use crate::scheduling::do_not_interrupt_askers;

/// One thread for each kind of traffic. actix drains a mailbox without yielding, so a flooded
/// actor starves its neighbours on the same arbiter: an arbiter is a bulkhead.
pub struct Arbiters {
    admission: Arbiter,
    keys: Arbiter,
}

impl Arbiters {
    /// Starts the threads. An actix system must run on the calling thread.
    ///
    /// # Errors
    /// When the operating system refuses a thread or a runtime.
    pub fn start() -> std::io::Result<Self> {
        let arbiters = Self { admission: Arbiter::try_new()?, keys: Arbiter::try_new()? };
        for arbiter in [&arbiters.admission, &arbiters.keys] {
            arbiter.spawn_fn(do_not_interrupt_askers);
        }
        Ok(arbiters)
    }

    /// Where the user limiter lives: it sees all traffic, hostile too, and shares with nobody.
    pub fn admission(&self) -> Home {
        Home::On(self.admission.handle())
    }

    /// Where the key supervisors live: they see only what was admitted.
    pub fn keys(&self) -> Home {
        Home::On(self.keys.handle())
    }

    /// Stops the threads and waits until they are gone; actors on them end.
    pub fn stop(self) {
        for arbiter in [self.admission, self.keys] {
            arbiter.stop();
            // Nothing is left to do for an arbiter that panicked on its way out.
            let _ = arbiter.join();
        }
    }
}

/// The thread of those who wait for disks and other people's servers. Requests never wait for it,
/// so it is one of its own even where all other actors live with the only worker.
pub struct Clerks {
    arbiter: Arbiter,
}

impl Clerks {
    /// Starts the thread. An actix system must run on the calling thread.
    ///
    /// # Errors
    /// When the operating system refuses a thread or a runtime.
    pub fn start() -> std::io::Result<Self> {
        let arbiter = Arbiter::try_new()?;
        arbiter.spawn_fn(do_not_interrupt_askers);
        Ok(Self { arbiter })
    }

    /// Where the bookkeeper lives.
    pub fn home(&self) -> Home {
        Home::On(self.arbiter.handle())
    }

    /// Stops the thread and waits until it is gone; actors on it end.
    pub fn stop(self) {
        self.arbiter.stop();
        let _ = self.arbiter.join();
    }
}

/// Where an actor is started.
#[derive(Clone, Debug)]
pub enum Home {
    /// On the calling thread, which must run a `LocalSet` or an actix system. The way for tests:
    /// tokio's time can be paused on the test's own thread only.
    Here,
    /// On an arbiter.
    On(ArbiterHandle),
}

impl Home {
    /// Has `errand` run there.
    pub fn run(&self, errand: impl Future<Output = ()> + Send + 'static) {
        match self {
            Self::Here => drop(actix_rt::spawn(errand)),
            Self::On(arbiter) => {
                // A thread that is gone runs nothing; whoever waits for the errand sees that it was dropped.
                let _ = arbiter.spawn(errand);
            }
        }
    }

    pub(crate) fn start<A>(&self, build: impl FnOnce() -> A + Send + 'static) -> Addr<A>
    where
        A: Actor<Context = Context<A>> + Supervised,
    {
        match self {
            Self::Here => Supervisor::start(|_| build()),
            Self::On(arbiter) => Supervisor::start_in_arbiter(arbiter, |_| build()),
        }
    }
}
