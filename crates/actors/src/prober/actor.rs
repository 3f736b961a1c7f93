//! The mailbox of the prober. Calls run beside it: it never waits itself.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use actix::fut::wrap_future;
use actix::{Actor, ActorFutureExt as _, AsyncContext as _, Context, Handler, Supervised};
use keygate_domain::{Failure, Fault, ProviderName, Verdict};
use keygate_pool::Probe;
use tokio::task::spawn_local;
use tokio::time::timeout;

use super::errand::Errand;
use super::messages::{AskAfter, Probed};

/// How long a free call may take, from the first byte sent to the last one read. Pools wait longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Makes calls and tells what became of them.
pub(crate) struct ProberActor {
    errand: Rc<dyn Errand>,
    /// Providers with a call under way: a pool that was rebuilt does not know of its former self's.
    under_way: BTreeSet<ProviderName>,
}

impl ProberActor {
    pub(crate) fn new(errand: Rc<dyn Errand>) -> Self {
        Self { errand, under_way: BTreeSet::new() }
    }
}

async fn call(errand: Rc<dyn Errand>, provider: ProviderName, probe: Probe) -> Verdict {
    let answered = timeout(PATIENCE, errand.run(provider, &probe.key)).await;
    answered.unwrap_or_else(|_elapsed| Verdict::Failed(Failure::of(Fault::Timeout)))
}

impl Actor for ProberActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        // There is at most one message for each pool.
        ctx.set_mailbox_capacity(0);
    }
}

impl Supervised for ProberActor {
    fn restarting(&mut self, _: &mut Context<Self>) {
        // What ran beside the last life is gone with it.
        self.under_way.clear();
    }
}

impl Handler<AskAfter> for ProberActor {
    type Result = ();

    fn handle(&mut self, AskAfter { provider, probe, answer_to }: AskAfter, ctx: &mut Context<Self>) {
        let id = probe.id;
        if !self.under_way.insert(provider) {
            return answer_to.do_send(Probed { probe: id, verdict: Verdict::Unsent });
        }
        // A task of its own is a fence: what panics in there is no answer and no more.
        let calling = spawn_local(call(Rc::clone(&self.errand), provider, probe));
        ctx.spawn(wrap_future::<_, Self>(calling).map(move |answered, actor, _| {
            actor.under_way.remove(&provider);
            let verdict = answered.unwrap_or(Verdict::Abandoned);
            answer_to.do_send(Probed { probe: id, verdict });
        }));
    }
}
