//! Sessions that nobody came to know of.
//!
//! A session start is seen through when its caller hangs up: only the answer tells what was started. If the
//! caller is gone by then, nobody will ever connect, and the session would be billed and take one of its
//! organisation's places until it ends by itself. So the house ends it, with the key that started it.

use std::time::Duration;

use http::StatusCode;
use keygate_domain::{ApiKey, GroupId, OpenedSession};
use keygate_provider::OwnCall;
use tokio::task::spawn_local;
use tokio::time::sleep;

use crate::errand::{Errand, Errands, PATIENCE};
use crate::{Lane, events};

/// The pauses between attempts. Beyond them the session is left to its own end.
const PAUSES: [Duration; 3] = [Duration::from_millis(500), Duration::from_secs(2), Duration::from_secs(8)];

/// A session that an answer opened, for the case that nobody is there to be told of it.
pub struct OpenSession {
    opened: OpenedSession,
    errand: Errand,
}

impl std::fmt::Debug for OpenSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenSession").field("opened", &self.opened).finish_non_exhaustive()
    }
}

impl OpenSession {
    pub(crate) fn new(lane: &Lane, key: ApiKey, group: GroupId, opened: OpenedSession) -> Self {
        Self { opened, errand: Errand::new(lane, key, group) }
    }

    /// Ends it in the background. Must be called on a worker.
    pub fn end(self, errands: &Errands) {
        match errands.enter() {
            Some(place) => drop(spawn_local(async move {
                self.errand.end_session(&self.opened).await;
                drop(place);
            })),
            None => events::orphan(self.errand.name, &self.opened.session, false),
        }
    }
}

impl Errand {
    /// Ends a session of which nobody knows, and frees its place. True if it is over.
    pub(crate) async fn end_session(&self, session: &OpenedSession) -> bool {
        let Some(call) = self.provider.end_session(session) else { return false };
        let is_over = self.ended(&call).await;
        events::orphan(self.name, &session.session, is_over);
        if is_over {
            self.supervisor.session_ended(self.group.clone(), session.session.clone());
        }
        is_over
    }

    async fn ended(&self, call: &OwnCall) -> bool {
        for pause in PAUSES.into_iter().map(Some).chain([None]) {
            match self.asked(call).await {
                Some(is_over) => return is_over,
                None => match pause {
                    Some(pause) => sleep(pause).await,
                    None => return false,
                },
            }
        }
        false
    }

    /// One attempt: whether the session is over, if the answer says anything of it.
    async fn asked(&self, call: &OwnCall) -> Option<bool> {
        let mut answer = self.answer(call).await?;
        let status = answer.status();
        // To the end: what is left unread would look like a caller that hung up.
        answer.text_up_to(0, PATIENCE).await;
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            return None;
        }
        Some(status.is_success())
    }
}
