//! The one timer an actor has.

use std::time::Duration;

use actix::{Actor, AsyncContext, Context, SpawnHandle};
use keygate_domain::Moment;

/// A machine that wants to be woken at once again has made no progress; it must not spin.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);

/// Wakes an actor when its machine asked for it. An alarm that is earlier than needed is left to
/// ring in vain: moving it on every call would cost more than the call.
#[derive(Default)]
pub(crate) struct Alarm {
    set: Option<(Duration, SpawnHandle)>,
}

impl Alarm {
    /// Sees to it that `wake` is called at `due` or before.
    pub(crate) fn set<A>(
        &mut self,
        ctx: &mut Context<A>,
        due: Option<Moment>,
        now: Moment,
        wake: fn(&mut A, &mut Context<A>),
    ) where
        A: Actor<Context = Context<A>>,
    {
        let Some(due) = due else { return };
        if self.set.is_some_and(|(earlier, _)| earlier <= due.mono) {
            return;
        }
        if let Some((_, late)) = self.set.take() {
            ctx.cancel_future(late);
        }
        let wait = now.until(due).max(SHORTEST_WAIT);
        self.set = Some((due.mono, ctx.run_later(wait, wake)));
    }

    /// It rang, or the context it was set in is gone.
    pub(crate) fn clear(&mut self) {
        self.set = None;
    }
}
