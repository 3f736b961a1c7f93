//! The names of Google's operations, as traces and exclusions show them.

use keygate_domain::Operation;
use keygate_provider::KnownOperation;

use crate::live::{LIVE, LIVE_MUSIC};

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

/// `POST /upload/…`: an upload begun, or made in one piece.
pub(crate) const UPLOAD: Operation = Operation("upload");
/// `POST /upload/…?upload_id=…`: an upload continued.
pub(crate) const UPLOAD_CHUNK: Operation = Operation("upload_chunk");
/// `GET …:download`.
pub(crate) const DOWNLOAD: Operation = Operation("download");

/// `POST /openai/images/generations`.
pub(crate) const OPENAI_IMAGES: Operation = Operation("openai_images");
/// `POST /openai/videos`.
pub(crate) const OPENAI_CREATE_VIDEO: Operation = Operation("openai_create_video");
/// `GET /openai/videos…`.
pub(crate) const OPENAI_READ_VIDEO: Operation = Operation("openai_read_video");
/// `DELETE /openai/videos/{video}`.
pub(crate) const OPENAI_CHANGE_VIDEO: Operation = Operation("openai_change_video");
/// `POST /openai/batches`.
pub(crate) const OPENAI_CREATE_BATCH: Operation = Operation("openai_create_batch");
/// `GET /openai/batches…`.
pub(crate) const OPENAI_READ_BATCH: Operation = Operation("openai_read_batch");
/// `POST /openai/batches/{batch}/cancel`.
pub(crate) const OPENAI_CHANGE_BATCH: Operation = Operation("openai_change_batch");
/// `POST /interactions`.
pub(crate) const CREATE_INTERACTION: Operation = Operation("create_interaction");
/// `GET /interactions/{interaction}`.
pub(crate) const GET_INTERACTION: Operation = Operation("get_interaction");
/// `DELETE /interactions/{interaction}` and `POST /interactions/{interaction}/cancel`.
pub(crate) const CHANGE_INTERACTION: Operation = Operation("change_interaction");

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

/// An operation that reads or ends what there is already; it counts in nobody's quota.
const fn of_existing(operation: Operation) -> KnownOperation {
    KnownOperation { is_counted: false, ..KnownOperation::plain(operation) }
}

/// All of them, the usual one first. Reads of the catalogue are free.
pub(crate) const KNOWN: [KnownOperation; 26] = [
    KnownOperation::of_model(GENERATE_CONTENT),
    KnownOperation::of_model(STREAM_GENERATE_CONTENT),
    KnownOperation::of_model(COUNT_TOKENS),
    KnownOperation::of_model(EMBED_CONTENT),
    KnownOperation::of_model(BATCH_EMBED_CONTENTS),
    KnownOperation::of_model(CHAT_COMPLETIONS),
    KnownOperation::of_model(OPENAI_EMBEDDINGS),
    KnownOperation { opens_session: true, ..KnownOperation::of_model(LIVE) },
    KnownOperation { opens_session: true, ..KnownOperation::of_model(LIVE_MUSIC) },
    KnownOperation::of_model(OPENAI_IMAGES),
    KnownOperation::of_model(OPENAI_CREATE_VIDEO),
    KnownOperation::of_model(CREATE_INTERACTION),
    KnownOperation::plain(OPENAI_CREATE_BATCH),
    KnownOperation { is_counted: false, ..KnownOperation::of_model(GET_MODEL) },
    KnownOperation { is_counted: false, ..KnownOperation::of_model(OPENAI_GET_MODEL) },
    of_existing(LIST_MODELS),
    of_existing(OPENAI_LIST_MODELS),
    of_existing(UPLOAD),
    of_existing(UPLOAD_CHUNK),
    of_existing(DOWNLOAD),
    of_existing(OPENAI_READ_VIDEO),
    of_existing(OPENAI_CHANGE_VIDEO),
    of_existing(OPENAI_READ_BATCH),
    of_existing(OPENAI_CHANGE_BATCH),
    of_existing(GET_INTERACTION),
    of_existing(CHANGE_INTERACTION),
];
