//! The `keygate` binary: the catalogue of this build, and nothing else.

use std::process::ExitCode;

/// Requests are many small allocations on few threads, which is what it is best at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    keygate::run(keygate::CATALOGUE)
}
