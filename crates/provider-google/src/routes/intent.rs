//! What a request wants.

use keygate_domain::{
    Access, Intent, ModelName, Operation, Placement, Replay, Resource, Right, Spend, Streaming,
};
use keygate_provider::{CallRejected, Inbound};

use super::route::{self, Route};
use super::{body, path};
use crate::usage::INTERACTION;
use crate::{openai, operations as op, query};

/// The kind of a file among resources.
const FILE: &str = "files";

/// What only the body can tell, or what stands for it where the body is not read.
struct Told {
    model: Option<ModelName>,
    streaming: Streaming,
    requests: u32,
    replay: Replay,
    references: Vec<Resource>,
}

/// Understands a request.
///
/// # Errors
/// [`CallRejected`] as [`route::find`] and the readers of the body say.
pub(crate) fn understand(inbound: &Inbound<'_>) -> Result<Intent, CallRejected> {
    let route = route::find(inbound.method, inbound.path)?;
    let Route { operation, template, upstream_path, model, mut references } = route;
    let mut told = told(operation, inbound)?;
    references.append(&mut told.references);
    Ok(Intent {
        operation,
        route: template,
        target: query::target(upstream_path, inbound.query),
        model: model.or(told.model),
        streaming: told.streaming,
        replay: told.replay,
        right: right(operation),
        opens_session: false,
        // Google counts each text of an embedding; for the user it is one call with one key.
        user_units: told.requests.min(1),
        references,
        placement: Placement::Any,
        access: Access::Token,
        estimate: estimate(operation, told.requests, inbound.body.len()),
        caller_deadline: inbound.server_timeout().or_else(|| openai::patience(inbound, told.streaming)),
    })
}

fn told(operation: Operation, inbound: &Inbound<'_>) -> Result<Told, CallRejected> {
    let mut told = Told {
        model: None,
        streaming: Streaming::Whole,
        requests: 1,
        // Most operations have no effect but their answer.
        replay: Replay::Safe,
        references: Vec::new(),
    };
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
        op::OPENAI_IMAGES => {
            told.model = body::openai(inbound.body)?.model.as_deref().map(path::model).transpose()?;
        }
        op::OPENAI_CREATE_VIDEO => {
            told.replay = Replay::OnlyIfRefused;
            // SDKs send a form here, which is not read.
            if inbound.header("content-type").is_some_and(|kind| kind.starts_with("application/json")) {
                told.model = body::openai(inbound.body)?.model.as_deref().map(path::model).transpose()?;
            }
        }
        op::OPENAI_CREATE_BATCH => {
            told.replay = Replay::OnlyIfRefused;
            let file = body::batch_job(inbound.body)?.input_file_id;
            told.references.extend(file.map(|file| resource(FILE, &file)));
        }
        op::CREATE_INTERACTION => told.by_interaction(body::interaction(inbound.body)?)?,
        op::GET_INTERACTION => {
            told.requests = 0;
            let is_stream = inbound.query_pairs().any(|pair| pair == ("stream", "true"));
            told.streaming = if is_stream { Streaming::Events } else { Streaming::Whole };
        }
        op::OPENAI_EMBEDDINGS => {
            let embeddings = body::openai(inbound.body)?;
            told.model = embeddings.model.as_deref().map(path::model).transpose()?;
            told.requests = embeddings.input.0.max(1);
        }
        op::LIST_MODELS
        | op::GET_MODEL
        | op::OPENAI_LIST_MODELS
        | op::OPENAI_GET_MODEL
        | op::OPENAI_READ_VIDEO
        | op::OPENAI_READ_BATCH => told.requests = 0,
        op::OPENAI_CHANGE_VIDEO | op::OPENAI_CHANGE_BATCH | op::CHANGE_INTERACTION => {
            told.requests = 0;
            told.replay = Replay::OnlyIfRefused;
        }
        _ => {}
    }
    Ok(told)
}

impl Told {
    fn by_interaction(&mut self, interaction: body::InteractionBody<'_>) -> Result<(), CallRejected> {
        let model = interaction.model.or(interaction.agent);
        self.model = model.as_deref().map(path::model).transpose()?;
        self.streaming = if interaction.stream == Some(true) { Streaming::Events } else { Streaming::Whole };
        self.replay = if interaction.store == Some(false) { Replay::Safe } else { Replay::OnlyIfRefused };
        let previous = interaction.previous_interaction_id;
        self.references.extend(previous.map(|id| resource(INTERACTION, &id)));
        Ok(())
    }
}

/// A resource by its id, with or without the name of its collection.
fn resource(kind: &'static str, id: &str) -> Resource {
    Resource::new(kind, id.rsplit_once('/').map_or(id, |(_, last)| last))
}

fn right(operation: Operation) -> Right {
    match operation {
        op::EMBED_CONTENT | op::BATCH_EMBED_CONTENTS | op::OPENAI_EMBEDDINGS => Right::Embed,
        op::OPENAI_CHANGE_VIDEO | op::OPENAI_CHANGE_BATCH | op::CHANGE_INTERACTION => Right::Manage,
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
