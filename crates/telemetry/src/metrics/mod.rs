//! What a process counts, and how a scraper reads it.
//!
//! Three decisions shape it:
//! - **A worker counts for itself.** Its series are atomics that nobody else writes to, so counting is a load
//!   and a store, never a lock and never a line of memory that two workers fight for. A scrape adds the
//!   workers' series up.
//! - **A worker's handles never leave it** ([`WorkerMetrics`], [`RequestMetrics`] are not `Send`): that nobody
//!   else writes is checked by the compiler.
//! - **Labels are bounded.** Operations are the adapters' own constants, a model becomes a label once a provider
//!   has served it, up to a bound, and what is counted beyond the bounds is counted as `other`. Users, clients
//!   and requests are no labels; exemplars lead from a bucket to a trace.
//!
//! Every name stands in [`table`]; a page is written for scrapers (`page`) or as OTLP has it (`otlp`). What is no count but a state (keys, budgets, queues) is not kept here: whoever
//! answers a scrape puts it on the [`Page`] at that moment.

mod gather;
mod histogram;
mod otlp;
mod page;
mod registry;
mod request;
mod series;
pub mod table;

pub use page::{Format, Page};
pub use registry::{Metrics, Reload, WorkerMetrics};
pub use request::{AttemptLabels, RequestMetrics, Served, Streaming};
pub use table::{Family, Kind};

#[cfg(test)]
mod tests;
