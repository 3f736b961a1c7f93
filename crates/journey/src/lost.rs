//! Session starts that were sent and never answered.
//!
//! Nobody knows whether a session runs then: it may be billed, and take one of its organisation's places. So a
//! place is kept for it, and it is looked for in the background by the label that it was started with. What is
//! found and stays unknown to everybody here is ended.

use std::time::Duration;

use http::StatusCode;
use keygate_actors::KeyLease;
use keygate_domain::{Access, ClientId, Intent, OpenedSession, Resource};
use keygate_limits::Reach;
use keygate_pool::Whose;
use keygate_provider::LostStart;
use tokio::task::spawn_local;
use tokio::time::sleep;

use crate::attempt::{Attempt, Failed, Kept};
use crate::errand::{Errand, PATIENCE, Place};
use crate::events;

/// When it is looked for, each after the one before. What cannot be found by then has not begun.
const LOOKS: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(4), Duration::from_secs(15)];

/// Longest list read.
const MAX_LIST_BYTES: usize = 1024 * 1024;

/// What it is among the places of its group while its own name is not known.
const KIND: &str = "lost_session";

/// Looks after the session that a failed start may have opened. To be called before the lease is settled: from
/// then on a place is kept for it.
pub(crate) fn look_after(attempt: &Attempt<'_>, lease: &KeyLease, failed: &Failed) {
    let (intent, request_id, lane) = (attempt.intent, attempt.call.request_id, attempt.lane);
    let can_be_found = || lane.provider.lost_start(intent, request_id, None).is_some();
    if !intent.opens_session || !may_have_begun(failed) || !can_be_found() {
        return;
    }
    let name = format!("{request_id} {}", attempt.number);
    let session = OpenedSession { session: Resource::new(KIND, name), longest: None };
    lease.opened(session.clone());
    let Some(place) = attempt.house.errands.enter() else { return };
    let is_by_own_token = intent.access == Access::OwnCredential && lease.away().is_none();
    let lost = LostSession {
        intent: intent.clone(),
        request_id: request_id.to_owned(),
        is_by_own_token,
        session,
        errand: Errand::new(lane, lease.key().clone(), lease.group().clone()),
    };
    drop(spawn_local(lost.look(place)));
}

/// Whether what was sent may have had its effect: no answer came, or one of somebody on the way.
fn may_have_begun(failed: &Failed) -> bool {
    let by_somebody_else =
        |kept: &Kept| matches!(kept.status, StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT);
    match failed.reach {
        Reach::NeverWritten => false,
        Reach::Unknown => true,
        Reach::Answered => failed.kept.as_ref().is_some_and(by_somebody_else),
    }
}

/// A session that may run.
struct LostSession {
    intent: Intent,
    request_id: String,
    /// Whether it was started with the very token that the caller brought.
    is_by_own_token: bool,
    /// What takes its place until it is found.
    session: OpenedSession,
    errand: Errand,
}

impl LostSession {
    async fn look(self, place: Place) {
        // Without its label it cannot be found: its place is taken for as long as a session lasts.
        let Some(lost) = self.label().await else { return };
        let is_settled = self.is_ended_or_nowhere(&lost).await;
        if is_settled {
            let Errand { group, supervisor, .. } = &self.errand;
            supervisor.session_ended(group.clone(), self.session.session.clone());
        }
        drop(place);
    }

    async fn label(&self) -> Option<LostStart> {
        let kept = match self.intent.references.first().filter(|_| self.is_by_own_token) {
            Some(token) => Some(self.errand.supervisor.keepsake_of(token.clone()).await.ok()??),
            None => None,
        };
        self.errand.provider.lost_start(&self.intent, &self.request_id, kept.as_ref())
    }

    /// False if something may run on that nobody knows of.
    async fn is_ended_or_nowhere(&self, lost: &LostStart) -> bool {
        let mut is_known = false;
        for pause in LOOKS {
            sleep(pause).await;
            let Some(found) = self.nobodys(lost).await else { continue };
            is_known = true;
            if found.is_empty() {
                continue;
            }
            // Another start under the same label may not have been answered yet.
            sleep(lost.settles_in).await;
            return self.ended(found).await;
        }
        events::lost_start(self.errand.name, &self.request_id, is_known);
        is_known
    }

    /// The sessions under the label of which nobody here knows; nothing if that cannot be found out.
    async fn nobodys(&self, lost: &LostStart) -> Option<Vec<Resource>> {
        let mut answer = self.errand.answer(&lost.search).await?;
        let list = answer.text_up_to(MAX_LIST_BYTES, PATIENCE).await;
        if !answer.status().is_success() {
            return None;
        }
        let running = self.errand.provider.running(lost, &list.bytes)?;
        self.unknown(running).await
    }

    async fn unknown(&self, sessions: Vec<Resource>) -> Option<Vec<Resource>> {
        let whose = self.errand.supervisor.whose(sessions.clone(), ClientId::nobody()).await.ok()?;
        let unknown = sessions.into_iter().zip(whose).filter(|(_, whose)| *whose == Whose::Nobodys);
        Some(unknown.map(|(session, _)| session).collect())
    }

    async fn ended(&self, found: Vec<Resource>) -> bool {
        let Some(unknown) = self.unknown(found).await else { return false };
        let mut are_over = true;
        for session in unknown {
            are_over &= self.errand.end_session(&OpenedSession { session, longest: None }).await;
        }
        are_over
    }
}
