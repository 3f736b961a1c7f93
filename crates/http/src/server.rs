//! Opens the door: binds, starts the workers, and runs until told to stop.

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use actix_web::{App, HttpServer, web};
use keygate_config::ServerConfig;
use keygate_upstream::{ClientSettings, ClientUnusable, UpstreamClient};
use thiserror::Error;
use tokio::sync::watch;

use crate::front::{Crew, FrontSettings};
use crate::house_routes::house_routes;
use crate::worker::Station;
use crate::{line, proxy};

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
}

/// An open door.
pub struct Front {
    server: Server,
    address: SocketAddr,
    crew: watch::Receiver<Option<Crew>>,
}

impl Front {
    /// Binds and starts the workers.
    ///
    /// # Errors
    /// [`FrontError`] when the address cannot be bound or no HTTP client can be built.
    pub fn open(settings: FrontSettings) -> Result<Self, FrontError> {
        let server = settings.server.clone();
        let asked = server.bind;
        let settings = Arc::new(settings);
        // Workers build their client inside a factory that can only panic: find out here first.
        UpstreamClient::new(ClientSettings::default())?;
        let (its_crew, crew) = watch::channel(None);
        let bound = HttpServer::new(move || {
            #[expect(
                clippy::expect_used,
                reason = "the same client was built above, before any worker started"
            )]
            let client = UpstreamClient::new(ClientSettings::default())
                .expect("the HTTP client was built once already");
            let station = Station::new(&settings, crew_of(&its_crew, &settings), client);
            App::new()
                .app_data(web::Data::new(station))
                .configure(house_routes)
                .default_service(web::to(proxy::proxy))
        })
        .on_connect(line::hold)
        .workers(count(server.workers))
        .max_connections(connections_per_worker(&server))
        .keep_alive(KEEP_ALIVE)
        .client_request_timeout(server.request_head_timeout)
        .shutdown_timeout(server.shutdown_grace.as_secs())
        .disable_signals()
        .tcp_nodelay(true)
        .bind(asked)
        .map_err(|source| FrontError::Bind { address: asked, source })?;
        let address = bound.addrs().first().copied().unwrap_or(asked);
        Ok(Self { server: bound.run(), address, crew })
    }

    /// Waits for the actors that requests ask. The first worker starts them, and workers start with
    /// [`Front::run`]; without any worker this waits for ever, and running the front tells why.
    pub fn crew(&self) -> impl Future<Output = Crew> + use<> {
        let mut started = self.crew.clone();
        async move {
            let crew = started.wait_for(Option::is_some).await.ok().and_then(|crew| crew.clone());
            match crew {
                Some(crew) => crew,
                None => std::future::pending().await,
            }
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops it from elsewhere.
    pub fn handle(&self) -> ServerHandle {
        self.server.handle()
    }

    /// Serves until stopped.
    ///
    /// # Errors
    /// When the accept loop fails.
    pub async fn run(self) -> io::Result<()> {
        self.server.await
    }
}

/// The crew, started by whichever worker comes first.
fn crew_of(place: &watch::Sender<Option<Crew>>, settings: &FrontSettings) -> Crew {
    place.send_if_modified(|crew| {
        let is_first = crew.is_none();
        crew.get_or_insert_with(|| (settings.start_crew)());
        is_first
    });
    #[expect(clippy::expect_used, reason = "it was put there by the lines above")]
    let crew = place.borrow().clone().expect("the crew was started");
    crew
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
