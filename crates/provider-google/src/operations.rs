//! The names of Google's operations, as traces and exclusions show them.

use keygate_domain::Operation;
use keygate_provider::KnownOperation;

use crate::routes::{ROWS, Row};

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

/// `POST /interactions`.
pub(crate) const CREATE_INTERACTION: Operation = Operation("create_interaction");
/// `GET /interactions/{interaction}`.
pub(crate) const GET_INTERACTION: Operation = Operation("get_interaction");
/// `GET /files/{file}:download`.
pub(crate) const DOWNLOAD_FILE: Operation = Operation("download_file");
/// `dynamic/{model}:streamGenerateContent`.
pub(crate) const DYNAMIC_STREAM_GENERATE_CONTENT: Operation = Operation("dynamic_stream_generate_content");

/// Those that models are asked with, the usual one first. Reads of the catalogue are free.
const OF_MODELS: [KnownOperation; 11] = [
    KnownOperation::of_model(GENERATE_CONTENT),
    KnownOperation::of_model(STREAM_GENERATE_CONTENT),
    KnownOperation::of_model(COUNT_TOKENS),
    KnownOperation::of_model(EMBED_CONTENT),
    KnownOperation::of_model(BATCH_EMBED_CONTENTS),
    KnownOperation::of_model(CHAT_COMPLETIONS),
    KnownOperation::of_model(OPENAI_EMBEDDINGS),
    KnownOperation { is_counted: false, ..KnownOperation::of_model(GET_MODEL) },
    KnownOperation { is_counted: false, ..KnownOperation::of_model(OPENAI_GET_MODEL) },
    KnownOperation { is_counted: false, ..KnownOperation::plain(LIST_MODELS) },
    KnownOperation { is_counted: false, ..KnownOperation::plain(OPENAI_LIST_MODELS) },
];

/// All of them.
pub(crate) const KNOWN: [KnownOperation; OF_MODELS.len() + ROWS.len()] = {
    let mut known = [OF_MODELS[0]; OF_MODELS.len() + ROWS.len()];
    let mut at = 0;
    while at < known.len() {
        known[at] = if at < OF_MODELS.len() { OF_MODELS[at] } else { of_row(&ROWS[at - OF_MODELS.len()]) };
        at += 1;
    }
    known
};

/// A row as operators see it before anybody asks: what a model is asked counts, all else is free.
const fn of_row(row: &Row) -> KnownOperation {
    let Row { operation, takes_model, is_counted, .. } = *row;
    KnownOperation { takes_model, is_counted, ..KnownOperation::plain(operation) }
}
