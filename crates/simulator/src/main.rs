//! `keygate-simulator`: simulated providers until the process is told to stop.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use keygate_simulator::{Population, SimConfig, Simulator};

/// Simulated Gemini and Anam over real sockets. Prints one line of JSON with its addresses.
#[derive(Parser)]
struct Arguments {
    /// Simulated seconds per real second; 0 stands still until `POST /__sim/clock`.
    #[arg(long, default_value_t = 1.0)]
    speed: f64,
    /// Where Gemini and `/__sim` listen.
    #[arg(long, default_value = "127.0.0.1:0")]
    google_bind: SocketAddr,
    /// Where Anam listens.
    #[arg(long, default_value = "127.0.0.1:0")]
    anam_bind: SocketAddr,
    /// Projects, organisations, keys and limits as JSON, in the form of `POST /__sim/keys`.
    #[arg(long)]
    config: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell when stderr is gone.
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> io::Result<()> {
    let population = match &arguments.config {
        Some(path) => serde_json::from_reader(io::BufReader::new(std::fs::File::open(path)?))?,
        None => Population::default(),
    };
    let Arguments { speed, google_bind, anam_bind, .. } = *arguments;
    let simulator =
        Simulator::start(SimConfig { google_bind, anam_bind, speed, population, ..SimConfig::default() })?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        writeln!(io::stdout(), "{}", serde_json::to_string(simulator.endpoints())?)?;
        tokio::select! { _ = terminated.recv() => Ok(()), interrupted = tokio::signal::ctrl_c() => interrupted }
    })
}
