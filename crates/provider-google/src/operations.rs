//! The names of Google's operations, as traces and exclusions show them.

use keygate_domain::Operation;
use keygate_provider::KnownOperation;

use crate::live::{LIVE, LIVE_MUSIC};
use crate::routes::{OPENAI_ROWS, ROWS, Row};

/// `:generateContent`.
pub(crate) const GENERATE_CONTENT: Operation = Operation("generate_content");
/// `:streamGenerateContent`.
pub(crate) const STREAM_GENERATE_CONTENT: Operation = Operation("stream_generate_content");
/// `dynamic/{model}:streamGenerateContent`.
pub(crate) const DYNAMIC_STREAM_GENERATE_CONTENT: Operation = Operation("dynamic_stream_generate_content");
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
/// `POST /openai/images/generations`.
pub(crate) const OPENAI_IMAGES: Operation = Operation("openai_images");
/// `GET /openai/models`.
pub(crate) const OPENAI_LIST_MODELS: Operation = Operation("openai_list_models");
/// `GET /openai/models/{model}`.
pub(crate) const OPENAI_GET_MODEL: Operation = Operation("openai_get_model");
/// `POST /openai/videos`.
pub(crate) const OPENAI_CREATE_VIDEO: Operation = Operation("openai_create_video");
/// `GET /openai/videos/{video}/content`.
pub(crate) const OPENAI_DOWNLOAD_VIDEO: Operation = Operation("openai_download_video");

/// `POST /upload/…`: an upload begun, or made in one piece.
pub(crate) const UPLOAD: Operation = Operation("upload");
/// `POST /upload/…?upload_id=…`: an upload continued.
pub(crate) const UPLOAD_CHUNK: Operation = Operation("upload_chunk");
/// `GET …:download`.
pub(crate) const DOWNLOAD: Operation = Operation("download");

/// `POST /interactions`.
pub(crate) const CREATE_INTERACTION: Operation = Operation("create_interaction");
/// `GET /interactions/{interaction}`.
pub(crate) const GET_INTERACTION: Operation = Operation("get_interaction");

/// Those whose answers only tell what a model says, or what models there are.
pub(crate) const SPEAKS_ONLY: [Operation; 11] = [
    GENERATE_CONTENT,
    STREAM_GENERATE_CONTENT,
    COUNT_TOKENS,
    EMBED_CONTENT,
    BATCH_EMBED_CONTENTS,
    LIST_MODELS,
    GET_MODEL,
    CHAT_COMPLETIONS,
    OPENAI_EMBEDDINGS,
    OPENAI_LIST_MODELS,
    OPENAI_GET_MODEL,
];

/// An operation that reads, sends or ends what no quota counts.
const fn free(operation: Operation) -> KnownOperation {
    KnownOperation { is_counted: false, ..KnownOperation::plain(operation) }
}

/// Those that stand in no table, the usual one first.
const FIRST: [KnownOperation; 12] = [
    KnownOperation::of_model(GENERATE_CONTENT),
    KnownOperation::of_model(STREAM_GENERATE_CONTENT),
    KnownOperation::of_model(COUNT_TOKENS),
    KnownOperation::of_model(EMBED_CONTENT),
    KnownOperation::of_model(BATCH_EMBED_CONTENTS),
    KnownOperation { opens_session: true, ..KnownOperation::of_model(LIVE) },
    KnownOperation { opens_session: true, ..KnownOperation::of_model(LIVE_MUSIC) },
    KnownOperation { is_counted: false, ..KnownOperation::of_model(GET_MODEL) },
    free(LIST_MODELS),
    free(UPLOAD),
    free(UPLOAD_CHUNK),
    free(DOWNLOAD),
];

/// Those that stand in a table.
const OF_ROWS: usize = OPENAI_ROWS.len() + ROWS.len();

/// All of them.
pub(crate) const KNOWN: [KnownOperation; FIRST.len() + OF_ROWS] = {
    let mut known = [FIRST[0]; FIRST.len() + OF_ROWS];
    let mut at = 0;
    while at < known.len() {
        known[at] = if at < FIRST.len() {
            FIRST[at]
        } else if at < FIRST.len() + OPENAI_ROWS.len() {
            of_row(&OPENAI_ROWS[at - FIRST.len()])
        } else {
            of_row(&ROWS[at - FIRST.len() - OPENAI_ROWS.len()])
        };
        at += 1;
    }
    known
};

/// A row as operators see it before anybody asks: what a model is asked counts, all else is free.
const fn of_row(row: &Row) -> KnownOperation {
    let Row { operation, takes_model, is_counted, .. } = *row;
    KnownOperation { takes_model, is_counted, ..KnownOperation::plain(operation) }
}
