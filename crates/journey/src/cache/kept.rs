//! An answer that is kept.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use crate::{Answer, AnswerBody, Facts};

/// What an entry takes besides its bytes, roughly.
const OVERHEAD_BYTES: usize = 512;

/// A complete answer.
pub(crate) struct Kept {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Kept {
    /// How much memory it takes, roughly.
    pub(crate) fn size(&self) -> usize {
        let headers: usize =
            self.headers.iter().map(|(name, value)| 64 + name.as_str().len() + value.len()).sum();
        OVERHEAD_BYTES + headers + self.body.len()
    }

    /// The answer, given again.
    pub(crate) fn answer(&self, facts: Facts) -> Answer {
        let (headers, body) = (self.headers.clone(), AnswerBody::Whole(self.body.clone()));
        Answer { status: StatusCode::OK, headers, body, facts, session: None }
    }
}
