//! From a path and a body to an intent.

mod body;
mod chosen;
mod claims;
mod effect;
mod form;
mod intent;
mod openai;
pub(crate) mod path;
mod resources;
mod route;
mod table;

pub(crate) use claims::claims;
pub(crate) use effect::Effect;
pub(crate) use intent::{chosen_name, understand};
pub(crate) use openai::ROWS as OPENAI_ROWS;
pub(crate) use path::encode;
pub(crate) use resources::verb_of;
pub(crate) use table::{ROWS, Row};
