//! The way of a request for a WebSocket: the same steps as [`crate::serve`], with a conversation in the
//! place of an answer.
//!
//! Where the caller's first message says what it wants, its side is opened before the provider's: the key
//! is chosen by model and by what is resumed. Until the provider has taken the caller in nothing of it
//! passes, so that another key can make good what fails. What is refused while the caller's side is not
//! open yet is an answer in the surface's shape, and after that a close frame.

use std::time::Duration;

use keygate_domain::{ErrorKind, Intent, Refusal};
use keygate_provider::{Refused as Why, Sockets, Terms};
use keygate_telemetry::spans;
use keygate_upstream::{Heard, Message, WebSocket};
use tokio::task::spawn_local;
use tokio::time::timeout;

use crate::answer::Slot;
use crate::attempt::{Attempt, Dial, Kept, Talk};
use crate::conversation::{Afterwards, End, converse};
use crate::entry::{entered, limited, may_use_model, rejection};
use crate::last_words::{as_answer, nobody_waits};
use crate::serve::{Way, Went, refused};
use crate::switchboard::Switchboard;
use crate::{Answer, Call, Caller, Facts, House, Lane, Refused, events};

/// How long a caller may take to say what it wants. SDKs do at once.
const OPENING_PATIENCE: Duration = Duration::from_secs(10);

/// How long a caller that nothing comes of may take to close as well.
const GOODBYE: Duration = Duration::from_secs(2);

/// The caller's side of a connection that is not open yet.
pub trait Door {
    /// Opens it. Nothing comes of it when the caller is gone.
    fn open(self, facts: &Facts) -> impl Future<Output = Option<WebSocket>>;
}

/// What became of a request for a WebSocket.
#[derive(Debug)]
pub enum Connection {
    /// It was open, and is over.
    Over,
    /// The provider gave an ordinary answer before the caller's side was open.
    Answered(Box<Answer>),
}

/// Connects one caller in `lane`, and passes messages on until one side ends it.
///
/// # Errors
/// [`Refused`] when the gateway itself says no before the caller's side is open.
pub async fn connect<D: Door>(
    house: &House,
    lane: &Lane,
    call: &Call<'_>,
    board: &Switchboard,
    door: D,
    hung_up: impl Future<Output = ()>,
) -> Result<Connection, Refused> {
    let mut facts = Facts { provider: Some(lane.adapter.name), ..Facts::default() };
    let Some(sockets) = lane.provider.sockets() else {
        return Err(refused(Refusal::new(ErrorKind::NotFound, "There is no WebSocket here."), facts));
    };
    // 3 adapter: intent
    let (caller, intent) = entered(lane, call, &facts)?;
    // 4 ask limiter
    let slot = limited(house, call, caller, &intent, &mut facts).await?;
    let terms = sockets.terms(&intent, &call.inbound());
    let line = Switch { house, lane, call, caller, board, sockets, terms: &terms };
    if terms.opens_with_frame {
        line.after_first_message(intent, facts, slot, door, hung_up).await;
        return Ok(Connection::Over);
    }
    match line.reach(&intent, None, facts, slot, hung_up).await {
        Ok(Went::Opened(talk, facts)) => {
            if let Some(socket) = door.open(&facts).await {
                line.converse(socket, talk).await;
            }
            Ok(Connection::Over)
        }
        Ok(Went::Told(kept, facts)) if terms.refuses_by_closing => {
            if let Some(socket) = door.open(&facts).await {
                line.close(socket, Ok(&kept)).await;
            }
            Ok(Connection::Over)
        }
        Ok(Went::Told(kept, facts)) => Ok(Connection::Answered(Box::new(as_answer(kept, facts)))),
        Err(no) if terms.refuses_by_closing => {
            if let Some(socket) = door.open(&no.facts).await {
                line.close(socket, Err(&no.refusal)).await;
            }
            Ok(Connection::Over)
        }
        Err(no) => Err(no),
    }
}

/// What joins a caller and a provider.
struct Switch<'a> {
    house: &'a House,
    lane: &'a Lane,
    call: &'a Call<'a>,
    caller: &'a Caller,
    board: &'a Switchboard,
    sockets: &'a dyn Sockets,
    terms: &'a Terms,
}

impl Switch<'_> {
    /// Opens the caller's side, hears what it wants, and reaches the provider with that.
    async fn after_first_message<D: Door>(
        &self,
        intent: Intent,
        facts: Facts,
        slot: Slot,
        door: D,
        hung_up: impl Future<Output = ()>,
    ) {
        let Some(socket) = door.open(&facts).await else { return };
        let mut socket = socket;
        let first = match timeout(OPENING_PATIENCE, first_message(&mut socket)).await {
            Ok(Some(first)) => first,
            Ok(None) => return,
            Err(_elapsed) => return self.close(socket, Err(&nothing_said())).await,
        };
        let intent = match self.sockets.opened(intent, first.frame()) {
            Ok(intent) => intent,
            Err(rejected) => return self.close(socket, Err(&rejection(rejected))).await,
        };
        spans::record_intent(&self.call.span, &self.call.method, self.lane.adapter.name, &intent);
        self.call.metrics.wants(intent.operation);
        if let Err(refusal) = may_use_model(self.caller, &intent) {
            return self.close(socket, Err(&refusal)).await;
        }
        match self.reach(&intent, Some(&first), facts, slot, hung_up).await {
            Ok(Went::Opened(talk, facts)) => {
                spans::record_response(&self.call.span, 101, facts.attempts, facts.key.as_ref());
                self.converse(socket, talk).await;
            }
            Ok(Went::Told(kept, _)) => self.close(socket, Ok(&kept)).await,
            Err(no) => self.close(socket, Err(&no.refusal)).await,
        }
    }

    /// Steps 5 to 11.
    async fn reach(
        &self,
        intent: &Intent,
        first: Option<&Message>,
        facts: Facts,
        mut slot: Slot,
        hung_up: impl Future<Output = ()>,
    ) -> Result<Went<Talk>, Refused> {
        let way = Way::new(self.house, self.lane, self.call, self.caller, intent);
        let way = way.for_up_to(self.terms.longest);
        let dial = Dial { sockets: self.sockets, terms: self.terms, first };
        let given_up = refused(nobody_waits(), facts.clone());
        let make =
            async |attempt: &Attempt<'_>, lease, slot: &mut Slot| attempt.connect(&dial, lease, slot).await;
        tokio::select! {
            biased;
            went = way.go(facts, &mut slot, std::future::pending(), make) => went,
            () = hung_up => Err(given_up),
        }
    }

    /// 12 relay, meter, account
    async fn converse(&self, caller: WebSocket, talk: Talk) {
        let line = self.terms.about.clone().map(|(session, grace)| (grace, self.board.talk_to(session)));
        let (leaving, longest) = (self.board.leaving(), self.terms.longest);
        let Afterwards { end, group, is_over } =
            converse(caller, talk, leaving, longest, &self.house.redactor).await;
        events::conversation_ended(self.lane.adapter.name.as_str(), self.call, &end);
        // Who was told to leave comes back to another gateway, or to this one when it is there again.
        let has_left = end != End::Left && !is_over;
        if let (Some((grace, line)), Some(group), true) = (line, group, has_left) {
            let supervisor = self.lane.supervisor.clone();
            drop(spawn_local(line.hang_up(grace, group, supervisor)));
        }
    }

    /// Closes an open caller's side: with the provider's own words, or with the gateway's.
    async fn close(&self, socket: WebSocket, why: Result<&Kept, &Refusal>) {
        let closing = match why {
            Ok(Kept { closing: Some(closing), .. }) => closing.clone(),
            Ok(kept) => self.sockets.closing(&Why::There(kept.status, &kept.body)),
            Err(refusal) => {
                spans::record_refusal(&self.call.span, refusal.kind);
                self.sockets.closing(&Why::Here(refusal, (self.house.status_of)(refusal.kind)))
            }
        };
        events::closed(self.lane.adapter.name.as_str(), self.call, &closing);
        // Who does not answer is left.
        let _ = timeout(GOODBYE, socket.close(Some(&closing))).await;
    }
}

/// The first message with content; nothing if the caller leaves first.
async fn first_message(socket: &mut WebSocket) -> Option<Message> {
    loop {
        match socket.next().await {
            Heard::Message(message) => return Some(message),
            Heard::Alive => {}
            Heard::Closed(_) | Heard::Lost(_) => return None,
        }
    }
}

fn nothing_said() -> Refusal {
    Refusal::new(ErrorKind::DeadlineExceeded, "No first message came that says what is wanted.")
}
