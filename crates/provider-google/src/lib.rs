//! Google Gemini as a translation: which requests it takes, how they are asked for with a pooled
//! key, what its answers say about that key, and what they cost.
//!
//! Two surfaces share one upstream: the native one (`/v1beta/models/…`) and the OpenAI-compatible
//! one (`/v1beta/openai/…`, also reachable as `/openai/v1/…`). Nothing in here opens a socket,
//! reads a clock or keeps state between requests. Files go up and down on [`uploads`]' own routes, and Live is
//! spoken over WebSockets. Everything else of Google (caches, batches, Interactions) is claimed, so that its
//! refusal has the native shape, and refused.

mod adapter;
mod credentials;
mod faults;
mod live;
mod operations;
mod query;
mod refusals;
mod routes;
mod surface;
mod uploads;
mod usage;

pub use adapter::ADAPTER;
