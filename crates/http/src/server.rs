//! Opens the door: binds, starts the workers, and runs until told to stop.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use actix_web::{App, HttpServer, web};
use keygate_actors::clock;
use keygate_config::ServerConfig;
use keygate_journey::Switchboard;
use keygate_upstream::{ClientSettings, ClientUnusable, UpstreamClient};
use thiserror::Error;

use crate::departure::Departure;
use crate::front::{Crew, FrontSettings};
use crate::house_routes::house_routes;
use crate::worker::Station;
use crate::{cors, line, tls};

/// How long an idle connection of a caller is kept. Backends keep theirs in pools for minutes;
/// closing one under a request that was just written is an error they see.
const KEEP_ALIVE: Duration = Duration::from_mins(2);

/// Why the door stays shut.
#[derive(Debug, Error)]
pub enum FrontError {
    /// The address is taken, or not ours.
    #[error("cannot listen on {address}; choose another with --bind or server.bind")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The HTTP client cannot be built.
    #[error(transparent)]
    Client(#[from] ClientUnusable),
    /// TLS cannot be set up here.
    #[error("cannot set up TLS for clients")]
    Tls(#[source] rustls::Error),
    /// A worker does not come up.
    #[error("the workers cannot be started")]
    Workers(#[source] io::Error),
}

/// An open door.
pub struct Front {
    server: Server,
    address: SocketAddr,
    crew: Crew,
    switchboard: Switchboard,
    departure: Departure,
    delay: Duration,
    grace: Duration,
}

/// What closes a door from elsewhere.
#[derive(Clone)]
pub struct FrontHandle {
    server: ServerHandle,
    switchboard: Switchboard,
    departure: Departure,
    delay: Duration,
    grace: Duration,
}

impl FrontHandle {
    /// Says that it leaves: readiness is red from here on, and every answer asks its caller to connect anew. Whoever
    /// comes is still let in, for as long as whoever sends them here takes to look elsewhere.
    pub async fn announce(&self) {
        self.departure.begin();
        if !self.delay.is_zero() {
            actix_web::rt::time::sleep(self.delay).await;
        }
    }

    /// Lets nobody in any more, and waits until whoever is inside has been served, for the configured
    /// time at most. Connections that would go on for longer are told when they end, and end a little
    /// earlier than they would be cut.
    pub async fn stop(&self) {
        self.departure.begin();
        self.switchboard.leave(clock::now().after(self.grace.saturating_sub(last_moments(self.grace))));
        self.server.stop(true).await;
    }
}

/// What is left of the grace for saying goodbye.
fn last_moments(grace: Duration) -> Duration {
    (grace / 4).min(Duration::from_secs(5))
}

impl Front {
    /// Binds and starts the workers.
    ///
    /// # Errors
    /// [`FrontError`] when the address cannot be bound, no HTTP client can be built, or no worker
    /// comes up.
    pub async fn open(settings: FrontSettings) -> Result<Self, FrontError> {
        let server = settings.server.clone();
        let asked = server.bind;
        let settings = Arc::new(settings);
        // Workers build their client inside a factory that can only panic: find out here first.
        UpstreamClient::new(ClientSettings::default())?;
        let answering = || tls::answering(&settings.board).map_err(FrontError::Tls);
        let tls = server.tls.is_some().then(answering).transpose()?;
        let switchboard = Switchboard::default();
        let its_switchboard = switchboard.clone();
        let departure = Departure::default();
        let its_departure = departure.clone();
        let crew = Arc::new(OnceLock::new());
        let its_crew = Arc::clone(&crew);
        let bound = HttpServer::new(move || {
            #[expect(
                clippy::expect_used,
                reason = "the same client was built above, before any worker started"
            )]
            let client = UpstreamClient::new(ClientSettings::default())
                .expect("the HTTP client was built once already");
            let crew = its_crew.get_or_init(|| (settings.start_crew)());
            let station =
                Station::new(&settings, crew.clone(), client, its_switchboard.clone(), its_departure.clone());
            App::new()
                .app_data(web::Data::new(station))
                .configure(house_routes)
                .default_service(web::to(cors::proxy))
        })
        .on_connect(line::hold)
        .workers(count(server.workers))
        .max_connections(connections_per_worker(&server))
        .keep_alive(KEEP_ALIVE)
        .client_request_timeout(server.request_head_timeout)
        .shutdown_timeout(server.shutdown_grace.as_secs())
        .disable_signals()
        .tcp_nodelay(true);
        let bound = match tls {
            Some(tls) => bound.bind_rustls_0_23(asked, tls),
            None => bound.bind(asked),
        };
        let bound = bound.map_err(|source| FrontError::Bind { address: asked, source })?;
        let address = bound.addrs().first().copied().unwrap_or(asked);
        let mut running = bound.run();
        start_workers(&mut running).await.map_err(FrontError::Workers)?;
        let crew =
            crew.get().cloned().ok_or_else(|| FrontError::Workers(io::Error::other("none came up")))?;
        let (delay, grace) = (server.shutdown_delay, server.shutdown_grace);
        Ok(Self { server: running, address, crew, switchboard, departure, delay, grace })
    }

    /// The actors that requests ask.
    pub fn crew(&self) -> &Crew {
        &self.crew
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops it from elsewhere.
    pub fn handle(&self) -> FrontHandle {
        FrontHandle {
            server: self.server.handle(),
            switchboard: self.switchboard.clone(),
            departure: self.departure.clone(),
            delay: self.delay,
            grace: self.grace,
        }
    }

    /// Serves until stopped.
    ///
    /// # Errors
    /// When the accept loop fails.
    pub async fn run(self) -> io::Result<()> {
        self.server.await
    }
}

/// The workers are started when the server is polled for the first time, and are there when that
/// returns.
async fn start_workers(server: &mut Server) -> io::Result<()> {
    match poll_fn(|cx| Poll::Ready(Pin::new(&mut *server).poll(cx))).await {
        Poll::Pending => Ok(()),
        Poll::Ready(ended) => ended.and(Err(io::Error::other("the server ended at once"))),
    }
}

/// Operators count the sockets of the process, actix-web those of each worker.
fn connections_per_worker(server: &ServerConfig) -> usize {
    share(server.max_connections, server.workers)
}

/// Never less than asked for in all, so a few more where it does not divide.
fn share(of: NonZeroU32, among: NonZeroU32) -> usize {
    count(of).div_ceil(count(among))
}

fn count(configured: NonZeroU32) -> usize {
    usize::try_from(configured.get()).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_shared_out_among_the_workers() {
        let check = |connections, workers, expected| {
            let number = |n| NonZeroU32::new(n).unwrap();
            assert_eq!(share(number(connections), number(workers)), expected, "{connections} / {workers}");
        };
        check(10_000, 2, 5_000);
        check(7, 3, 3);
        check(1, 8, 1);
    }
}
