//! Loading a configuration as the binary does: files in a folder, an environment, a catalogue.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod alerts;
mod avatars;
mod files;
mod house;
mod keys;
mod layers;
mod mistakes;
mod problems;
mod shipped;
mod tokens;
mod values;
