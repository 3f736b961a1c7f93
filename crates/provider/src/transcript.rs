//! What a request and its answer say, for spans that carry it.

use serde_json::Value;

/// What was asked and what was answered, as the GenAI conventions see it.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Transcript {
    /// What the model is told besides what is said.
    pub system: Vec<Part>,
    /// What was said before the answer, oldest first.
    pub input: Vec<Message>,
    /// The answer; several, where several were asked for.
    pub output: Vec<Message>,
    /// Whether a part of it could not be read.
    pub has_gaps: bool,
}

/// What one side says at a time.
#[derive(Clone, PartialEq, Debug)]
pub struct Message {
    /// `user`, `assistant`, `system`, `tool`.
    pub role: String,
    /// What it says.
    pub parts: Vec<Part>,
    /// Why a model stopped.
    pub finish_reason: Option<String>,
}

/// One thing that is said.
#[derive(Clone, PartialEq, Debug)]
pub enum Part {
    /// Words.
    Text(String),
    /// What the model thought.
    Reasoning(String),
    /// A model wants a tool called.
    ToolCall {
        /// By which its answer is known.
        id: Option<String>,
        /// The tool.
        name: String,
        /// What it is called with.
        arguments: Value,
    },
    /// What a tool answered.
    ToolResponse {
        /// The call.
        id: Option<String>,
        /// The answer.
        response: Value,
    },
    /// Media that came along. They are never kept.
    Media {
        /// What they are: `image/png`.
        mime_type: Option<String>,
        /// How large they are, in bytes.
        size: u64,
    },
    /// Media that are elsewhere.
    Elsewhere {
        /// What they are.
        mime_type: Option<String>,
        /// Where.
        uri: String,
    },
    /// Something else, by its name.
    Other(String),
}

impl Message {
    /// An answer that goes on where it stopped: words are put behind words of the same kind.
    pub fn goes_on_with(&mut self, part: Part) {
        match (self.parts.last_mut(), part) {
            (Some(Part::Text(said)), Part::Text(more))
            | (Some(Part::Reasoning(said)), Part::Reasoning(more)) => said.push_str(&more),
            (_, part) => self.parts.push(part),
        }
    }
}

impl Part {
    /// Media in base64.
    pub fn of_base64(mime_type: Option<String>, data: &str) -> Self {
        let padding = data.bytes().rev().take_while(|byte| *byte == b'=').count();
        let size = (data.len() - padding) as u64 * 3 / 4;
        Self::Media { mime_type, size }
    }
}
