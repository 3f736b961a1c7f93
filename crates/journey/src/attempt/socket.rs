//! One attempt at a connection: from the adapter's translation until the provider has taken the caller in.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use keygate_actors::{KeyLease, clock};
use keygate_domain::{Failure, Fault};
use keygate_limits::Reach;
use keygate_provider::{Closing, Grant, Sockets, Terms};
use keygate_telemetry::spans;
use keygate_upstream::{Connected, Heard, Incoming, Message, Outgoing, WebSocket};
use tokio::time::timeout;

use super::{Attempt, Failed, Kept};
use crate::account::Account;
use crate::answer::Slot;
use crate::conversation::{Watched, scrubbed};
use crate::keeping::Concern;
use crate::scrub;
use crate::timer::AttemptTimer;

/// Most bytes of the provider's first messages that wait until it has taken the caller in.
const HELD_BACK_BYTES: usize = 256 * 1024;

/// What is connected, and how.
#[derive(Clone, Copy)]
pub(crate) struct Dial<'a> {
    pub(crate) sockets: &'a dyn Sockets,
    pub(crate) terms: &'a Terms,
    /// The caller's first message, if it was waited for.
    pub(crate) first: Option<&'a Message>,
}

/// A provider that has taken the caller in.
pub(crate) struct Talk {
    pub(crate) incoming: Incoming,
    pub(crate) outgoing: Outgoing,
    /// What it has said already.
    pub(crate) held: Vec<Message>,
    pub(crate) watched: Watched,
}

impl Attempt<'_> {
    /// Makes the attempt. The user's slot goes along with a connection that is open, and stays where it is
    /// otherwise.
    pub(crate) async fn connect(
        &self,
        dial: &Dial<'_>,
        lease: Option<KeyLease>,
        slot: &mut Slot,
    ) -> Result<Talk, Failed> {
        let span = self.span(lease.as_ref());
        let sent = clock::now();
        let mut account = Account::open(self, lease.as_ref(), sent);
        let timer = AttemptTimer::start(self, sent);
        let (incoming, outgoing) = match self.dial(lease.as_ref()).await {
            Ok(socket) => socket.split(),
            Err(failed) => return Err(self.failed(lease, (account, Some(timer)), failed, &span)),
        };
        if let Some(account) = &mut account {
            account.answered(StatusCode::SWITCHING_PROTOCOLS.as_u16());
        }
        spans::record_answer_status(&span, StatusCode::SWITCHING_PROTOCOLS.as_u16());
        let watched = Watched {
            watcher: dial.sockets.watcher(self.intent),
            lease,
            pass: self.pass.clone(),
            client: self.caller.client.clone(),
            estimate: self.intent.estimate,
            is_session: dial.terms.is_session,
            span: span.clone(),
            slot: None,
            units: self.intent.user_units,
            account,
            timer: Some(timer),
            concern: Concern::of(self.house, self.lane, self.call, self.caller),
        };
        let mut talk = Talk { incoming, outgoing, held: Vec::new(), watched };
        let patience = clock::left_until(self.first_byte_by);
        let taken_in = timeout(patience, talk.be_taken_in(dial.first)).await;
        let taken_in = taken_in.unwrap_or(Err(Failed::unanswered(Fault::Timeout, Reach::Unknown)));
        if let Err(mut failed) = taken_in {
            if let Some(kept) = &mut failed.kept {
                kept.closing = kept.closing.take().map(|closing| scrubbed(&closing, &self.house.redactor));
            }
            let watched = &mut talk.watched;
            let books = (watched.account.take(), watched.timer.take());
            return Err(self.failed(watched.lease.take(), books, failed, &span));
        }
        if let Some(lease) = &talk.watched.lease {
            lease.answered();
        }
        if let Some(timer) = &mut talk.watched.timer {
            timer.opened();
            timer.streams();
        }
        spans::record_time_to_first_chunk(&span, sent.until(clock::now()));
        talk.watched.slot = slot.take();
        Ok(talk)
    }

    async fn dial(&self, lease: Option<&KeyLease>) -> Result<WebSocket, Failed> {
        let (key, group) = (lease.map(KeyLease::key), lease.map(KeyLease::group));
        let grant = Grant { key, group, away: lease.and_then(KeyLease::away), prepared: None };
        // 7 adapter: upstream request
        let request = self.lane.provider.request(self.intent, &self.call.inbound(), &grant);
        // 8 send
        let patience = clock::left_until(self.first_byte_by);
        match self.lane.upstream.connect(request, patience).await? {
            Connected::Socket(socket) => Ok(socket),
            // 9 head -> verdict
            Connected::Answer(answer) => Err(self.judge(answer, false).await),
        }
    }
}

impl Talk {
    /// Says what the caller said first, and listens until the provider has taken it in.
    async fn be_taken_in(&mut self, first: Option<&Message>) -> Result<(), Failed> {
        if let Some(first) = first {
            self.watched.watcher.sent(first.frame());
            // One that closes while it is spoken to says why; that is heard next.
            let _ = self.outgoing.send(first.clone()).await;
        }
        let mut held_bytes = 0;
        while !self.watched.watcher.is_taken_in() && held_bytes <= HELD_BACK_BYTES {
            match self.incoming.next().await {
                Heard::Message(message) => {
                    held_bytes += message.size();
                    self.held.push(self.watched.pass(message));
                }
                Heard::Alive => {}
                Heard::Closed(closing) => return Err(self.turned_away(closing)),
                Heard::Lost(_) => return Err(Failed::unanswered(Fault::Unreachable, Reach::Unknown)),
            }
        }
        Ok(())
    }

    fn turned_away(&self, closing: Option<Closing>) -> Failed {
        let failure = self.watched.watcher.failure(closing.as_ref());
        Failed {
            failure: failure.unwrap_or_else(|| Failure::of(Fault::Caller)),
            reach: Reach::Answered,
            kept: Some(Kept::of_closing(closing)),
            is_preparations: false,
        }
    }
}

impl Kept {
    fn of_closing(closing: Option<Closing>) -> Self {
        Self {
            // The switch had been answered; nothing but the closing is ever told.
            status: StatusCode::SWITCHING_PROTOCOLS,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            is_whole: true,
            closing: Some(closing.unwrap_or_else(|| Closing::new(Closing::NO_CODE, ""))),
        }
    }
}

/// A message without the key, should a provider ever echo it.
pub(crate) fn without_key(lease: Option<&KeyLease>, message: Message) -> Message {
    let Some(key) = lease.map(KeyLease::key) else { return message };
    if key.find_in(message.frame().bytes()).is_none() {
        return message;
    }
    let clean = scrub::without(key, message.bytes());
    message.with(clean)
}
