//! What the clerk of the ledger is told.

use std::time::Duration;

use actix::Message;
use tokio::sync::oneshot;

/// "Read your notices."
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct ReadNotices;

/// "Keep rows for so long from here on." Without a time: for ever.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct KeepFor(pub(crate) Option<Duration>);

/// "Write down what there is, now." Answers whether nothing of it was left over.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Finish {
    pub(crate) done: oneshot::Sender<bool>,
}
