//! One file per command.

mod alerts;
mod answers;
mod audit;
mod check;
mod completions;
mod database;
mod db;
mod demo;
mod gateway;
mod healthcheck;
mod keys;
mod moment;
mod plan;
pub(crate) mod print;
mod schema;
mod serve;
mod session_keepers;
mod span;
mod tokens;
mod usage;

use keygate_provider::Adapter;

pub(crate) use plan::PlanArguments;

use crate::cli::Command;
use crate::exit::Exit;

pub(crate) fn run(command: Command, catalogue: &'static [Adapter]) -> Exit {
    match command {
        Command::Serve(arguments) => serve::run(&arguments, catalogue),
        Command::Demo(arguments) => demo::run(&arguments, catalogue),
        Command::Check(arguments) => check::run(&arguments, catalogue),
        Command::Plan(arguments) => plan::run(&arguments, catalogue),
        Command::Keys(arguments) => keys::run(&arguments, catalogue),
        Command::Db(command) => db::run(&command),
        Command::Tokens(arguments) => tokens::run(&arguments),
        Command::Usage(arguments) => usage::run(&arguments),
        Command::Audit(arguments) => audit::run(&arguments),
        Command::Answers(command) => answers::run(&command, catalogue),
        Command::Alerts(command) => alerts::run(&command, catalogue),
        Command::SessionKeepers(command) => session_keepers::run(&command),
        Command::Schema => schema::run(),
        Command::Healthcheck(arguments) => healthcheck::run(&arguments),
        Command::Completions(arguments) => completions::run(&arguments),
    }
}
