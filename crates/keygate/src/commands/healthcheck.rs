//! `keygate healthcheck`: for containers without a shell, and for supervisors.

use super::gateway::Gateway;
use super::print;
use crate::cli::Healthcheck;
use crate::exit::Exit;

pub(crate) fn run(arguments: &Healthcheck) -> Exit {
    let path = if arguments.ready { "/readyz" } else { "/healthz" };
    match Gateway::find(&arguments.gateway).and_then(|gateway| gateway.look(path)) {
        Ok((is_well, answer)) => {
            print::line(answer["status"].as_str().unwrap_or(if is_well { "ok" } else { "not ok" }));
            if is_well { Exit::Done } else { Exit::Wrong }
        }
        Err(no_answer) => {
            print::remark(&no_answer.text);
            no_answer.exit
        }
    }
}
