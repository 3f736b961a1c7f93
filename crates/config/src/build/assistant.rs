//! `assistant:`.

use super::Judge;
use crate::config::AssistantConfig;
use crate::schema::AssistantSection;

/// Longest model name, in bytes; Google's own are below 64.
const MAX_MODEL_BYTES: usize = 256;

pub(super) fn build(section: &AssistantSection, judge: &mut Judge<'_>) -> AssistantConfig {
    let model = section.model.0.clone();
    judge.require(
        is_model(&model),
        "assistant.model",
        "is not the name of a model",
        "use letters, digits, - . and _, such as gemini-3.8-flash",
    );
    AssistantConfig { model, system: section.system.0.clone().filter(|system| !system.trim().is_empty()) }
}

fn is_model(name: &str) -> bool {
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    (1..=MAX_MODEL_BYTES).contains(&name.len()) && name.bytes().all(is_fit)
}
