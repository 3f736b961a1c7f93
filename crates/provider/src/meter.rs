//! Watching an answer pass: usage, faults inside streams, resources it created.

use bytes::Bytes;
use keygate_domain::{Binding, Failure, OpenedSession, Refusal, Resource, Usage};

/// How an answer ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// The provider finished it.
    Complete,
    /// The connection broke, or time ran out.
    Broken,
    /// The caller left.
    Abandoned,
}

/// What was seen of an answer.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Metered {
    /// The last usage the provider reported; running values are never summed.
    pub usage: Option<Usage>,
    /// A fault told inside a successful answer.
    pub failure: Option<Failure>,
    /// Resources the answer created.
    pub bindings: Vec<Binding>,
    /// Resources that the group proved to have by serving them. Nobody made them here, or it was forgotten:
    /// they are remembered as nobody's, unless they are known.
    pub found: Vec<Binding>,
    /// Resources that are no more.
    pub gone: Vec<Resource>,
    /// The session that the answer opened: it takes one of the group's places until it ends.
    pub opened: Option<OpenedSession>,
    /// The session that ended, so that its place is free.
    pub ended: Option<Resource>,
    /// The model that answered, by its own account.
    pub response_model: Option<String>,
    /// The provider's id of the answer.
    pub response_id: Option<String>,
    /// Why the model stopped.
    pub finish_reason: Option<String>,
}

/// Sees the bytes of one successful answer pass; never changes them. Must be cheap: it runs for
/// every chunk of every stream, and must keep a bounded amount of what it saw.
pub trait Meter: Send {
    /// Sees the next bytes.
    fn see(&mut self, chunk: &[u8]);

    /// A fault already seen inside the answer. Asked while nothing has been passed on yet: then
    /// the fault can still be made good under another key.
    fn failure_so_far(&self) -> Option<Failure> {
        None
    }

    /// Whether the first element of a stream has begun to come and is not whole yet, so that a fault
    /// it tells could not have been seen. The answer is held back a little longer then.
    fn is_in_first_element(&self) -> bool {
        false
    }

    /// Resources the answer has created by what was seen so far, each once. Asked when the answer begins to
    /// be passed on, and before each further piece is: whoever follows a long stream may use what it created
    /// before it ends.
    fn created(&mut self) -> Vec<Binding> {
        Vec::new()
    }

    /// Last words to a caller whose stream ends early, if the stream stands where a client can
    /// read them (at an event boundary); else the connection is simply cut.
    fn farewell(&self, refusal: &Refusal, status: u16) -> Option<Bytes> {
        let _ = (refusal, status);
        None
    }

    /// What was seen, at the end.
    fn finish(self: Box<Self>, ended: Ended) -> Metered;
}
