//! What becomes of disabled keys while nobody looks, on paused time.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use async_trait::async_trait;
use keygate_domain::{ApiKey, Failure, Fault, ProviderName, Spend, Verdict};
use keygate_pool::{KeySnapshot, KeyState, Policy, ProbePolicy};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{sleep, timeout};

use super::{Errand, Prober, start_prober};
use crate::key_supervisor::tests::{lease, on_one_thread, spec};
use crate::{Home, KeySupervisor, SupervisorSpec, start_supervisor};

enum Call {
    Answers(Verdict),
    Hangs,
    Panics,
}

/// A provider whose free call goes as written; at its end it serves everybody.
struct Script {
    calls: RefCell<VecDeque<Call>>,
    under_way: Rc<Cell<u32>>,
    made: UnboundedSender<String>,
}

/// Counts a call for as long as it is under way.
struct Counted(Rc<Cell<u32>>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

#[async_trait(?Send)]
impl Errand for Script {
    async fn run(&self, provider: ProviderName, key: &ApiKey) -> Verdict {
        assert_eq!(provider.as_str(), "google");
        self.under_way.set(self.under_way.get() + 1);
        let _counted = Counted(Rc::clone(&self.under_way));
        self.made.send(key.expose().to_owned()).unwrap();
        assert_eq!(self.under_way.get(), 1, "one call at a time");
        let call = self.calls.borrow_mut().pop_front();
        match call {
            Some(Call::Answers(verdict)) => verdict,
            Some(Call::Hangs) => std::future::pending().await,
            Some(Call::Panics) => panic!("the call panics"),
            None => Verdict::Served(Spend::default()),
        }
    }
}

fn prober(calls: impl IntoIterator<Item = Call>) -> (Prober, UnboundedReceiver<String>) {
    let (made, calls_made) = unbounded_channel();
    let calls: VecDeque<Call> = calls.into_iter().collect();
    let script = move || -> Rc<dyn Errand> {
        Rc::new(Script { calls: RefCell::new(calls), under_way: Rc::default(), made })
    };
    (start_prober(script, &Home::Here), calls_made)
}

/// Two keys, the first of which is disabled, and who asks after it each second at most.
async fn one_disabled(prober: Option<Prober>, panic_every: u64) -> KeySupervisor {
    let probe = ProbePolicy { every: Duration::from_secs(1), per_hour: 3600, ..ProbePolicy::default() };
    let policy = Policy { probe, ..Policy::default() };
    let supervisor =
        start_supervisor(SupervisorSpec { policy, prober, ..spec(&["a", "b"], panic_every) }, &Home::Here);
    lease(&supervisor).await.settle(Verdict::Failed(Failure::of(Fault::KeyInvalid)));
    assert_eq!(first(&supervisor).await.state, KeyState::Disabled);
    supervisor
}

async fn first(supervisor: &KeySupervisor) -> KeySnapshot {
    supervisor.observe().await.unwrap().keys.swap_remove(0)
}

async fn next(calls: &mut UnboundedReceiver<String>) -> String {
    timeout(Duration::from_hours(24), calls.recv()).await.expect("a call is made").unwrap()
}

/// Lets the answer to a call that was made come in.
async fn answered() {
    sleep(Duration::from_millis(1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_key_that_the_provider_takes_again_is_back() {
    on_one_thread(async {
        let refused = Verdict::Failed(Failure::of(Fault::KeyInvalid));
        let (prober, mut calls) = prober([Call::Answers(refused)]);
        let supervisor = one_disabled(Some(prober), 0).await;
        assert_eq!(next(&mut calls).await, "secret-of-a");
        answered().await;
        let key = first(&supervisor).await;
        assert_eq!((key.state, key.probing.probes), (KeyState::Disabled, 1));
        next(&mut calls).await;
        answered().await;
        let key = first(&supervisor).await;
        assert_eq!((key.state, key.probing.probes), (KeyState::Available, 2));
        assert!(timeout(Duration::from_hours(24), calls.recv()).await.is_err(), "nobody asks any more");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_hangs_delays_nobody_and_is_given_up() {
    on_one_thread(async {
        let (prober, mut calls) = prober([Call::Hangs]);
        let supervisor = one_disabled(Some(prober), 0).await;
        next(&mut calls).await;
        let began = tokio::time::Instant::now();
        assert_eq!(lease(&supervisor).await.label(), "b");
        assert_eq!(began.elapsed(), Duration::ZERO);
        next(&mut calls).await;
        let until_given_up = began.elapsed();
        assert!(until_given_up >= Duration::from_secs(10) && until_given_up < Duration::from_secs(15));
        answered().await;
        assert_eq!(first(&supervisor).await.state, KeyState::Available);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_panics_is_no_answer_and_no_more() {
    on_one_thread(async {
        let (prober, mut calls) = prober([Call::Panics]);
        let supervisor = one_disabled(Some(prober), 0).await;
        next(&mut calls).await;
        answered().await;
        assert_eq!(first(&supervisor).await.state, KeyState::Disabled);
        next(&mut calls).await;
        answered().await;
        assert_eq!(first(&supervisor).await.state, KeyState::Available);
        assert_eq!(supervisor.vitals().restarts(), 0);
    })
    .await;
}

/// The rebuilt pool asks again while the call of its former self still hangs: [`Script`] counts them.
#[tokio::test(start_paused = true)]
async fn a_pool_that_panics_meanwhile_makes_no_second_call_beside_the_first() {
    on_one_thread(async {
        let (prober, mut calls) = prober([Call::Hangs]);
        let supervisor = one_disabled(Some(prober), 2).await;
        next(&mut calls).await;
        let began = tokio::time::Instant::now();
        assert!(
            supervisor.lease(crate::key_supervisor::tests::ask()).await.is_err(),
            "the second ask panics"
        );
        next(&mut calls).await;
        assert!(began.elapsed() >= Duration::from_secs(9), "{:?}", began.elapsed());
        answered().await;
        assert_eq!(first(&supervisor).await.state, KeyState::Available);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn without_a_prober_nothing_is_sent() {
    on_one_thread(async {
        let supervisor = one_disabled(None, 0).await;
        sleep(Duration::from_hours(1)).await;
        let key = first(&supervisor).await;
        assert_eq!((key.state, key.probing.probes), (KeyState::Disabled, 0));
    })
    .await;
}
