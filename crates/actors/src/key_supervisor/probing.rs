//! How a supervisor has its disabled keys asked after: the pool says which and when, the prober calls, and
//! the answer comes back as a message. Nothing here waits.

use actix::{Context, Handler};

use super::actor::KeySupervisorActor;
use crate::prober::Probed;

impl Handler<Probed> for KeySupervisorActor {
    type Result = ();

    fn handle(&mut self, Probed { probe, verdict }: Probed, ctx: &mut Context<Self>) {
        // A pool that panics over it is rebuilt, and there is nobody to answer.
        let _ = self.call(ctx, |pool, _, now| pool.probed(probe, &verdict, now));
    }
}
