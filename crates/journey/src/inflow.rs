//! A request's body that is passed on as it comes: what was taken of it, and why it ended early.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use keygate_domain::{ErrorKind, Refusal};
use keygate_provider::Extent;
use thiserror::Error;
use tokio::time::timeout;

/// A body that declares itself no longer than this is read before it is sent, and can be sent again.
const SHORT_BYTES: u64 = 256 * 1024;

/// Where the bytes come from: the front's side of the caller's socket. The front reads no further than it is
/// asked.
pub type Source = Box<dyn FnMut(&mut Context<'_>) -> Poll<Option<Result<Bytes, SourceBroke>>>>;

/// The caller's connection broke inside the body.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("the request body broke off")]
pub struct SourceBroke;

/// The body cannot be passed on to its end, by the caller's doing. [`Inflow::lost`] tells why.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("the request body was lost")]
pub(crate) struct BodyLost;

/// A body still to be read. One attempt at a time takes from it.
pub struct Inflow {
    source: RefCell<Source>,
    declared: Option<u64>,
    limit: u64,
    /// How much came before, of what it is a part of.
    before: Cell<u64>,
    taken: Cell<u64>,
    /// All of it, once a short one was read.
    kept: RefCell<Option<Bytes>>,
    lost: RefCell<Option<Refusal>>,
}

impl fmt::Debug for Inflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let taken = self.taken.get();
        f.debug_struct("Inflow")
            .field("declared", &self.declared)
            .field("taken", &taken)
            .finish_non_exhaustive()
    }
}

impl Inflow {
    /// A body of `declared` bytes, if the caller said how many. Of the whole that it is a part of, `limit` are
    /// admitted.
    pub fn new(source: Source, declared: Option<u64>, limit: u64) -> Self {
        Self {
            source: RefCell::new(source),
            declared,
            limit,
            before: Cell::new(0),
            taken: Cell::new(0),
            kept: RefCell::default(),
            lost: RefCell::default(),
        }
    }

    /// The length the caller declared.
    pub(crate) fn declared(&self) -> Option<u64> {
        self.declared
    }

    /// Notes what it is a part of; says why it is not even begun, if it is not.
    pub(crate) fn admit(&self, Extent { whole, before }: Extent) -> Option<Refusal> {
        self.before.set(before);
        let known = whole.unwrap_or(0).max(before.saturating_add(self.declared.unwrap_or(0)));
        (known > self.limit).then(|| too_large(self.limit))
    }

    /// Whether it is small enough to be kept.
    pub(crate) fn is_short(&self) -> bool {
        self.declared.is_some_and(|length| length <= SHORT_BYTES)
    }

    /// Whether anything was taken that is nowhere any more.
    pub(crate) fn is_spent(&self) -> bool {
        self.taken.get() > 0 && self.kept.borrow().is_none()
    }

    /// Why it ended before its end, if it did.
    pub(crate) fn lost(&self) -> Option<Refusal> {
        self.lost.borrow().clone()
    }

    /// The whole of a short body: read the first time, kept from then on.
    ///
    /// # Errors
    /// When it is lost.
    pub(crate) async fn whole(&self, patience: Duration) -> Result<Bytes, BodyLost> {
        if let Some(kept) = self.kept.borrow().clone() {
            return Ok(kept);
        }
        let mut whole = BytesMut::new();
        while let Some(chunk) = self.chunk(patience).await? {
            whole.extend_from_slice(&chunk);
        }
        let whole = whole.freeze();
        *self.kept.borrow_mut() = Some(whole.clone());
        Ok(whole)
    }

    /// The next bytes; `None` at the end.
    ///
    /// # Errors
    /// When none come within `patience`, too many come, or the caller is gone.
    pub(crate) async fn chunk(&self, patience: Duration) -> Result<Option<Bytes>, BodyLost> {
        let left = self.declared.map(|length| length.saturating_sub(self.taken.get()));
        if left == Some(0) {
            return Ok(None);
        }
        let next = poll_fn(|cx| (self.source.borrow_mut())(cx));
        let mut chunk = match timeout(patience, next).await {
            Ok(Some(Ok(chunk))) => chunk,
            Ok(None) if left.is_none() => return Ok(None),
            Ok(None | Some(Err(SourceBroke))) => return Err(self.lose(broken_off())),
            Err(_elapsed) => return Err(self.lose(too_slow())),
        };
        if let Some(left) = left {
            // What follows the declared end is no body.
            chunk.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        }
        let taken = self.taken.get() + chunk.len() as u64;
        self.taken.set(taken);
        let whole = self.before.get().saturating_add(taken);
        if whole > self.limit { Err(self.lose(too_large(self.limit))) } else { Ok(Some(chunk)) }
    }

    fn lose(&self, why: Refusal) -> BodyLost {
        *self.lost.borrow_mut() = Some(why);
        BodyLost
    }
}

fn too_large(limit: u64) -> Refusal {
    let message = format!("The upload is larger than the {limit} bytes that this gateway admits.");
    Refusal::new(ErrorKind::TooLarge, message)
}

fn broken_off() -> Refusal {
    Refusal::new(ErrorKind::BadRequest, "The request body could not be read to its end.")
}

fn too_slow() -> Refusal {
    Refusal::new(ErrorKind::DeadlineExceeded, "The request body stopped coming.")
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(5);

    fn inflow(pieces: &[&'static str], declared: Option<u64>, limit: u64) -> Inflow {
        let mut pieces: VecDeque<_> =
            pieces.iter().map(|piece| Bytes::from_static(piece.as_bytes())).collect();
        Inflow::new(Box::new(move |_| Poll::Ready(pieces.pop_front().map(Ok))), declared, limit)
    }

    fn why(inflow: &Inflow) -> ErrorKind {
        inflow.lost().unwrap().kind
    }

    #[tokio::test]
    async fn a_short_body_is_kept() {
        let body = inflow(&["one", "two"], Some(6), 6);
        assert!(body.is_short() && body.admit(Extent::default()).is_none());
        for _ in 0..2 {
            assert_eq!(body.whole(PATIENCE).await.unwrap(), "onetwo");
        }
        assert!(!body.is_spent() && body.lost().is_none());
    }

    #[tokio::test]
    async fn a_body_ends_where_it_was_said_to() {
        let body = inflow(&["onetwo and more", "never asked for"], Some(6), 6);
        assert_eq!(body.chunk(PATIENCE).await.unwrap().unwrap(), "onetwo");
        assert_eq!(body.chunk(PATIENCE).await, Ok(None));
        assert!(body.is_spent());
        let body = inflow(&["one"], Some(6), 6);
        assert!(body.chunk(PATIENCE).await.is_ok());
        assert_eq!(body.chunk(PATIENCE).await, Err(BodyLost));
        assert_eq!(why(&body), ErrorKind::BadRequest);
    }

    #[tokio::test]
    async fn too_much_is_noticed_where_it_is_said_and_where_it_comes() {
        let refused = |declared, whole, before| {
            inflow(&[], declared, 6).admit(Extent { whole, before }).map(|refusal| refusal.kind)
        };
        assert_eq!(refused(Some(7), None, 0), Some(ErrorKind::TooLarge));
        assert_eq!(refused(Some(1), Some(7), 0), Some(ErrorKind::TooLarge), "announced");
        assert_eq!(refused(Some(3), None, 4), Some(ErrorKind::TooLarge), "with what came before");
        assert_eq!(refused(None, None, u64::MAX), Some(ErrorKind::TooLarge));
        assert_eq!((refused(Some(2), Some(6), 4), refused(None, None, 0)), (None, None));
        let body = inflow(&["one", "two", "!"], None, 6);
        assert!(!body.is_short() && body.admit(Extent::default()).is_none());
        assert!(body.chunk(PATIENCE).await.is_ok() && body.chunk(PATIENCE).await.is_ok());
        assert_eq!(body.chunk(PATIENCE).await, Err(BodyLost));
        assert_eq!(why(&body), ErrorKind::TooLarge);
        let last = inflow(&["one", "two"], None, 6);
        assert!(
            last.admit(Extent { whole: None, before: 2 }).is_none() && last.chunk(PATIENCE).await.is_ok()
        );
        assert_eq!(last.chunk(PATIENCE).await, Err(BodyLost));
    }

    #[tokio::test]
    async fn silence_ends_it() {
        let body = Inflow::new(Box::new(|_| Poll::Pending), Some(300_000), u64::MAX);
        assert!(!body.is_short());
        assert_eq!(body.chunk(Duration::from_millis(1)).await, Err(BodyLost));
        assert_eq!(why(&body), ErrorKind::DeadlineExceeded);
    }
}
