//! `keygate serve`.

use keygate_provider::Adapter;
use serde_json::json;

use super::print;
use crate::cli::Serve;
use crate::exit::Exit;
use crate::reloading::Again;
use crate::serving;
use crate::wiring;

pub(crate) fn run(arguments: &Serve, catalogue: &'static [Adapter]) -> Exit {
    let request = wiring::request(&arguments.source);
    let reading = keygate_config::read(request.clone(), catalogue);
    let loaded = match reading.outcome {
        Ok(loaded) => loaded,
        Err(problems) => {
            print::remark(&problems.to_string());
            return Exit::Usage;
        }
    };
    // Where each of thousands of keys came from is for `keygate check`, and would be kept until the house stands.
    let loaded = keygate_config::Loaded { sources: Vec::new(), ..loaded };
    let wants_json = arguments.ready_json;
    let scheme = if loaded.config.server.tls.is_some() { "https" } else { "http" };
    let again = Again { request, read: reading.marks };
    serving::run(loaded, again, catalogue, |address| {
        if wants_json {
            print::line(&json!({ "listening": format!("{scheme}://{address}") }).to_string());
        }
    })
}
