//! A listener and its connections.

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::spawn_local;

use super::serve::serve;
use super::socket::{ResetSwitch, Socket};
use crate::world::Shared;

/// Which listener a request came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Door {
    /// `generativelanguage.googleapis.com`, and `/__sim`.
    Google,
    /// `api.anam.ai`.
    Anam,
    /// `connect.anam.ai`: engines.
    Engine,
}

/// Accepts connections for ever. A failed accept is a client's that left; the next one comes.
pub(crate) async fn accept(listener: TcpListener, door: Door, world: Shared) {
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            spawn_local(talk(stream, door, world.clone()));
        } else {
            tokio::task::yield_now().await;
        }
    }
}

async fn talk(stream: TcpStream, door: Door, world: Shared) {
    let reset = ResetSwitch::default();
    let Ok(socket) = Socket::new(stream, reset.clone()) else { return };
    let service =
        service_fn(move |request: Request<Incoming>| serve(request, door, world.clone(), reset.clone()));
    let connection =
        http1::Builder::new().header_read_timeout(None).serve_connection(TokioIo::new(socket), service);
    // How a connection ends is the client's or the script's business, and counted where it shows.
    let _ = connection.with_upgrades().await;
}
