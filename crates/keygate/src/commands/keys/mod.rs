//! `keygate keys`.

mod explain;

use crate::cli::Keys;
use crate::exit::Exit;

pub(crate) fn run(command: &Keys) -> Exit {
    match command {
        Keys::Explain(arguments) => explain::run(arguments),
    }
}
