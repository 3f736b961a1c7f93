//! What a request wants.

use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use keygate_domain::{
    Access, ErrorKind, Intent, ModelName, Operation, Placement, Replay, Resource, Spend, Streaming,
};
use keygate_provider::{CallRejected, Inbound};

use super::effect::Effect;
use super::route::{self, Route};
use super::{body, chosen, form, path};
use crate::{openai, operations as op, query, references};

/// What only the body can tell, or what stands for it where the body is not read.
struct Told {
    model: Option<ModelName>,
    streaming: Streaming,
    requests: u32,
    /// How much of the body is words, in bytes.
    text_bytes: usize,
    /// When it may be sent a second time, if not as usual.
    replay: Option<Replay>,
}

/// Understands a request.
///
/// # Errors
/// [`CallRejected`] as [`route::find`] and the readers of the body say.
pub(crate) fn understand(inbound: &Inbound<'_>) -> Result<Intent, CallRejected> {
    let Route { operation, template, upstream_path, model, effect, is_counted, right, references } =
        route::find(inbound.method, inbound.path)?;
    let told = told(operation, is_counted, inbound)?;
    Ok(Intent {
        operation,
        route: template,
        target: query::target(upstream_path, inbound.query),
        model: model.or(told.model),
        streaming: told.streaming,
        replay: told.replay.unwrap_or_else(|| effect.replay()),
        right,
        opens_session: false,
        // Google counts each text of an embedding; for the user it is one call with one key.
        user_units: effect.user_units(),
        references: all_named(references, operation, inbound)?,
        placement: Placement::Any,
        access: Access::Token,
        estimate: estimate(operation, told.requests, told.text_bytes),
        caller_deadline: inbound.server_timeout().or_else(|| openai::patience(inbound, told.streaming)),
    })
}

/// The name that a request asks for what it makes, if it does.
pub(crate) fn chosen_name(intent: &Intent, inbound: &Inbound<'_>) -> Option<Resource> {
    chosen::chosen(Effect::of(intent.operation)?, inbound)
}

/// What the path names, and what the body does; a name that is only asked for names nothing yet.
fn all_named(
    in_path: Vec<Resource>,
    operation: Operation,
    inbound: &Inbound<'_>,
) -> Result<Vec<Resource>, CallRejected> {
    if inbound.body.is_empty() {
        return Ok(in_path);
    }
    must_be_readable(inbound)?;
    let mut named = in_path;
    let in_body = match form_fields(operation, inbound) {
        Some(fields) => references::in_form(&fields),
        None => references::in_body(inbound.body)?,
    };
    let chosen = Effect::of(operation).and_then(|effect| chosen::chosen(effect, inbound));
    let is_new = |resource: &Resource| !named.contains(resource) && chosen.as_ref() != Some(resource);
    named.extend(in_body.into_iter().filter(is_new).collect::<Vec<_>>());
    Ok(named)
}

/// What cannot be read cannot be checked for the names of what belongs to others.
fn must_be_readable(inbound: &Inbound<'_>) -> Result<(), CallRejected> {
    let is_coded =
        inbound.header(CONTENT_ENCODING).is_some_and(|coding| !coding.eq_ignore_ascii_case("identity"));
    let is_binary = inbound
        .header(CONTENT_TYPE)
        .is_some_and(|kind| kind != "application/json" && kind.to_ascii_lowercase().contains("protobuf"));
    if is_coded || is_binary {
        let message =
            "The gateway must be able to read the request body: send JSON without a content encoding.";
        return Err(CallRejected::new(ErrorKind::BadRequest, message));
    }
    Ok(())
}

fn told(operation: Operation, is_counted: bool, inbound: &Inbound<'_>) -> Result<Told, CallRejected> {
    let requests = u32::from(is_counted);
    let text_bytes = inbound.body.len();
    let mut told = Told { model: None, streaming: Streaming::Whole, requests, text_bytes, replay: None };
    match operation {
        op::CREATE_INTERACTION => {
            let interaction = body::interaction(inbound.body);
            told.model = interaction.answerer.as_deref().map(path::model).transpose()?;
            told.streaming = if interaction.is_streamed { Streaming::Events } else { Streaming::Whole };
            // What is not to be kept leaves nothing behind but its answer.
            told.replay = (!interaction.is_kept).then_some(Replay::Safe);
        }
        op::GET_INTERACTION if inbound.query_pairs().any(|pair| pair == ("stream", "true")) => {
            told.streaming = Streaming::Events;
        }
        op::STREAM_GENERATE_CONTENT | op::DYNAMIC_STREAM_GENERATE_CONTENT => {
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
        op::OPENAI_IMAGES => {
            told.model = body::openai(inbound.body)?.model.as_deref().map(path::model).transpose()?;
        }
        op::OPENAI_CREATE_VIDEO if is_json(inbound) => {
            told.model = body::openai(inbound.body)?.model.as_deref().map(path::model).transpose()?;
        }
        // SDKs send a form, with a picture to begin with or without.
        op::OPENAI_CREATE_VIDEO => {
            let fields = form_fields(operation, inbound).unwrap_or_default();
            let model = fields.iter().find(|(name, _)| *name == "model");
            told.model = model.map(|(_, model)| path::model(model)).transpose()?;
            told.text_bytes = fields.iter().map(|(_, value)| value.len()).sum();
        }
        op::OPENAI_DOWNLOAD_VIDEO => told.streaming = Streaming::File,
        _ if query::asks_for_events(inbound.query_pairs()) => told.streaming = Streaming::Events,
        _ => {}
    }
    Ok(told)
}

/// The fields of a body that is a form, where forms are taken. What only says that it is one is read like any
/// other body: what is not read is not checked.
fn form_fields<'a>(operation: Operation, inbound: &Inbound<'a>) -> Option<Vec<(&'a str, &'a str)>> {
    if operation != op::OPENAI_CREATE_VIDEO {
        return None;
    }
    let boundary = form::boundary(inbound.header("content-type")?)?;
    Some(form::fields(inbound.body, &boundary)).filter(|fields| !fields.is_empty())
}

fn is_json(inbound: &Inbound<'_>) -> bool {
    inbound.header(CONTENT_TYPE).is_some_and(|kind| kind.starts_with("application/json"))
}

/// The cost of a request, roughly: four bytes to a token, rounded up. Counting tokens is free and
/// reads of the catalogue have no tokens at all.
fn estimate(operation: Operation, requests: u32, text_bytes: usize) -> Spend {
    let is_free = operation == op::COUNT_TOKENS || requests == 0;
    let input_tokens = if is_free { 0 } else { text_bytes.div_ceil(4) as u64 };
    Spend { requests, input_tokens, output_tokens: 0 }
}
