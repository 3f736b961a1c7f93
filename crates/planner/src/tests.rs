//! Plans, and what they promise.

mod advice;
mod properties;
mod stories;
mod world;
