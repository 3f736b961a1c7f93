//! What a request wants.

use keygate_domain::{Access, Intent, ModelName, Operation, Placement, Replay, Right, Spend, Streaming};
use keygate_provider::{CallRejected, Inbound};

use super::route::{self, Route};
use super::{body, path};
use crate::{operations as op, query};

/// What only the body can tell, or what stands for it where the body is not read.
struct Told {
    model: Option<ModelName>,
    streaming: Streaming,
    requests: u32,
}

/// Understands a request.
///
/// # Errors
/// [`CallRejected`] as [`route::find`] and the readers of the body say.
pub(crate) fn understand(inbound: &Inbound<'_>) -> Result<Intent, CallRejected> {
    let Route { operation, template, upstream_path, model } = route::find(inbound.method, inbound.path)?;
    let told = told(operation, inbound)?;
    Ok(Intent {
        operation,
        route: template,
        target: query::target(upstream_path, inbound.query),
        model: model.or(told.model),
        streaming: told.streaming,
        // Every operation served has no effect but its answer.
        replay: Replay::Safe,
        right: right(operation),
        opens_session: false,
        // Google counts each text of an embedding; for the user it is one call with one key.
        user_units: told.requests.min(1),
        references: Vec::new(),
        placement: Placement::Any,
        access: Access::Token,
        estimate: estimate(operation, told.requests, inbound.body.len()),
        caller_deadline: inbound.server_timeout(),
    })
}

fn told(operation: Operation, inbound: &Inbound<'_>) -> Result<Told, CallRejected> {
    let mut told = Told { model: None, streaming: Streaming::Whole, requests: 1 };
    match operation {
        op::STREAM_GENERATE_CONTENT => {
            let events = query::asks_for_events(inbound.query_pairs());
            told.streaming = if events { Streaming::Events } else { Streaming::JsonArray };
        }
        op::BATCH_EMBED_CONTENTS => told.requests = body::batch_members(inbound.body)?.max(1),
        op::CHAT_COMPLETIONS => {
            let chat = body::openai(inbound.body)?;
            told.model = chat.model.as_deref().map(path::model).transpose()?;
            told.streaming = if chat.stream == Some(true) { Streaming::Events } else { Streaming::Whole };
        }
        op::OPENAI_EMBEDDINGS => {
            let embeddings = body::openai(inbound.body)?;
            told.model = embeddings.model.as_deref().map(path::model).transpose()?;
            told.requests = embeddings.input.0.max(1);
        }
        op::LIST_MODELS | op::GET_MODEL | op::OPENAI_LIST_MODELS | op::OPENAI_GET_MODEL => told.requests = 0,
        _ => {}
    }
    Ok(told)
}

fn right(operation: Operation) -> Right {
    match operation {
        op::EMBED_CONTENT | op::BATCH_EMBED_CONTENTS | op::OPENAI_EMBEDDINGS => Right::Embed,
        _ => Right::Chat,
    }
}

/// The cost of a request, roughly: four bytes to a token, rounded up. Counting tokens is free and
/// reads of the catalogue have no tokens at all.
fn estimate(operation: Operation, requests: u32, body_bytes: usize) -> Spend {
    let is_free = operation == op::COUNT_TOKENS || requests == 0;
    let input_tokens = if is_free { 0 } else { body_bytes.div_ceil(4) as u64 };
    Spend { requests, input_tokens, output_tokens: 0 }
}
