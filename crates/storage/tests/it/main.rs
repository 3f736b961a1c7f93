//! The database on real files: what is kept, and what is refused without being touched.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod answers;
mod folder;
mod keeping;
mod refusing;
