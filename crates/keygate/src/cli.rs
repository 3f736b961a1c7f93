//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::commands::PlanArguments;

/// A gateway that serves AI providers through pools of API keys.
#[derive(Debug, Parser)]
#[command(name = "keygate", version, about, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done, 64 the configuration or command line is wrong, \
    69 something needed cannot be reached, 70 internal error.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the gateway.
    Serve(Serve),
    /// Run the gateway with simulated providers on loopback and show what happens; needs no keys.
    Demo(Demo),
    /// Validate the configuration and print the effective one with where each value came from.
    Check(Check),
    /// Run the pool on a virtual clock: what a traffic would meet, which budget binds first, and the smallest
    /// quota that is enough. See docs/planning.md.
    Plan(Box<PlanArguments>),
    /// Print the JSON Schema of the YAML file, for editors.
    Schema,
}

/// Where the configuration is.
#[derive(Debug, Clone, Args)]
pub(crate) struct Source {
    /// The YAML file [default: ./keygate.yaml, then ./config/keygate.yaml, then built-in defaults].
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Where to listen, over `server.bind`.
    #[arg(long, value_name = "ADDR")]
    pub(crate) bind: Option<SocketAddr>,
    /// Go on when a configured provider has no key.
    #[arg(long)]
    pub(crate) allow_empty: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    pub(crate) source: Source,
    /// Print one JSON line with the address on stdout once ready, for scripts.
    #[arg(long)]
    pub(crate) ready_json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) source: Source,
    /// Print JSON instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Exit after the story instead of running until Ctrl-C.
    #[arg(long)]
    pub(crate) once: bool,
    /// Where the gateway listens.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub(crate) bind: SocketAddr,
}
