//! What the bookkeeper is told, and what it asks.

use actix::{Message, Recipient};
use keygate_domain::ProviderName;
use keygate_pool::{StateRow, Urgency};
use tokio::sync::oneshot;

/// "Something changed here." Told once until it is fetched, and once more if it becomes urgent: so
/// no more than two of a teller lie in the mailbox.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Changed {
    pub(crate) provider: ProviderName,
    pub(crate) urgency: Urgency,
    /// Where it is fetched.
    pub(crate) from: Recipient<TakeUnsaved>,
}

/// "Give me what changed", `most` rows of it. Put to whoever told.
#[derive(Message)]
#[rtype(result = "Vec<StateRow>")]
pub(crate) struct TakeUnsaved {
    pub(crate) most: usize,
}

/// "I am ending, and this is what you have not fetched."
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct LastWords {
    pub(crate) provider: ProviderName,
    pub(crate) rows: Vec<StateRow>,
}

/// "Write everything down, now." Answers whether that could be done.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Finish {
    pub(crate) done: oneshot::Sender<bool>,
}
