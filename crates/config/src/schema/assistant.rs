//! `assistant:`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::or_default;
use crate::setting::Setting;

/// The assistant: plain questions at `/api/v1/assistant/query`, answered by Gemini.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AssistantSection {
    /// The model that answers where a question names none.
    pub(crate) model: Setting<String>,
    /// What the model is told first where a question does not bring its own; nothing if null.
    pub(crate) system: Setting<Option<String>>,
    /// What users are shown when nobody can answer them, by the language they ask for.
    #[serde(deserialize_with = "or_default")]
    pub(crate) busy_message: MessageSection,
}

impl Default for AssistantSection {
    fn default() -> Self {
        Self {
            model: Setting("gemini-3.8-flash".to_owned()),
            system: Setting(None),
            busy_message: MessageSection::default(),
        }
    }
}

/// One message in the languages that are known.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct MessageSection {
    /// English; also for everybody who asks for a language that is not here.
    pub(crate) en: Setting<String>,
    /// Indonesian.
    pub(crate) id: Setting<String>,
    /// Vietnamese.
    pub(crate) vi: Setting<String>,
}

impl Default for MessageSection {
    fn default() -> Self {
        let text = |text: &str| Setting(text.to_owned());
        Self {
            en: text("I'm experiencing high demand right now. Please try again in a few minutes."),
            id: text("Saya sedang menerima banyak permintaan. Silakan coba lagi dalam beberapa menit."),
            vi: text("Hiện tôi đang nhận rất nhiều yêu cầu. Vui lòng thử lại sau vài phút."),
        }
    }
}
