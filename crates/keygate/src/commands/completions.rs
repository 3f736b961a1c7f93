//! `keygate completions`.

use clap::CommandFactory as _;

use super::print;
use crate::cli::{self, Completions};
use crate::exit::Exit;

pub(crate) fn run(arguments: &Completions) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut cli::Arguments::command(), "keygate", &mut script);
    print::line(String::from_utf8_lossy(&script).trim_end());
    Exit::Done
}
