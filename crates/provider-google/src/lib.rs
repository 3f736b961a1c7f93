//! Google Gemini as a translation: which requests it takes, how they are asked for with a pooled
//! key, what its answers say about that key, and what they cost.
//!
//! Three dialects share one upstream: the native one (`/v1beta/models/…`), Interactions
//! (`/v1beta/interactions`) and the OpenAI-compatible one (`/v1beta/openai/…`, also reachable as
//! `/openai/v1/…`). Nothing in here opens a socket, reads a clock or keeps state between requests. Files go up
//! and down on [`uploads`]' own routes, and Live is spoken over WebSockets.
//!
//! What a project keeps (files, caches, batches, stores, interactions) is asked for by [`routes`]; what a
//! request names of it is found by [`references`], and whose that is follows from what [`bindings`] saw in
//! answers. [`lists`] puts the lists of several projects together. [`standing_in`] is for when the model that was
//! asked cannot answer, or has before. [`transcript`] reads what is said in a request and its answer.

mod adapter;
mod bindings;
mod credentials;
mod faults;
mod lists;
mod live;
mod members;
mod openai;
mod operations;
mod query;
mod references;
mod refusals;
mod routes;
mod standing_in;
mod surface;
mod transcript;
mod uploads;
mod usage;

pub use adapter::ADAPTER;
