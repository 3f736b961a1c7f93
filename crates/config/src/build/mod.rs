//! From sections that were read to a configuration that is valid: what one value means beside
//! another. Everything that is wrong is noted, nothing stops at the first problem.

mod alerts;
mod answers;
mod assistant;
mod clients;
mod limits;
mod options;
mod plans;
mod probe;
mod provider;
mod providers;
mod rotation;
mod secret_text;
mod server;
mod session_keepers;
mod standing_in;
mod storage;
mod telemetry;
mod tls;

pub(crate) use answers::answers;
pub(crate) use plans::build as plans;
pub(crate) use storage::build as storage;

use crate::config::Config;
use crate::effective::Effective;
use crate::key_reader::Sources;
use crate::layers::Layers;
use crate::problem::{Findings, Place};
use crate::schema::Sections;
use keygate_provider::Adapter;

/// What sections are judged with.
pub(crate) struct Judge<'a> {
    pub(crate) layers: &'a Layers,
    pub(crate) sources: Sources<'a>,
    pub(crate) allow_empty: bool,
    pub(crate) findings: &'a mut Findings,
}

impl Judge<'_> {
    /// Where a setting was set, for a dotted path without lists.
    fn place(&self, path: &str) -> Place {
        self.layers.place(&segments(path))
    }

    /// Notes a problem with a setting unless `holds`.
    fn require(&mut self, holds: bool, path: &str, what: &str, remedy: &str) {
        if !holds {
            let place = self.place(path);
            self.findings.blame(&segments(path), place, format!("`{path}` {what}"), remedy);
        }
    }
}

fn segments(path: &str) -> Vec<String> {
    path.split('.').map(str::to_owned).collect()
}

/// Judges every section; also says what cannot be seen in them, such as the keys that were read. The provider sections get what they
/// take from the catalogue filled in.
pub(crate) fn config(
    sections: &mut Sections,
    catalogue: &[Adapter],
    judge: &mut Judge<'_>,
) -> (Config, Vec<Effective>) {
    let server = server::build(&sections.server, judge);
    let plans = plans(&sections.plans, judge);
    let (clients, mut shown) = clients::build(&sections.clients, &plans, server.bind, judge);
    let limits = limits::build(&mut sections.limits, judge);
    let assistant = assistant::build(&sections.assistant, judge);
    let (answers, cache) = (answers(&sections.answers), answers::cache(&sections.cache, judge));
    let storage = storage(&sections.storage, judge);
    let telemetry = telemetry::build(&sections.telemetry, judge);
    let alerts = alerts::build(&sections.alerts, judge);
    let names: Vec<&str> = catalogue.iter().map(|adapter| adapter.name.as_str()).collect();
    let session_keepers = session_keepers::build(&sections.session_keepers, &names, judge);
    let (providers, keys) = providers::build(&mut sections.providers, catalogue, judge);
    shown.extend(keys);
    let config = Config {
        server,
        clients,
        limits,
        plans,
        assistant,
        answers,
        cache,
        storage,
        telemetry,
        alerts,
        session_keepers,
        providers,
    };
    (config, shown)
}
