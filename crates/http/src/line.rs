//! The line to a caller: whether anybody is still at its other end.
//!
//! actix-web lets a handler run to its end when the caller hangs up, and a caller that waits for an
//! answer in one piece would keep a key, a place among its user's requests and the provider busy until
//! the deadline.

use std::any::Any;
use std::net::TcpStream;
use std::time::Duration;

#[cfg(unix)]
use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::HttpRequest;
use actix_web::dev::Extensions;
#[cfg(unix)]
use actix_web::rt::net::TcpStream as Socket;
use actix_web::rt::time::sleep;

/// How often a line is looked at while its caller waits.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// A second handle of a caller's socket; closed with the connection.
struct Line(TcpStream);

/// Keeps hold of the line of a new connection.
pub(crate) fn hold(socket: &dyn Any, connection: &mut Extensions) {
    if let Some(line) = second_handle(socket) {
        connection.insert(Line(line));
    }
}

#[cfg(unix)]
fn second_handle(socket: &dyn Any) -> Option<TcpStream> {
    use std::os::fd::AsFd;
    raw(socket)?.as_fd().try_clone_to_owned().ok().map(TcpStream::from)
}

#[cfg(not(unix))]
fn second_handle(_socket: &dyn Any) -> Option<TcpStream> {
    None
}

/// The socket itself, or the one below TLS.
#[cfg(unix)]
fn raw(socket: &dyn Any) -> Option<&Socket> {
    let below_tls = || socket.downcast_ref::<TlsStream<Socket>>().map(|stream| stream.get_ref().0);
    socket.downcast_ref::<Socket>().or_else(below_tls)
}

/// Waits until the caller has hung up; for ever where that cannot be seen. Who closes only its own
/// direction counts as gone, as it does for most proxies.
pub(crate) async fn hung_up(request: &HttpRequest) {
    let Some(line) = request.conn_data::<Line>() else { return std::future::pending().await };
    loop {
        sleep(LOOK_EVERY).await;
        if line.is_dead() {
            return;
        }
    }
}

/// Whether the caller has hung up by now.
pub(crate) fn is_gone(request: &HttpRequest) -> bool {
    request.conn_data::<Line>().is_some_and(Line::is_dead)
}

impl Line {
    /// The system is asked whether the other end has closed, not whether there is nothing to read: what TLS
    /// says before it closes, and what a caller sent ahead, lies unread before that.
    #[cfg(target_os = "linux")]
    fn is_dead(&self) -> bool {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        const NOT_WAITING: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };
        let mut line = [PollFd::new(&self.0, PollFlags::RDHUP)];
        let closed = PollFlags::RDHUP | PollFlags::HUP | PollFlags::ERR;
        poll(&mut line, Some(&NOT_WAITING)).is_ok() && line[0].revents().intersects(closed)
    }

    /// Never blocks: the handle shares the mode of the socket it was made of. Sees nothing behind what lies
    /// unread.
    #[cfg(not(target_os = "linux"))]
    fn is_dead(&self) -> bool {
        match self.0.peek(&mut [0]) {
            Ok(bytes) => bytes == 0,
            Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
        }
    }
}
