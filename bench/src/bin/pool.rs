//! Measures the key pool by itself and prints a table: `cargo run --release -p keygate-bench
//! --no-default-features --bin pool [ROUNDS]`.

use std::io;
use std::process::ExitCode;

use keygate_bench::pool;

/// As in keygate itself.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Requests in a round.
const TIMES: u32 = 20_000;

fn main() -> io::Result<ExitCode> {
    let rounds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(15);
    // First, while there is nothing else in memory.
    let others = pool::memory()?;
    let mut cases = pool::cases();
    for _ in 0..rounds {
        // One after the other, so that a slow minute of the machine is everybody's.
        cases.iter_mut().for_each(|case| case.round(TIMES));
    }
    let mut rows: Vec<pool::Row> = cases.iter().map(pool::Case::row).collect();
    rows.extend(pool::queues(rounds));
    let all_met = pool::print(&mut io::stdout(), &rows, &others)?;
    Ok(if all_met { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
