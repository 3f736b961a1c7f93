//! Simulated Anam: its API and its engines.

mod catalogue;
mod engine;
mod knowledge;
mod organizations;
mod routes;
mod rows;
mod serve;
mod sessions;
mod start;
mod tokens;

pub(crate) use organizations::AnamWorld;
pub(crate) use routes::Route;
pub use rows::AnamRow;
pub(crate) use serve::{record, scripted, serve};
