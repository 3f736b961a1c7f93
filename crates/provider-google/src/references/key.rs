//! Keys of a body, as far as they say what their values are.

use super::text::Text;

/// Longest key that can be one of ours, in bytes, escapes included.
const MAX_KEY_BYTES: usize = 256;

/// What a key says of its value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Key {
    /// Words, or bytes: never a name.
    Prose,
    /// Of the user's own making: nothing in it is Google's.
    Users,
    /// The bare id, or the name, of something in this collection.
    Id(&'static str),
    /// The token with which a long answer is gone on with.
    Continuation,
    /// Anything: a name if it is written like one.
    Other,
}

impl Key {
    /// The key that is called so, in either spelling of proto3 JSON.
    pub(super) fn of(name: Text<'_>) -> Self {
        if name.written_len() > MAX_KEY_BYTES {
            return Self::Other;
        }
        name.read().map_or(Self::Other, |name| Self::called(&name))
    }

    fn called(name: &str) -> Self {
        match name {
            "text" | "data" | "title" | "description" | "displayName" | "display_name" | "prompt"
            | "input" | "query" | "message" | "mimeType" | "mime_type" | "role" | "instructions"
            | "thoughtSignature" | "thought_signature" | "bytesBase64Encoded" | "code" | "output"
            // These are text for some surfaces, and objects with members of their own for others.
            | "content" | "systemInstruction" | "system_instruction" => Self::Prose,
            "functionCall" | "function_call" | "args" | "arguments" | "response" | "result" | "labels" => {
                Self::Users
            }
            "previousInteractionId" | "previous_interaction_id" | "interactionId" | "interaction_id" => {
                Self::Id("interactions")
            }
            "environment" | "environmentId" | "environment_id" => Self::Id("environments"),
            "agent" | "agentId" | "agent_id" => Self::Id("agents"),
            "triggerId" | "trigger_id" => Self::Id("triggers"),
            "credentialId" | "credential_id" | "credential" => Self::Id("credentials"),
            "webhookId" | "webhook_id" => Self::Id("webhooks"),
            "voiceId" | "voice_id" | "voice" => Self::Id("voices"),
            "fileId" | "file_id" | "fileIds" | "file_ids" | "inputFileId" | "input_file_id" => Self::Id("files"),
            "cachedContent" | "cached_content" => Self::Id("cachedContents"),
            "fileSearchStoreNames" | "file_search_store_names" => Self::Id("fileSearchStores"),
            "continuationToken" | "continuation_token" => Self::Continuation,
            _ => Self::Other,
        }
    }

    /// Whether a value may be a name.
    pub(super) fn may_name(self) -> bool {
        !matches!(self, Self::Prose | Self::Users)
    }
}
