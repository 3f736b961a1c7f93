//! What one run measured, and the line it is kept in.

use serde::{Deserialize, Serialize};

/// The figures of one run of load against one contestant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Answers as they should be.
    pub good: u64,
    /// Everything else.
    pub bad: u64,
    /// The first thing that went wrong.
    pub complaint: Option<String>,
    /// How long the run took.
    pub seconds: f64,
    /// User and system time of the contestant during the run.
    pub cpu_us: u64,
    /// The most memory the contestant ever had resident, until the end of the run.
    pub peak_kib: u64,
    /// Median latency.
    pub p50_us: f64,
    /// 99th percentile of the latency.
    pub p99_us: f64,
    /// Median time to the first payload byte.
    pub first_p50_us: f64,
    /// 99th percentile of the time to the first payload byte.
    pub first_p99_us: f64,
}

/// One run in the file of results, one JSON object a line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Who was measured.
    pub contestant: String,
    /// Under which load.
    pub scenario: String,
    /// What came of it.
    pub measured: Measured,
}
