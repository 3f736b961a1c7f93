//! A request's body that is sent as it comes, with back-pressure from the provider's socket to whoever
//! fills the pipe.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

/// Pieces that wait for the socket. A piece is what a front reads at a time, so this bounds the memory of an
/// upload, whatever its size.
const PIECES: usize = 2;

/// Makes a pipe for a body of `length` bytes, if that is known: then it is sent with its length, else in
/// chunks.
pub fn pipe(length: Option<u64>) -> (PipeIn, PipedBody) {
    let (pieces, arriving) = mpsc::channel(PIECES);
    let (want, wanted) = oneshot::channel();
    (PipeIn { pieces, wanted: Some(wanted) }, PipedBody { arriving, want: Some(want), left: length })
}

/// The end that is filled. Dropped before [`PipeIn::finish`] it breaks the request off, so that no provider
/// takes half a body for a whole one.
#[derive(Debug)]
pub struct PipeIn {
    pieces: mpsc::Sender<Piece>,
    wanted: Option<oneshot::Receiver<()>>,
}

/// The end that is sent.
#[derive(Debug)]
pub struct PipedBody {
    arriving: mpsc::Receiver<Piece>,
    /// Told when the first piece is asked for.
    want: Option<oneshot::Sender<()>>,
    /// Bytes still to come, where the length is known.
    left: Option<u64>,
}

#[derive(Debug)]
enum Piece {
    Bytes(Bytes),
    End,
}

/// Nobody takes any more: the connection is gone, or the provider has heard enough.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("the provider takes no more of the body")]
pub struct Unwanted;

/// The body ended before its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("the body broke off")]
pub struct BrokenOff;

impl PipeIn {
    /// Waits until the connection stands, the head is written, and the first piece is asked for. What is not
    /// taken from a caller before can be sent again.
    ///
    /// # Errors
    /// When no connection came about.
    pub async fn wanted(&mut self) -> Result<(), Unwanted> {
        if let Some(wanted) = &mut self.wanted {
            wanted.await.map_err(|_| Unwanted)?;
            self.wanted = None;
        }
        Ok(())
    }

    /// Waits until there is room for another piece.
    ///
    /// # Errors
    /// When nobody takes any more.
    pub async fn room(&self) -> Result<Room<'_>, Unwanted> {
        self.pieces.reserve().await.map(Room).map_err(|_| Unwanted)
    }
}

/// Room for a piece.
#[derive(Debug)]
pub struct Room<'a>(mpsc::Permit<'a, Piece>);

impl Room<'_> {
    /// Puts the next bytes in.
    pub fn put(self, bytes: Bytes) {
        self.0.send(Piece::Bytes(bytes));
    }

    /// Says that nothing follows.
    pub fn finish(self) {
        self.0.send(Piece::End);
    }
}

impl Body for PipedBody {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        if let Some(want) = self.want.take() {
            // Who fills the pipe may be gone; the channel below says so.
            let _ = want.send(());
        }
        Poll::Ready(match ready!(self.arriving.poll_recv(cx)) {
            Some(Piece::Bytes(bytes)) => {
                self.left = self.left.map(|left| left.saturating_sub(bytes.len() as u64));
                Some(Ok(Frame::data(bytes)))
            }
            Some(Piece::End) => None,
            None => Some(Err(BrokenOff)),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.left == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;

    use super::*;

    async fn next(body: &mut PipedBody) -> Option<Result<Bytes, BrokenOff>> {
        let frame = poll_fn(|cx| pin!(&mut *body).poll_frame(cx)).await;
        frame.map(|frame| frame.map(|frame| frame.into_data().unwrap_or_default()))
    }

    #[tokio::test]
    async fn pieces_arrive_in_order_and_end_where_they_are_said_to() {
        let (filling, mut body) = pipe(None);
        filling.room().await.unwrap().put(Bytes::from_static(b"one"));
        filling.room().await.unwrap().put(Bytes::from_static(b"two"));
        assert_eq!(next(&mut body).await, Some(Ok(Bytes::from_static(b"one"))));
        filling.room().await.unwrap().finish();
        assert_eq!(next(&mut body).await, Some(Ok(Bytes::from_static(b"two"))));
        assert_eq!(next(&mut body).await, None);
    }

    #[tokio::test]
    async fn a_pipe_that_is_dropped_breaks_the_body_off() {
        let (filling, mut body) = pipe(Some(10));
        assert_eq!(body.size_hint().exact(), Some(10));
        filling.room().await.unwrap().put(Bytes::from_static(b"half"));
        drop(filling);
        assert_eq!(next(&mut body).await, Some(Ok(Bytes::from_static(b"half"))));
        assert_eq!((body.size_hint().exact(), body.is_end_stream()), (Some(6), false));
        assert_eq!(next(&mut body).await, Some(Err(BrokenOff)));
    }

    #[tokio::test]
    async fn nothing_is_wanted_before_it_is_asked_for() {
        let (mut filling, mut body) = pipe(Some(4));
        let is_wanted = poll_fn(|cx| Poll::Ready(pin!(filling.wanted()).poll(cx).is_ready())).await;
        assert!(!is_wanted);
        let is_there = poll_fn(|cx| Poll::Ready(pin!(&mut body).poll_frame(cx).is_ready())).await;
        assert!(!is_there);
        assert_eq!(filling.wanted().await, Ok(()));
        drop(body);
        assert!(filling.room().await.is_err(), "nobody takes any more");
        let (mut filling, body) = pipe(None);
        drop(body);
        assert_eq!(filling.wanted().await, Err(Unwanted), "there never was a connection");
    }
}
