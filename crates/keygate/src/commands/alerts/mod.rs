//! `keygate alerts`.

mod list;
mod test;

use keygate_provider::Adapter;

use crate::cli::Alerts;
use crate::exit::Exit;

pub(super) fn run(command: &Alerts, catalogue: &[Adapter]) -> Exit {
    match command {
        Alerts::List(arguments) => list::run(arguments),
        Alerts::Test(arguments) => test::run(arguments, catalogue),
    }
}
