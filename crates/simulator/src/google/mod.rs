//! Simulated Gemini.

mod access;
mod batches;
mod bodies;
mod caches;
mod catalogue;
mod chat;
mod embed;
mod error;
mod files;
mod generate;
mod kept;
mod live;
mod models;
mod projects;
mod prompt;
mod routes;
mod rows;
mod serve;
mod tokens;
mod uploads;

pub(crate) use projects::GoogleWorld;
pub(crate) use routes::Route;
pub use rows::GoogleRow;
pub(crate) use serve::{error_body, record, scripted, serve};
