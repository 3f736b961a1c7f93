//! Answering when the model that was asked cannot: what a user asks, a stored text as an answer, the same
//! request of another model, and which answers may be given again.

mod other_model;
mod question;
mod reply;
mod sameness;

pub(crate) use other_model::of_other_model;
pub(crate) use question::question;
pub(crate) use reply::stored_reply;
pub(crate) use sameness::{may_be_given_again, sameness};

use serde_json::Value;

/// Largest body that is read for these purposes, in bytes. What is larger is media.
const MOST_BODY_BYTES: usize = 1024 * 1024;

/// The body, if it is of a size to be read and an object.
fn body_of(body: &[u8]) -> Option<Value> {
    let body = Some(body).filter(|body| body.len() <= MOST_BODY_BYTES)?;
    serde_json::from_slice(body).ok().filter(Value::is_object)
}

/// The first member of these names that says anything. Google takes both spellings of a name.
fn any<'v>(object: &'v Value, names: &[&str]) -> Option<&'v Value> {
    names.iter().find_map(|name| object.get(*name).filter(|value| !value.is_null()))
}

/// Whether a tool may be called.
fn offers_tools(body: &Value) -> bool {
    ["tools", "functions"].iter().any(|name| match body.get(*name) {
        None | Some(Value::Null) => false,
        Some(Value::Array(tools)) => !tools.is_empty(),
        Some(_) => true,
    })
}
