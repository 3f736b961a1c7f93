//! `providers.<name>:`, what stands in when every key failed: other models, and words for users.

use std::collections::BTreeMap;
use std::sync::Arc;

use keygate_domain::{Messages, ModelName};
use keygate_provider::Adapter;

use super::Judge;
use crate::schema::ProviderSection;
use crate::setting::Setting;

/// More models than this only make a refusal late.
const MOST_MODELS: usize = 8;

/// Longest name of a model, in bytes.
const MAX_MODEL_BYTES: usize = 256;

/// The models to ask, one after the other, when every key failed for one.
pub(super) fn model_fallback(
    adapter: &Adapter,
    section: &ProviderSection,
    path: &str,
    judge: &mut Judge<'_>,
) -> Arc<BTreeMap<ModelName, Vec<ModelName>>> {
    let setting = format!("{path}.model_fallback");
    let has_models =
        adapter.operations.is_empty() || adapter.operations.iter().any(|known| known.takes_model);
    let is_empty = section.model_fallback.is_empty();
    judge.require(has_models || is_empty, &setting, "means nothing to this provider", "remove it");
    let mut chains = BTreeMap::new();
    for (model, others) in &section.model_fallback {
        let names = others.iter().map(|other| other.0.as_str());
        let mut problem = |what: String, remedy: &str| judge.require(false, &setting, &what, remedy);
        if !names.clone().chain([model.as_str()]).all(is_model) {
            problem(
                format!("names something for `{model}` that is no model"),
                "use names such as gemini-2.5-flash",
            );
        } else if names.clone().any(|other| other == model) {
            problem(format!("lets `{model}` stand in for itself"), "name other models");
        } else if !(1..=MOST_MODELS).contains(&others.len()) {
            problem(
                format!("must name 1 to {MOST_MODELS} models for `{model}`"),
                "name those, the best first",
            );
        }
        chains.insert(ModelName::new(model.as_str()), names.map(ModelName::new).collect());
    }
    Arc::new(chains)
}

/// What users are told when nobody can answer: the provider's own words, with the configured ones in their
/// place. The section gets what it lacks.
pub(super) fn messages(
    adapter: &Adapter,
    section: &mut ProviderSection,
    path: &str,
    judge: &mut Judge<'_>,
) -> Messages {
    let setting = format!("{path}.messages");
    for (language, text) in &section.messages {
        judge.require(
            is_language(language),
            &setting,
            &format!("has a text for `{language}`, which is no language"),
            "use tags such as en, id, vi or pt-br",
        );
        let is_text = !text.0.trim().is_empty();
        judge.require(
            is_text,
            &setting,
            &format!("says nothing in `{language}`"),
            "write a text, or leave it out",
        );
    }
    for (language, text) in adapter.busy_messages {
        section.messages.entry((*language).to_owned()).or_insert_with(|| Setting((*text).to_owned()));
    }
    section.messages.iter().map(|(language, text)| (language, text.0.as_str())).collect()
}

fn is_model(name: &str) -> bool {
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    (1..=MAX_MODEL_BYTES).contains(&name.len()) && name.bytes().all(is_fit)
}

/// A tag by RFC 5646, roughly: letters, then parts of letters and digits.
fn is_language(tag: &str) -> bool {
    let mut parts = tag.split('-');
    let is_part =
        |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let first = parts.next().unwrap_or_default();
    (2..=3).contains(&first.len())
        && first.bytes().all(|byte| byte.is_ascii_alphabetic())
        && parts.all(is_part)
}
