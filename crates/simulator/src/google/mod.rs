//! Simulated Gemini.

mod access;
mod batches;
mod bodies;
mod caches;
mod catalogue;
mod chat;
mod compatible;
mod continuation;
mod downloads;
mod embed;
mod error;
mod files;
mod generate;
mod interactions;
mod kept;
mod live;
mod models;
mod multipart;
mod operation;
mod projects;
mod prompt;
mod routes;
mod rows;
mod serve;
mod tokens;
mod tools;
mod upload_protocol;
mod uploads;

pub use downloads::GeneratedFile;
pub(crate) use downloads::make as make_file;
pub(crate) use projects::GoogleWorld;
pub(crate) use routes::Route;
pub use rows::GoogleRow;
pub(crate) use serve::{error_in_stream, record, scripted, serve};
pub(crate) use uploads::Sink;
