//! The routes served: which path is which operation.

use http::Method;
use keygate_domain::{ErrorKind, ModelName, Operation, Resource, Right};
use keygate_provider::CallRejected;

use super::effect::Effect;
use super::{openai, path, resources};
use crate::operations as op;
use crate::references::named;
use crate::surface::Surface;

/// A route that was found.
#[derive(Debug)]
pub(super) struct Route {
    /// The operation it stands for.
    pub operation: Operation,
    /// The route with placeholders.
    pub template: &'static str,
    /// The path to ask Google for, built from what was understood.
    pub upstream_path: String,
    /// The model in the path.
    pub model: Option<ModelName>,
    /// What it does.
    pub effect: Effect,
    /// Whether it counts as a request at the provider.
    pub is_counted: bool,
    /// What a client must be allowed to do.
    pub right: Right,
    /// What the path names that belongs to somebody.
    pub references: Vec<Resource>,
}

/// What a caller on an unknown route is told.
const SERVED: &str = "This gateway does not serve this route. It serves the Gemini API below /v1/, /v1beta/ and \
    /v1alpha/ (models and their :generateContent, :streamGenerateContent, :countTokens, :embedContent and \
    :batchEmbedContents, and everything that a project keeps: files, cachedContents, batches, operations, \
    fileSearchStores, tunedModels, interactions and the others); and OpenAI-compatible, below \
    /{version}/openai/ or /openai/v1/: POST chat/completions, POST embeddings, POST images/generations, GET models, \
    GET models/{model}, videos and batches.";

/// One verb that a model can be asked with.
struct Action {
    verb: &'static str,
    operation: Operation,
    template: &'static str,
    /// The same for tuned models, where there is one.
    tuned: Option<&'static str>,
}

const ACTIONS: [Action; 5] = [
    Action {
        verb: "generateContent",
        operation: op::GENERATE_CONTENT,
        template: "/{version}/models/{model}:generateContent",
        tuned: Some("/{version}/tunedModels/{model}:generateContent"),
    },
    Action {
        verb: "streamGenerateContent",
        operation: op::STREAM_GENERATE_CONTENT,
        template: "/{version}/models/{model}:streamGenerateContent",
        tuned: Some("/{version}/tunedModels/{model}:streamGenerateContent"),
    },
    Action {
        verb: "countTokens",
        operation: op::COUNT_TOKENS,
        template: "/{version}/models/{model}:countTokens",
        tuned: None,
    },
    Action {
        verb: "embedContent",
        operation: op::EMBED_CONTENT,
        template: "/{version}/models/{model}:embedContent",
        tuned: None,
    },
    Action {
        verb: "batchEmbedContents",
        operation: op::BATCH_EMBED_CONTENTS,
        template: "/{version}/models/{model}:batchEmbedContents",
        tuned: None,
    },
];

/// Finds the route of a request.
///
/// # Errors
/// `BadRequest` for a path that tries to be another one, `NotFound` for an unknown one,
/// `MethodNotAllowed` for a known one with another method.
pub(super) fn find(method: &Method, path: &str) -> Result<Route, CallRejected> {
    let path = if Surface::of(path) == Surface::OpenAi { openai::with_plain_ids(path) } else { path.into() };
    let decoded = path::segments(&path)?;
    let segments: Vec<&str> = decoded.iter().map(|segment| &**segment).collect();
    match segments.as_slice() {
        ["openai", "v1", rest @ ..] => openai::find(method, openai::VERSION, rest),
        [version, "openai", rest @ ..] if is_version(version) => openai::find(method, version, rest),
        [version, "models"] if is_version(version) => list(method, version),
        [version, collection @ ("models" | "tunedModels"), name] if is_version(version) => {
            native(method, version, collection, name)
        }
        [version, rest @ ..] if is_version(version) && !rest.is_empty() => {
            resources::find(method, version, rest)
        }
        _ => Err(not_served()),
    }
}

/// Google versions its whole API by the first segment; it is passed on unchanged, because some
/// models live on one version only.
fn is_version(segment: &str) -> bool {
    matches!(segment, "v1" | "v1beta" | "v1alpha")
}

fn list(method: &Method, version: &str) -> Result<Route, CallRejected> {
    demand(method, &Method::GET, "/{version}/models")?;
    Ok(Route {
        operation: op::LIST_MODELS,
        template: "/{version}/models",
        upstream_path: format!("/{version}/models"),
        model: None,
        effect: Effect::Read,
        is_counted: false,
        right: Right::Chat,
        references: Vec::new(),
    })
}

fn native(method: &Method, version: &str, collection: &str, name: &str) -> Result<Route, CallRejected> {
    match (collection, name.rsplit_once(':')) {
        ("models", None) => get(method, version, name),
        (_, Some((model, verb))) if is_action(collection, verb) => {
            action(method, version, collection, model, verb)
        }
        _ => resources::find(method, version, &[collection, name]),
    }
}

fn is_action(collection: &str, verb: &str) -> bool {
    let found = ACTIONS.iter().find(|action| action.verb == verb);
    found.is_some_and(|action| collection == "models" || action.tuned.is_some())
}

fn get(method: &Method, version: &str, name: &str) -> Result<Route, CallRejected> {
    let template = "/{version}/models/{model}";
    demand(method, &Method::GET, template)?;
    let model = path::model(name)?;
    Ok(Route {
        operation: op::GET_MODEL,
        template,
        upstream_path: format!("/{version}/models/{}", path::encode(name)),
        model: Some(model),
        effect: Effect::Read,
        is_counted: false,
        right: Right::Chat,
        references: Vec::new(),
    })
}

fn action(
    method: &Method,
    version: &str,
    collection: &str,
    name: &str,
    verb: &str,
) -> Result<Route, CallRejected> {
    let action = ACTIONS.iter().find(|action| action.verb == verb).ok_or_else(not_served)?;
    let is_tuned = collection == "tunedModels";
    let template = if is_tuned { action.tuned.ok_or_else(not_served)? } else { action.template };
    demand(method, &Method::POST, template)?;
    let plain = path::model(name)?;
    // Tuned models have a name space of their own: `x` and `tunedModels/x` share no quota.
    let tuned = is_tuned.then(|| format!("tunedModels/{plain}"));
    let references = tuned.as_deref().and_then(named).into_iter().collect();
    Ok(Route {
        operation: action.operation,
        template,
        upstream_path: ["/", version, "/", collection, "/", &path::encode(name), ":", verb].concat(),
        model: Some(tuned.map_or(plain, ModelName::new)),
        effect: Effect::Ask,
        is_counted: true,
        right: right(action.operation),
        references,
    })
}

fn right(operation: Operation) -> Right {
    match operation {
        op::EMBED_CONTENT | op::BATCH_EMBED_CONTENTS => Right::Embed,
        _ => Right::Chat,
    }
}

fn demand(actual: &Method, wanted: &Method, template: &str) -> Result<(), CallRejected> {
    if actual == wanted { Ok(()) } else { Err(wrong_method(actual, wanted.as_str(), template)) }
}

pub(super) fn wrong_method(actual: &Method, wanted: &str, template: &str) -> CallRejected {
    CallRejected::new(ErrorKind::MethodNotAllowed, format!("{template} takes {wanted}, not {actual}."))
}

pub(super) fn not_served() -> CallRejected {
    CallRejected::new(ErrorKind::NotFound, SERVED)
}
