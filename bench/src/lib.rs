//! What the benchmark's programs share. `bench/run` starts them; `bench/README.md` says what is
//! measured and how to read it.

pub mod account;
pub mod answer;
pub mod load;
pub mod report;
pub mod traffic;
pub mod wire;
