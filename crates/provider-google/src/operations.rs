//! The names of Google's operations, as traces and exclusions show them.

use keygate_domain::Operation;

/// `:generateContent`.
pub(crate) const GENERATE_CONTENT: Operation = Operation("generate_content");
/// `:streamGenerateContent`.
pub(crate) const STREAM_GENERATE_CONTENT: Operation = Operation("stream_generate_content");
/// `:countTokens`.
pub(crate) const COUNT_TOKENS: Operation = Operation("count_tokens");
/// `:embedContent`.
pub(crate) const EMBED_CONTENT: Operation = Operation("embed_content");
/// `:batchEmbedContents`.
pub(crate) const BATCH_EMBED_CONTENTS: Operation = Operation("batch_embed_contents");
/// `GET /models`.
pub(crate) const LIST_MODELS: Operation = Operation("list_models");
/// `GET /models/{model}`.
pub(crate) const GET_MODEL: Operation = Operation("get_model");
/// `POST /openai/chat/completions`.
pub(crate) const CHAT_COMPLETIONS: Operation = Operation("chat_completions");
/// `POST /openai/embeddings`.
pub(crate) const OPENAI_EMBEDDINGS: Operation = Operation("openai_embeddings");
/// `GET /openai/models`.
pub(crate) const OPENAI_LIST_MODELS: Operation = Operation("openai_list_models");
/// `GET /openai/models/{model}`.
pub(crate) const OPENAI_GET_MODEL: Operation = Operation("openai_get_model");
