//! The house as a program: command line, wiring, signals, exit codes.
//!
//! A library beside the binary, so that a build with further providers is a `main` of its own with
//! a longer catalogue (see `examples/acme-provider`).

mod alerting;
mod answers;
mod catalogue;
mod cli;
mod commands;
mod earlier_use;
mod environment;
mod exit;
mod last_signs;
mod ledger_keeping;
mod memory;
mod probing;
mod reloading;
mod serving;
mod session_keeping;
mod shutdown;
mod token_clerk;
mod wiring;

use std::process::ExitCode;

use clap::Parser;
use keygate_provider::Adapter;

pub use catalogue::CATALOGUE;
pub use exit::Exit;

/// Runs the command line with `catalogue` as the providers known.
pub fn run(catalogue: &'static [Adapter]) -> ExitCode {
    match cli::Arguments::try_parse() {
        Ok(arguments) => commands::run(arguments.command, catalogue).into(),
        Err(refused) => {
            // Help and version come this way too; a closed pipe is no reason to fail.
            let _ = refused.print();
            if refused.use_stderr() { Exit::Usage.into() } else { Exit::Done.into() }
        }
    }
}
