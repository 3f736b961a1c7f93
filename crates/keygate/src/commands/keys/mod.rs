//! `keygate keys`.

mod change;
mod check;
mod configured;
mod doctor;
mod explain;
mod list;
mod switch;
mod words;

use keygate_provider::Adapter;

use crate::cli::Keys;
use crate::commands::database::Failure;
use crate::commands::print;
use crate::exit::Exit;

pub(crate) fn run(command: &Keys, catalogue: &'static [Adapter]) -> Exit {
    let outcome = match command {
        Keys::List(arguments) => list::run(arguments, catalogue),
        Keys::Check(arguments) => check::run(arguments, catalogue),
        Keys::Explain(arguments) => return explain::run(arguments),
        Keys::Add(arguments) => change::add(arguments, catalogue),
        Keys::Remove(arguments) => change::remove(arguments, catalogue),
        Keys::Set(arguments) => change::set(arguments, catalogue),
        Keys::Reset(arguments) => switch::reset(arguments),
        Keys::Disable(arguments) => switch::disable(arguments),
        Keys::Enable(arguments) => switch::enable(arguments),
        Keys::Doctor(arguments) => doctor::run(arguments, catalogue),
    };
    outcome.unwrap_or_else(|Failure { exit, text }| {
        print::remark(&text);
        exit
    })
}
