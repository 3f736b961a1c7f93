//! The database on real files and a real server: what is kept, and what is refused without being
//! touched.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]

mod answers;
mod auditing;
mod backup;
mod folder;
mod house;
mod keeping;
mod ledger;
mod notes;
mod outage;
#[path = "../../../../tests/src/postgres.rs"]
#[expect(dead_code, reason = "the house tests use all of it")]
mod postgres;
mod refusing;
mod refusing_server;
mod tls;
mod tokens;
