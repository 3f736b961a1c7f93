//! A connection on which the provider has taken the caller in: messages both ways as they come, watched on
//! the side, with the lease and the user's slot held until the end.
//!
//! The directions are apart: whoever does not read is waited for by those who send to it, and by nobody
//! else. One message is held in each direction; TCP holds back the rest.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use keygate_actors::{GroupPass, KeyLease, clock};
use keygate_domain::{ClientId, Failure, Fault, GroupId, Moment, Redactor, Spend};
use keygate_provider::{Closing, Ended, Parting, Watcher};
use keygate_upstream::{Heard, Incoming, Lost, Message, Outgoing, WebSocket};
use tokio::time::{Interval, MissedTickBehavior, interval, sleep, timeout};
use tracing::Span;

use crate::account::Account;
use crate::answer::Slot;
use crate::attempt::{Talk, without_key};
use crate::keeping::Concern;
use crate::settle::{self, Ending};
use crate::switchboard::Leaving;
use crate::timer::AttemptTimer;

/// How often each side is asked for a sign of life. Below what proxies on the way take for silence.
const PULSE: Duration = Duration::from_secs(30);

/// After this long without any sign of life a side is gone, whatever its system says.
const SILENCE: Duration = Duration::from_secs(100);

/// How long one message may wait for a side that does not read.
const STALL: Duration = Duration::from_mins(1);

/// How long somebody who takes no more messages may take to say why.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// How long the other side may take to close as well.
const GOODBYE: Duration = Duration::from_secs(2);

/// What is settled when a connection ends.
pub(crate) struct Watched {
    pub(crate) watcher: Box<dyn Watcher>,
    pub(crate) lease: Option<KeyLease>,
    /// The group it is about, where it needs no key.
    pub(crate) pass: Option<GroupPass>,
    pub(crate) client: ClientId,
    pub(crate) estimate: Spend,
    pub(crate) is_session: bool,
    pub(crate) span: Span,
    pub(crate) slot: Slot,
    /// What the connection counts for the user.
    pub(crate) units: u32,
    /// Its place in the ledger, if it could cost something.
    pub(crate) account: Option<Account>,
    pub(crate) timer: Option<AttemptTimer>,
    /// Whose sessions may be lost over a limit that ends the connection.
    pub(crate) concern: Option<Box<Concern>>,
}

impl Watched {
    /// Sees a message of the provider's pass, and takes the key out of it.
    pub(crate) fn pass(&mut self, message: Message) -> Message {
        self.watcher.received(message.frame());
        if let Some(lease) = &self.lease {
            for binding in self.watcher.created() {
                lease.bind(&self.client, binding);
            }
            if let Some(usage) = self.watcher.used() {
                // The connection was counted as a request when it began.
                lease.used(usage.as_spend(0));
            }
        }
        without_key(self.lease.as_ref(), message)
    }

    /// Settles. Returns the group that served, and whether the session it was about is over.
    fn end(mut self, end: &End) -> (Option<GroupId>, bool) {
        let told = match end {
            End::ProviderClosed(closing) => self.watcher.failure(closing.as_ref()),
            End::CallerClosed(_)
            | End::CallerLost(_)
            | End::CallerSilent
            | End::ProviderLost
            | End::Left
            | End::TooLong => None,
        };
        let metered = self.watcher.finish(end.as_ended());
        settle::charge(&mut self.slot, self.units, self.estimate, &metered, Ending::Complete);
        // Who was served and says so was served, however the connection ended.
        let broke = (*end == End::ProviderLost && metered.usage.is_none()).then_some(Fault::Unreachable);
        let failure = told.or_else(|| broke.map(Failure::of));
        if let (Some(concern), Some(failure)) = (&self.concern, &failure) {
            concern.tell(failure.fault);
        }
        let cut = failure.as_ref().map(|failure| Ending::Cut(failure.fault));
        let ending = cut.unwrap_or(Ending::Complete);
        if let Some(account) = self.account {
            account.served(&metered, ending);
        }
        if let Some(timer) = self.timer {
            timer.served(&metered, ending);
        }
        let group = self.lease.as_ref().map(KeyLease::group).or(self.pass.as_ref().map(GroupPass::group));
        let group = group.cloned();
        if let (Some(pass), Some(session)) = (self.pass, &metered.ended) {
            pass.ended(session.clone());
        }
        settle::by_watcher(self.lease, self.estimate, &metered, failure, self.is_session, &self.span);
        drop(self.slot);
        (group, metered.ended.is_some())
    }
}

/// How a connection ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum End {
    /// The caller closed it.
    CallerClosed(Option<Closing>),
    /// The caller is gone, or what it sent is not to be passed on.
    CallerLost(Lost),
    /// The caller gives no sign of life, or takes nothing.
    CallerSilent,
    /// The provider closed it.
    ProviderClosed(Option<Closing>),
    /// The provider is gone, gives no sign of life, or takes nothing.
    ProviderLost,
    /// The gateway goes away.
    Left,
    /// It lasted too long.
    TooLong,
}

/// What became of a conversation.
pub(crate) struct Afterwards {
    pub(crate) end: End,
    /// The group that served.
    pub(crate) group: Option<GroupId>,
    /// Whether the session it was about is over.
    pub(crate) is_over: bool,
}

/// Passes messages on until somebody ends it.
pub(crate) async fn converse(
    caller: WebSocket,
    talk: Talk,
    mut leaving: Leaving,
    longest: Duration,
    redactor: &Redactor,
) -> Afterwards {
    let (mut from_caller, mut to_caller) = caller.split();
    let Talk { incoming: mut from_provider, outgoing: mut to_provider, held, watched } = talk;
    let now = clock::now();
    let shared = Shared {
        watched: RefCell::new(watched),
        caller_heard: Cell::new(now),
        provider_heard: Cell::new(now),
    };
    let ends_by = now.after(longest);
    let end = tokio::select! {
        end = shared.upward(&mut from_caller, &mut to_provider) => end,
        end = shared.downward(held, &mut from_provider, &mut to_caller, &mut leaving, ends_by) => end,
    };
    let watched = shared.watched.into_inner();
    let (for_caller, for_provider) = end.goodbyes(&*watched.watcher);
    let for_caller = for_caller.map(|closing| scrubbed(&closing, redactor));
    tokio::join!(
        goodbye(for_caller, &mut from_caller, &mut to_caller),
        goodbye(for_provider, &mut from_provider, &mut to_provider),
    );
    let (group, is_over) = watched.end(&end);
    Afterwards { end, group, is_over }
}

/// What both directions know.
struct Shared {
    watched: RefCell<Watched>,
    caller_heard: Cell<Moment>,
    provider_heard: Cell<Moment>,
}

impl Shared {
    /// The caller's messages, and the provider's pulse.
    async fn upward(&self, caller: &mut Incoming, provider: &mut Outgoing) -> End {
        let mut pulse = pulse();
        loop {
            let heard = tokio::select! {
                heard = caller.next() => heard,
                _ = pulse.tick() => {
                    if is_silent(&self.provider_heard) || sent(provider.ping()).await.is_err() {
                        return self.after_last_words(End::ProviderLost).await;
                    }
                    continue;
                }
            };
            self.caller_heard.set(clock::now());
            match heard {
                Heard::Message(message) => {
                    self.watched.borrow_mut().watcher.sent(message.frame());
                    if sent(provider.send(message)).await.is_err() {
                        return self.after_last_words(End::ProviderLost).await;
                    }
                }
                Heard::Alive => {}
                Heard::Closed(closing) => return End::CallerClosed(closing),
                Heard::Lost(lost) => return End::CallerLost(lost),
            }
        }
    }

    /// The provider's messages, the caller's pulse, and what the gateway itself has to say.
    async fn downward(
        &self,
        held: Vec<Message>,
        provider: &mut Incoming,
        caller: &mut Outgoing,
        leaving: &mut Leaving,
        mut ends_by: Moment,
    ) -> End {
        for message in held {
            if sent(caller.send(message)).await.is_err() {
                return self.after_last_words(End::CallerSilent).await;
            }
        }
        let mut pulse = pulse();
        let mut last = End::TooLong;
        loop {
            let message = tokio::select! {
                heard = provider.next() => {
                    self.provider_heard.set(clock::now());
                    match heard {
                        Heard::Message(message) => Some(self.watched.borrow_mut().pass(message)),
                        Heard::Alive => None,
                        Heard::Closed(closing) => return End::ProviderClosed(closing),
                        Heard::Lost(_) => return End::ProviderLost,
                    }
                }
                _ = pulse.tick() => {
                    if is_silent(&self.caller_heard) || sent(caller.ping()).await.is_err() {
                        return self.after_last_words(End::CallerSilent).await;
                    }
                    None
                }
                leaves_by = leaving.begins() => {
                    (ends_by, last) = (leaves_by, End::Left);
                    let within = clock::left_until(leaves_by);
                    self.watched.borrow().watcher.farewell(within).map(Message::from)
                }
                () = sleep(clock::left_until(ends_by)) => return last,
            };
            if let Some(message) = message
                && sent(caller.send(message)).await.is_err()
            {
                return self.after_last_words(End::CallerSilent).await;
            }
        }
    }

    /// Who takes nothing any more may have said why; the other direction hears it first.
    async fn after_last_words(&self, end: End) -> End {
        sleep(LAST_WORDS).await;
        end
    }
}

impl End {
    fn as_ended(&self) -> Ended {
        match self {
            Self::CallerClosed(_) | Self::ProviderClosed(_) | Self::Left | Self::TooLong => Ended::Complete,
            Self::CallerLost(_) | Self::CallerSilent => Ended::Abandoned,
            Self::ProviderLost => Ended::Broken,
        }
    }

    /// What each side is told; nothing to one that is gone.
    fn goodbyes(&self, watcher: &dyn Watcher) -> (Option<Closing>, Option<Closing>) {
        let gone = || Some(Closing::new(Closing::GOING_AWAY, ""));
        let told = |parting| Some(watcher.told(parting));
        match self {
            Self::CallerClosed(closing) => {
                let same = closing.clone().unwrap_or_else(|| Closing::new(Closing::NO_CODE, ""));
                (Some(same.clone()), Some(same))
            }
            Self::CallerLost(Lost::Broken) => (None, gone()),
            Self::CallerLost(Lost::TooLarge) => {
                (Some(Closing::new(Closing::TOO_LARGE, "The message is too large.")), gone())
            }
            Self::CallerLost(Lost::Malformed) => (Some(Closing::new(Closing::PROTOCOL, "")), gone()),
            Self::CallerSilent => (Some(Closing::new(Closing::GOING_AWAY, "")), gone()),
            Self::ProviderClosed(closing) => (told(Parting::Closed(closing.as_ref())), gone()),
            Self::ProviderLost => (told(Parting::Broken), None),
            Self::Left => (told(Parting::Leaving), gone()),
            Self::TooLong => (told(Parting::TooLong), gone()),
        }
    }
}

/// A close frame without secrets: providers print keys in errors.
pub(crate) fn scrubbed(closing: &Closing, redactor: &Redactor) -> Closing {
    Closing::new(closing.code, redactor.scrub_text(&closing.reason))
}

/// A message, or a ping, that is taken in time.
async fn sent(sending: impl Future<Output = Result<(), keygate_upstream::Gone>>) -> Result<(), ()> {
    match timeout(STALL, sending).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_gone)) => Err(()),
        Err(_elapsed) => Err(()),
    }
}

fn pulse() -> Interval {
    let mut pulse = interval(PULSE);
    pulse.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pulse.reset();
    pulse
}

fn is_silent(heard: &Cell<Moment>) -> bool {
    heard.get().until(clock::now()) > SILENCE
}

async fn goodbye(closing: Option<Closing>, incoming: &mut Incoming, outgoing: &mut Outgoing) {
    let Some(closing) = closing else { return };
    let leave = async {
        outgoing.close(Some(&closing)).await;
        incoming.drain().await;
    };
    // Who does not answer is left.
    let _ = timeout(GOODBYE, leave).await;
}
