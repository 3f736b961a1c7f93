//! Measures the key pool by itself and prints a table: `cargo run --release -p keygate-bench
//! --no-default-features --bin pool [ROUNDS [PART-OF-A-NAME]]`.

use std::io;
use std::process::ExitCode;

use keygate_bench::pool;

/// As in keygate itself.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> io::Result<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    let rounds = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(40);
    let part = arguments.next().unwrap_or_default();
    // First, while there is nothing else in memory.
    let others = pool::memory()?;
    let mut cases = pool::cases(&part);
    for _ in 0..rounds {
        // One after the other, so that a slow minute of the machine is everybody's.
        cases.iter_mut().for_each(pool::Case::round);
    }
    let mut rows: Vec<pool::Row> = cases.iter().map(pool::Case::row).collect();
    if part.is_empty() || part == "queue" {
        rows.extend(pool::queues(rounds));
    }
    let all_met = pool::print(&mut io::stdout(), &rows, &others)?;
    Ok(if all_met { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
