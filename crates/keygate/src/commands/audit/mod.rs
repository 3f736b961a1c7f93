//! `keygate audit`: on the database itself, so that it works whether or not a gateway runs.

mod list;
mod verify;

use crate::cli::Audit;
use crate::commands::print;
use crate::exit::Exit;

pub(super) fn run(arguments: &Audit) -> Exit {
    let outcome = match arguments {
        Audit::List(arguments) => list::run(arguments),
        Audit::Verify(database) => verify::run(database),
    };
    outcome.unwrap_or_else(|failure| {
        print::remark(&failure.text);
        failure.exit
    })
}
