//! `assistant:`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::setting::Setting;

/// The assistant: plain questions at `/api/v1/assistant/query`, answered by Gemini.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AssistantSection {
    /// The model that answers where a question names none.
    pub(crate) model: Setting<String>,
    /// What the model is told first where a question does not bring its own; nothing if null.
    pub(crate) system: Setting<Option<String>>,
}

impl Default for AssistantSection {
    fn default() -> Self {
        Self { model: Setting("gemini-3.8-flash".to_owned()), system: Setting(None) }
    }
}
