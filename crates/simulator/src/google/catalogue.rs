//! The models Gemini offers, and the quota bucket each counts in.

/// What a model is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Chat,
    Embedding,
    Live,
}

/// A model.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Model {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// Aliases exist on `v1beta` (and `v1alpha`) only.
    pub(crate) is_alias: bool,
}

const fn chat(name: &'static str) -> Model {
    Model { name, kind: Kind::Chat, is_alias: false }
}

const fn alias(name: &'static str) -> Model {
    Model { name, kind: Kind::Chat, is_alias: true }
}

const fn live(name: &'static str) -> Model {
    Model { name, kind: Kind::Live, is_alias: false }
}

const fn embedding(name: &'static str) -> Model {
    Model { name, kind: Kind::Embedding, is_alias: false }
}

/// The catalogue.
pub(crate) const MODELS: [Model; 32] = [
    chat("gemini-4-argon"),
    chat("gemini-3.8-flash"),
    chat("gemini-3.7-flash"),
    chat("gemini-3.6-flash"),
    chat("gemini-3.5-flash"),
    chat("gemini-3.5-flash-lite"),
    chat("gemini-3.1-flash-lite"),
    chat("gemini-3.1-pro"),
    chat("gemini-3.1-pro-preview"),
    chat("gemini-3-flash-preview"),
    chat("gemini-3-pro-image"),
    chat("gemini-3.1-flash-image"),
    chat("gemini-3.8-flash-tts"),
    chat("gemini-3.5-transcribe"),
    chat("gemini-2.5-pro"),
    chat("gemini-2.5-flash"),
    chat("gemini-2.5-flash-lite"),
    chat("gemini-2.5-flash-image"),
    chat("gemma-4-31b-it"),
    chat("gemma-4-26b-a4b-it"),
    chat("gemini-robotics-er-2-preview"),
    chat("gemini-nano-banana-2.1"),
    alias("gemini-flash-latest"),
    alias("gemini-flash-lite-latest"),
    alias("gemini-pro-latest"),
    live("gemini-3.8-live"),
    live("gemini-3.8-live-extended-thinking"),
    live("gemini-3.1-flash-live-preview"),
    live("gemini-3.5-live-translate-preview"),
    live("gemini-2.5-flash-live-preview"),
    embedding("gemini-embedding-001"),
    embedding("gemini-embedding-2"),
];

/// The bucket a model's use is counted in; several names can share one.
pub(crate) fn bucket(model: &str) -> &str {
    match model {
        "gemini-embedding-001" => "gemini-embedding-1.0",
        "gemini-pro-latest" | "gemini-3.1-pro-preview" => "gemini-3.1-pro",
        "gemini-flash-latest" => "gemini-3.8-flash",
        "gemini-flash-lite-latest" => "gemini-3.5-flash-lite",
        other => other,
    }
}
