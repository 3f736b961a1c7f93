//! `keygate tokens`: on the database itself, so that it works whether or not a gateway runs.

mod create;
mod list;
mod revoke;

use crate::cli::Tokens;
use crate::commands::print;
use crate::exit::Exit;

pub(super) fn run(arguments: &Tokens) -> Exit {
    let outcome = match arguments {
        Tokens::Create(arguments) => create::run(arguments),
        Tokens::List(database) => list::run(database),
        Tokens::Revoke(arguments) => revoke::run(arguments),
    };
    match outcome {
        Ok(()) => Exit::Done,
        Err(failure) => {
            print::remark(&failure.text);
            failure.exit
        }
    }
}
