//! Traces and metrics on their way out, by OTLP.

mod deliveries;
mod identity;
mod pipeline;
mod push;
mod redacting;
mod way;

pub use deliveries::Deliveries;
pub(crate) use identity::resource;
pub(crate) use pipeline::Pipeline;
pub use push::{MetricsPush, MetricsSource};
pub(crate) use push::{Outlet, tell_unusable};
