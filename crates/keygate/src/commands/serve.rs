//! `keygate serve`.

use keygate_provider::Adapter;
use serde_json::json;

use super::print;
use crate::cli::Serve;
use crate::exit::Exit;
use crate::serving;
use crate::wiring;

pub(crate) fn run(arguments: &Serve, catalogue: &'static [Adapter]) -> Exit {
    let loaded = match wiring::load(&arguments.source, catalogue) {
        Ok(loaded) => loaded,
        Err(problems) => {
            print::remark(&problems.to_string());
            return Exit::Usage;
        }
    };
    let wants_json = arguments.ready_json;
    serving::run(loaded, catalogue, |address| {
        if wants_json {
            print::line(&json!({ "listening": format!("http://{address}") }).to_string());
        }
    })
}
