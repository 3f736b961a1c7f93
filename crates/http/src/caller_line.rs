//! A connection that actix-web has switched to another protocol, as something to read from and to write to.
//!
//! Bytes to the caller pass through a place for one piece: the writer waits until actix-web has taken the
//! piece before, and actix-web takes the next only when what it has is nearly written.

use std::cell::RefCell;
use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use actix_web::web;
use bytes::{Buf, Bytes};
use futures_util::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Most bytes handed over at once.
const PIECE_BYTES: usize = 32 * 1024;

/// Makes both ends: where the caller's bytes are read and written, and the body that carries what is
/// written. Neither leaves the worker.
pub(crate) fn caller_line(payload: web::Payload) -> (CallerLine, ToCaller) {
    let hatch = Rc::new(RefCell::new(Hatch::default()));
    (CallerLine { payload, unread: Bytes::new(), hatch: Rc::clone(&hatch) }, ToCaller(hatch))
}

/// The place between both ends.
#[derive(Default)]
struct Hatch {
    piece: Option<Bytes>,
    /// Who waits for a piece.
    taker: Option<Waker>,
    /// Who waits for the place to be empty.
    giver: Option<Waker>,
    /// Nothing more is given.
    is_closed: bool,
    /// Nobody takes any more.
    is_gone: bool,
}

impl Hatch {
    fn close(&mut self) {
        self.is_closed = true;
        wake(&mut self.taker);
    }

    /// Waits until the place is empty.
    fn poll_empty(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_gone || self.is_closed {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if self.piece.is_none() {
            return Poll::Ready(Ok(()));
        }
        self.giver = Some(cx.waker().clone());
        Poll::Pending
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

/// Where the caller's bytes come from and go to.
pub(crate) struct CallerLine {
    payload: web::Payload,
    unread: Bytes,
    hatch: Rc<RefCell<Hatch>>,
}

impl AsyncRead for CallerLine {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.unread.is_empty() {
            match Pin::new(&mut self.payload).poll_next(cx) {
                Poll::Ready(Some(Ok(bytes))) => self.unread = bytes,
                Poll::Ready(Some(Err(_broken))) => {
                    return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
                }
                // The end of the stream reads as no bytes.
                Poll::Ready(None) => return Poll::Ready(Ok(())),
                Poll::Pending => return Poll::Pending,
            }
        }
        let bytes = self.unread.len().min(buf.remaining());
        buf.put_slice(&self.unread[..bytes]);
        self.unread.advance(bytes);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for CallerLine {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let mut hatch = self.hatch.borrow_mut();
        std::task::ready!(hatch.poll_empty(cx))?;
        let piece = &buf[..buf.len().min(PIECE_BYTES)];
        if !piece.is_empty() {
            hatch.piece = Some(Bytes::copy_from_slice(piece));
            wake(&mut hatch.taker);
        }
        Poll::Ready(Ok(piece.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.hatch.borrow_mut().poll_empty(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.hatch.borrow_mut().close();
        Poll::Ready(Ok(()))
    }
}

impl Drop for CallerLine {
    fn drop(&mut self) {
        self.hatch.borrow_mut().close();
    }
}

/// What is written, as the body of an answer.
pub(crate) struct ToCaller(Rc<RefCell<Hatch>>);

impl Stream for ToCaller {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut hatch = self.0.borrow_mut();
        if let Some(piece) = hatch.piece.take() {
            wake(&mut hatch.giver);
            return Poll::Ready(Some(Ok(piece)));
        }
        if hatch.is_closed {
            return Poll::Ready(None);
        }
        hatch.taker = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for ToCaller {
    fn drop(&mut self) {
        let mut hatch = self.0.borrow_mut();
        hatch.is_gone = true;
        wake(&mut hatch.giver);
    }
}
