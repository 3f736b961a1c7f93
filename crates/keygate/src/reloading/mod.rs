//! Another configuration while the gateway runs: when it is read, and how it comes into force.

mod difference;
mod events;
mod reading;
mod reloader;

use keygate_actors::clock;
use keygate_config::{Config, FileMarks, LoadRequest};
use keygate_http::{ConfigState, Rules};
use tokio::signal::unix::{Signal, SignalKind, signal};

pub(crate) use reloader::{Reloader, Surroundings};

/// What reading the configuration again takes.
pub(crate) struct Again {
    /// Where it is read from.
    pub(crate) request: LoadRequest,
    /// The files it came from, as they were.
    pub(crate) read: FileMarks,
}

/// The state of a gateway that has just started.
pub(crate) fn first_state() -> ConfigState {
    ConfigState { loaded_at: clock::now().wall, problem: None, needs_restart: Vec::new() }
}

/// What of a configuration the workers read.
pub(crate) fn rules(config: &Config, state: ConfigState) -> Rules {
    Rules {
        clients: config.clients.clone(),
        user_header: config.limits.user_header.clone(),
        assistant: config.assistant.clone(),
        answers: config.answers,
        cache: config.cache,
        low_keys: config.alerts.low_keys,
        providers: config.providers.clone(),
        status_public: config.server.status_public,
        max_body: config.server.max_body,
        max_upload: config.server.max_upload,
        public_url: config.server.public_url.clone(),
        tls: config.server.tls.clone(),
        cors: config.server.cors.clone(),
        state,
    }
}

/// SIGHUP, which ends a process that does not listen for it.
pub(crate) struct Hangups(Signal);

impl Hangups {
    /// Listens from here on.
    pub(crate) fn listen() -> std::io::Result<Self> {
        signal(SignalKind::hangup()).map(Self)
    }

    /// The next one.
    pub(crate) async fn next(&mut self) {
        self.0.recv().await;
    }
}
