//! From a path and a body to an intent.

mod body;
mod claims;
mod intent;
pub(crate) mod path;
mod route;

pub(crate) use claims::claims;
pub(crate) use intent::understand;
