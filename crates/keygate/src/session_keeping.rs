//! Who asks bots: the way out of a thread where no request waits.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use keygate_actors::{Home, KeeperErrand, KeepersPost, NoteBook, RefreshWish};
use keygate_domain::Redactor;
use keygate_keeper::{KeeperSettings, Outcome};
use keygate_notify::{BotCaller, RefreshCall};
use uuid::Uuid;

/// Has the session keepers work, on a thread of clerks.
pub(crate) fn start(post: KeepersPost, notes: Arc<dyn NoteBook>, redactor: Redactor, home: &Home) {
    post.take(notes, move || Rc::new(Bots { caller: BotCaller::new().ok(), redactor }), home);
}

/// Asks bots by HTTP.
struct Bots {
    caller: Option<BotCaller>,
    redactor: Redactor,
}

#[async_trait(?Send)]
impl KeeperErrand for Bots {
    async fn renew(&self, keeper: &KeeperSettings, wish: &RefreshWish) -> Outcome {
        let Some(caller) = &self.caller else {
            return Outcome::Failed(
                "TLS cannot be set up here: install the system's CA certificates".to_owned(),
            );
        };
        let call = RefreshCall {
            id: Uuid::now_v7().to_string(),
            reason: wish.reason.to_owned(),
            provider: wish.provider.map(str::to_owned),
            at: wish.at,
        };
        match caller.renew(keeper, &call).await {
            // What a bot says may repeat what it was sent.
            Outcome::Failed(why) => Outcome::Failed(self.redactor.scrub_text(&why).into_owned()),
            outcome @ (Outcome::Alive
            | Outcome::Refreshed { .. }
            | Outcome::Accepted
            | Outcome::Busy
            | Outcome::NeedsLogin) => outcome,
        }
    }

    fn due_in(&self, keeper: &KeeperSettings, now: Timestamp) -> Option<Duration> {
        BotCaller::due_in(keeper, now)
    }
}
