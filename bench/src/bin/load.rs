//! Sends load to one contestant and prints what was measured as one JSON line.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use keygate_bench::load::{self, Plan};
use keygate_bench::report::Line;
use keygate_bench::traffic::Kind;
use tokio::runtime::Builder;
use tokio::task::LocalSet;

/// Sends load to one contestant on loopback.
#[derive(Parser)]
struct Arguments {
    /// Where the contestant listens; loopback only.
    #[arg(long)]
    address: SocketAddr,
    /// What is asked for.
    #[arg(long, value_enum, default_value = "chat")]
    kind: Kind,
    /// Warm keep-alive connections.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1024))]
    connections: u16,
    /// Requests a second; without it each connection sends as fast as it is answered.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: Option<u32>,
    /// How long to send.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Uncounted requests on each connection first.
    #[arg(long, default_value_t = 20)]
    warm_up: u32,
    /// Most requests counted.
    #[arg(long, default_value_t = 5_000_000)]
    most_requests: usize,
    /// How many users speak in turn.
    #[arg(long, default_value_t = 1_000)]
    users: u32,
    /// The gateway token.
    #[arg(long)]
    token: Option<String>,
    /// A process of the contestant, to be accounted; may be repeated.
    #[arg(long = "pid")]
    pids: Vec<u32>,
    /// The contestant's name in the result.
    #[arg(long, default_value = "contestant")]
    contestant: String,
    /// The scenario's name in the result.
    #[arg(long, default_value = "scenario")]
    scenario: String,
}

fn main() -> ExitCode {
    match measure(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to be told when standard error is gone.
            let _ = writeln!(io::stderr(), "load: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(arguments: Arguments) -> io::Result<()> {
    if !arguments.address.ip().is_loopback() {
        return Err(io::Error::other("this load is for loopback only"));
    }
    let plan = Plan {
        address: arguments.address,
        kind: arguments.kind,
        connections: arguments.connections.into(),
        rate: arguments.rate,
        duration: Duration::from_secs(arguments.seconds),
        warm_up: arguments.warm_up,
        most_requests: arguments.most_requests,
        users: arguments.users,
        token: arguments.token,
        pids: arguments.pids,
    };
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let measured = LocalSet::new().block_on(&runtime, load::run(&plan))?;
    let line = Line { contestant: arguments.contestant, scenario: arguments.scenario, measured };
    writeln!(io::stdout(), "{}", serde_json::to_string(&line)?)
}
