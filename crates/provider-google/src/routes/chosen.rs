//! Names that callers choose for what they make: `{"id": "helper"}` for an agent, `?tunedModelId=` for a tuned
//! model. All other names are Google's own, and nobody is given one twice.

use keygate_domain::Resource;
use keygate_provider::Inbound;

use super::effect::Effect;
use super::path;
use crate::query::decode;
use crate::references::{OTHER, collection, named_in_path, split, with_id};
use crate::surface::Surface;

/// Collections whose members are named by Google alone.
const NAMED_BY_GOOGLE: [&str; 7] =
    ["batches", "cachedContents", "auth_tokens", "fileSearchStores", "files", "interactions", "operations"];

/// The name that a creation asks for, if it does.
pub(super) fn chosen(effect: Effect, inbound: &Inbound<'_>) -> Option<Resource> {
    if effect != Effect::Create || Surface::of(inbound.path) == Surface::OpenAi {
        return None;
    }
    let segments = path::segments(inbound.path).ok()?;
    let [_version, within] = segments.as_slice() else { return None };
    let is_collection = !within.contains(':') && !NAMED_BY_GOOGLE.contains(&&**within);
    let id = is_collection.then(|| in_query(inbound).or_else(|| in_body(inbound.body, within)))??;
    match collection(within) {
        Some(known) if known.name != OTHER => with_id(known.name, &id),
        Some(_) | None => named_in_path(&[&**within, &id]),
    }
}

/// `tunedModelId`, `tuned_model_id`, and how else Google's APIs call it.
fn in_query(inbound: &Inbound<'_>) -> Option<String> {
    let is_id = |name: &str| name.len() > 2 && (name.ends_with("Id") || name.ends_with("_id"));
    let (_, id) = inbound.query_pairs().find(|(name, _)| is_id(name))?;
    decode(id).map(std::borrow::Cow::into_owned).filter(|id| !id.is_empty())
}

fn in_body(body: &[u8], collection: &str) -> Option<String> {
    let text = |name| split::member(body, name).and_then(split::string).filter(|text| !text.is_empty());
    let of_name = |name: String| {
        let id = name.strip_prefix(collection)?.strip_prefix('/')?;
        (!id.contains('/')).then(|| id.to_owned())
    };
    text("id").or_else(|| text("name").and_then(of_name))
}
