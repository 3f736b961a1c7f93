//! Traces on their way out, by OTLP.

mod pipeline;
mod redacting;

pub(crate) use pipeline::Pipeline;
