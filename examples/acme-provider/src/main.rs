//! A build of keygate with a third provider: the catalogue is the only thing that differs.

use std::process::ExitCode;

use keygate_provider::Adapter;

static CATALOGUE: [Adapter; 3] = [keygate::CATALOGUE[0], keygate::CATALOGUE[1], acme_provider::ADAPTER];

fn main() -> ExitCode {
    keygate::run(&CATALOGUE)
}
