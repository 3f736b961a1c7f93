//! The first frame: `{"setup": {"model": "models/…", "sessionResumption": {"handle": "…"}}}`.

use std::borrow::Cow;

use keygate_domain::{ErrorKind, Intent, ModelName, Resource};
use keygate_provider::CallRejected;
use serde::Deserialize;

use crate::references;

/// The kind of resource a resumption handle is.
const HANDLE: &str = "live_handle";

/// Longest model name taken, in bytes; Google's own are below 64.
const MAX_MODEL_BYTES: usize = 256;

#[derive(Deserialize)]
struct First<'a> {
    #[serde(borrow)]
    setup: Option<Setup<'a>>,
}

#[derive(Deserialize)]
struct Setup<'a> {
    #[serde(borrow)]
    model: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "sessionResumption", alias = "session_resumption")]
    resumption: Option<Resumption<'a>>,
}

#[derive(Deserialize)]
struct Resumption<'a> {
    #[serde(borrow)]
    handle: Option<Cow<'a, str>>,
}

/// What is wanted, now that the first frame is here. What is no setup goes to the provider as it is: its
/// words about it are better than any of ours.
///
/// # Errors
/// `BadRequest` when the model's name is none, or too much is named. Google repeats it in messages, and a name must not be able
/// to pass for one.
pub(super) fn opened(mut intent: Intent, first: &[u8]) -> Result<Intent, CallRejected> {
    // Stores and caches that the model is to use: also where only Google's reader, which is lenient, finds a setup.
    intent.references.extend(references::in_body(first)?);
    let Ok(First { setup: Some(setup) }) = serde_json::from_slice::<First<'_>>(first) else {
        return Ok(intent);
    };
    intent.model = setup.model.as_deref().map(model).transpose()?;
    let handle = setup.resumption.and_then(|resumption| resumption.handle);
    intent.references.extend(handle.as_deref().filter(|handle| !handle.is_empty()).map(handle_resource));
    // Roughly four bytes a token; what is said later is told by the provider.
    intent.estimate.input_tokens = first.len().div_ceil(4) as u64;
    Ok(intent)
}

/// A handle by its name here: who holds one may go on with what somebody said.
pub(super) fn handle_resource(handle: &str) -> Resource {
    Resource::new(HANDLE, references::sum(handle))
}

fn model(name: &str) -> Result<ModelName, CallRejected> {
    let short = name.strip_prefix("models/").unwrap_or(name);
    let is_name = !short.is_empty()
        && short.len() <= MAX_MODEL_BYTES
        && !short.contains(|c: char| c.is_whitespace() || c.is_control());
    if is_name {
        return Ok(ModelName::from(short));
    }
    let message = "The model name in the setup is malformed: at most 256 bytes without spaces.";
    Err(CallRejected::new(ErrorKind::BadRequest, message))
}
