//! Anam avatars as a translation: routes, credentials, faults, session tokens.
//!
//! Pure: no I/O, no clock, no state. What Anam answers and what follows from it is known from its
//! `OpenAPI` description and from the code of its SDKs; the rules are kept in one place each:
//! `routes` (what is served), `contract` and `engine` (where a caller has a say in where it goes),
//! `credentials` (what goes upstream), `faults` (what an answer says about a key), `remint` (what another
//! organisation can repeat), `belongings` (what answers show of an organisation), `labels` (how a lost start is
//! found), `rewrite` (what callers are told of engines), `refusals` (our own errors).

mod adapter;
mod avatar;
mod belongings;
mod bindings;
mod contract;
mod credentials;
mod engine;
mod faults;
mod labels;
mod personas;
mod references;
mod refusals;
mod remint;
mod rewrite;
mod routes;
mod session_token;
mod signalling;
mod talk;
mod target;
mod waits;

pub use adapter::ADAPTER;
