//! Answering when the model that was asked cannot: another model, a stored text, an answer given before.

use bytes::Bytes;
use jiff::Timestamp;

/// The same request of another model: what of it differs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OtherModel {
    /// The path.
    pub path: String,
    /// The body.
    pub body: Bytes,
}

/// A stored text that is to be told as an answer.
#[derive(Clone, Copy, Debug)]
pub struct StoredReply<'a> {
    /// What it says.
    pub text: &'a str,
    /// The id of the request, from which that of the answer is made.
    pub request_id: &'a str,
    /// When it is told.
    pub at: Timestamp,
}
