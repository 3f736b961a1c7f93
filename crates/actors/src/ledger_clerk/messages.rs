//! What the clerk of the ledger is told.

use actix::Message;
use tokio::sync::oneshot;

/// "Read your notices."
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct ReadNotices;

/// "Write everything down, now." Answers whether nothing was left over.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Finish {
    pub(crate) done: oneshot::Sender<bool>,
}
