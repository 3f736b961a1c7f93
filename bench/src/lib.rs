//! What the benchmark's programs share. `bench/run` starts them; `bench/README.md` says what is
//! measured and how to read it.

pub mod account;
#[cfg(feature = "gateway")]
pub mod answer;
#[cfg(feature = "gateway")]
pub mod load;
pub mod pool;
#[cfg(feature = "gateway")]
pub mod report;
#[cfg(feature = "gateway")]
pub mod traffic;
#[cfg(feature = "gateway")]
pub mod wire;
