//! Bots that are asked while requests go by, on paused time.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use keygate_domain::{Fault, ProviderName};
use keygate_keeper::{KeeperKind, KeeperSettings, KeeperState, Outcome};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{sleep, timeout};

use super::{KeeperErrand, Keepers, KeepersNoted, LimitMet, RefreshWish, session_keepers};
use crate::herald::tests::Paper;
use crate::key_supervisor::tests::on_one_thread;
use crate::{Home, NoteBook};

/// What a bot does, one call after the other; at the end it is alive.
enum Call {
    Answers(Outcome),
    Hangs,
    Panics,
}

struct Script {
    calls: RefCell<VecDeque<Call>>,
    under_way: Cell<u32>,
    asked: UnboundedSender<&'static str>,
}

#[async_trait(?Send)]
impl KeeperErrand for Script {
    async fn renew(&self, keeper: &KeeperSettings, wish: &RefreshWish) -> Outcome {
        assert_eq!(keeper.name, "zalo");
        self.under_way.set(self.under_way.get() + 1);
        assert_eq!(self.under_way.get(), 1, "one at a time");
        self.asked.send(wish.reason).unwrap();
        let call = self.calls.borrow_mut().pop_front();
        sleep(Duration::from_millis(100)).await;
        if !matches!(call, Some(Call::Hangs)) {
            self.under_way.set(0);
        }
        match call {
            Some(Call::Answers(outcome)) => outcome,
            Some(Call::Hangs) => std::future::pending().await,
            Some(Call::Panics) => panic!("the errand panics"),
            None => Outcome::Alive,
        }
    }

    fn due_in(&self, _: &KeeperSettings, _: Timestamp) -> Option<Duration> {
        None
    }
}

fn zalo() -> KeeperSettings {
    KeeperSettings {
        name: "zalo".to_owned(),
        kind: KeeperKind::Http,
        url: "http://127.0.0.1:9/".parse().unwrap(),
        secret: None,
        tags: vec!["zalo".to_owned()],
        clients: vec!["bot".to_owned()],
        providers: vec!["google".to_owned()],
        cooldown: Duration::from_mins(5),
        timeout: Duration::from_secs(10),
        credentials: None,
    }
}

fn keepers(
    calls: impl IntoIterator<Item = Call>,
    notes: Arc<dyn NoteBook>,
) -> (Keepers, UnboundedReceiver<&'static str>) {
    let (asked, asks) = unbounded_channel();
    let (keepers, post) = session_keepers(vec![zalo()], &KeepersNoted::default());
    let calls: VecDeque<Call> = calls.into_iter().collect();
    let script = move || -> Rc<dyn KeeperErrand> {
        Rc::new(Script { calls: RefCell::new(calls), under_way: Cell::new(0), asked })
    };
    post.take(notes, script, &Home::Here);
    (keepers, asks)
}

fn limit(keepers: &Keepers, tag: Option<&str>, client: &str, provider: &'static str, fault: Fault) {
    let provider = ProviderName::new(provider);
    keepers.met_limit(LimitMet { tag, client, bound_to: None, provider, fault });
}

fn tagged(keepers: &Keepers) {
    limit(keepers, Some("zalo"), "shop", "google", Fault::RateLimited);
}

async fn asked(asks: &mut UnboundedReceiver<&'static str>) -> bool {
    timeout(Duration::from_secs(30), asks.recv()).await.is_ok()
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_limits_asks_the_bot_once() {
    on_one_thread(async {
        let (keepers, mut asks) = keepers([], Arc::new(Paper::default()));
        for _ in 0..1_000 {
            tagged(&keepers);
        }
        assert!(asked(&mut asks).await);
        assert!(!asked(&mut asks).await, "once in five minutes");
        assert!(keepers.dropped() > 0, "what there is no room for is counted");
        sleep(Duration::from_mins(5)).await;
        tagged(&keepers);
        assert!(asked(&mut asks).await);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn only_what_concerns_the_bot_asks_it() {
    on_one_thread(async {
        let (keepers, mut asks) = keepers([], Arc::new(Paper::default()));
        limit(&keepers, None, "shop", "google", Fault::RateLimited);
        limit(&keepers, Some("other"), "shop", "google", Fault::RateLimited);
        limit(&keepers, Some("zalo"), "shop", "anam", Fault::RateLimited);
        limit(&keepers, Some("zalo"), "shop", "google", Fault::KeyInvalid);
        assert!(!asked(&mut asks).await);
        limit(&keepers, None, "bot", "google", Fault::QuotaExhausted);
        assert_eq!(asks.recv().await, Some("quota_exhausted"));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_bot_that_hangs_or_panics_is_a_failure_and_no_more() {
    on_one_thread(async {
        let calls = [Call::Panics, Call::Hangs];
        let (keepers, mut asks) = keepers(calls, Arc::new(Paper::default()));
        tagged(&keepers);
        assert!(asked(&mut asks).await);
        sleep(Duration::from_secs(1)).await;
        let shown = keepers.shown()[0].clone();
        assert_eq!((shown.failures, shown.state), (1, KeeperState::CoolingDown));
        sleep(Duration::from_mins(10)).await;
        tagged(&keepers);
        assert!(asked(&mut asks).await);
        sleep(Duration::from_mins(3)).await;
        assert_eq!(keepers.shown()[0].failures, 2);
        assert!(keepers.finish(Duration::from_secs(1)).await);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_bot_that_needs_a_login_waits_for_a_human_also_over_a_restart() {
    on_one_thread(async {
        let notes: Arc<dyn NoteBook> = Arc::new(Paper::default());
        let (first, mut asks) = keepers([Call::Answers(Outcome::NeedsLogin)], Arc::clone(&notes));
        tagged(&first);
        assert!(asked(&mut asks).await);
        sleep(Duration::from_mins(10)).await;
        tagged(&first);
        assert!(!asked(&mut asks).await);
        drop(first);
        let noted = KeepersNoted::read(&*notes).await;
        let (at_once, _) = session_keepers(vec![zalo()], &noted);
        assert_eq!(at_once.shown()[0].state, KeeperState::NeedsLogin, "before it has begun");
        let (second, mut asks) = keepers([], notes);
        assert_eq!(second.shown()[0].name, "zalo");
        sleep(Duration::from_secs(1)).await;
        assert_eq!(second.shown()[0].state, KeeperState::NeedsLogin);
        tagged(&second);
        assert!(!asked(&mut asks).await);
        assert_eq!(second.clear("nobody").await, Ok(false));
        assert_eq!(second.clear("zalo").await, Ok(true));
        tagged(&second);
        assert!(asked(&mut asks).await, "at once");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_fails_holds_nobody_up() {
    on_one_thread(async {
        let paper = Paper::broken();
        let (keepers, mut asks) = keepers([], Arc::new(paper));
        tagged(&keepers);
        assert!(asked(&mut asks).await);
        assert_eq!(Keepers::none().shown().len(), 0);
        tagged(&Keepers::none());
    })
    .await;
}
