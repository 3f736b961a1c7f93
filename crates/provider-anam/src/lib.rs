//! Anam avatars as a translation: routes, credentials, faults, session tokens.
//!
//! Pure: no I/O, no clock, no state. What Anam answers and what follows from it is known from its
//! `OpenAPI` description and from the code of its SDKs; the rules are kept in one place each:
//! `routes` (what is served), `contract` and `talk` (where a caller has a say in where it goes),
//! `credentials` (what goes upstream), `faults` (what an answer says about a key), `remint` (what another
//! organisation can repeat), `rewrite` (what callers are told of engines), `refusals` (our own errors).

mod adapter;
mod avatar;
mod bindings;
mod contract;
mod credentials;
mod faults;
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
