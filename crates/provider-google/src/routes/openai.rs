//! The routes of the OpenAI-compatible surface, below `/{version}/openai/` and `/openai/v1/`.

use std::borrow::Cow;

use http::Method;
use keygate_domain::{Operation, Right};
use keygate_provider::CallRejected;

use super::effect::Effect::{self, Ask, Change, Create, Delete, List, Read};
use super::path;
use super::route::{Route, not_served, wrong_method};
use super::table::{Row, asked, has_form, row};
use crate::operations as op;
use crate::references::named;

/// The version that stands for `/openai/v1/`: Google documents the compatible surface there.
pub(super) const VERSION: &str = "v1beta";

/// Collections whose names are part of the ids in them. SDKs put an id into a path as one segment, its slash
/// encoded: `client.models.retrieve("models/gemini-x")` asks for `/models/models%2Fgemini-x`.
const NAMED_IN_IDS: [&str; 3] = ["models", "batches", "videos"];

/// The path with such slashes as slashes. Any other encoded slash stays, and is refused.
pub(super) fn with_plain_ids(path: &str) -> Cow<'_, str> {
    if !path.contains("%2") {
        return Cow::Borrowed(path);
    }
    let plain = NAMED_IN_IDS.iter().fold(path.to_owned(), |path, collection| {
        let upper = path.replace(&format!("/{collection}%2F"), &format!("/{collection}/"));
        upper.replace(&format!("/{collection}%2f"), &format!("/{collection}/"))
    });
    Cow::Owned(plain)
}

/// All rows. Their order is that of the operations as operators see them.
#[rustfmt::skip]
pub(crate) const ROWS: [Row; 14] = [
    asked("POST", "/{version}/openai/chat/completions", op::CHAT_COMPLETIONS.0, Ask, Right::Chat),
    asked("POST", "/{version}/openai/embeddings", op::OPENAI_EMBEDDINGS.0, Ask, Right::Embed),
    asked("POST", "/{version}/openai/images/generations", op::OPENAI_IMAGES.0, Ask, Right::Chat),
    row("GET", "/{version}/openai/models", op::OPENAI_LIST_MODELS.0, List, Right::Chat),
    Row { takes_model: true, ..row("GET", "/{version}/openai/models/{model}", op::OPENAI_GET_MODEL.0, Read, Right::Chat) },
    asked("POST", "/{version}/openai/videos", op::OPENAI_CREATE_VIDEO.0, Create, Right::Chat),
    row("GET", "/{version}/openai/videos", "openai_list_videos", List, Right::Chat),
    row("GET", "/{version}/openai/videos/{video}", "openai_get_video", Read, Right::Chat),
    row("DELETE", "/{version}/openai/videos/{video}", "openai_delete_video", Delete, Right::Chat),
    row("GET", "/{version}/openai/videos/{video}/content", op::OPENAI_DOWNLOAD_VIDEO.0, Read, Right::Chat),
    row("POST", "/{version}/openai/batches", "openai_create_batch", Create, Right::Chat),
    row("GET", "/{version}/openai/batches", "openai_list_batches", List, Right::Chat),
    row("GET", "/{version}/openai/batches/{batch}", "openai_get_batch", Read, Right::Chat),
    row("POST", "/{version}/openai/batches/{batch}/cancel", "openai_cancel_batch", Change, Right::Chat),
];

/// Finds the route of a request below the surface's own part of the path.
///
/// # Errors
/// `NotFound` for an unknown one, `MethodNotAllowed` for a known one with another method.
pub(super) fn find(method: &Method, version: &str, rest: &[&str]) -> Result<Route, CallRejected> {
    // Google lists what it has as `models/…`, which clients then send back.
    let plain = match rest {
        [collection, again, _, ..] if collection == again && NAMED_IN_IDS.contains(collection) => &rest[1..],
        _ => rest,
    };
    let below: Vec<&str> = ["openai"].iter().chain(plain).copied().collect();
    let mut rows = ROWS.iter().filter(|row| has_form(row.template, &below));
    let first = rows.next().ok_or_else(not_served)?;
    let is_taken = |row: &&Row| row.method == method.as_str();
    let Some(row) = Some(first).filter(is_taken).or_else(|| rows.find(is_taken)) else {
        return Err(wrong_method(method, first.method, first.template));
    };
    let id = plain.get(1).copied();
    let is_model = plain.first() == Some(&"models");
    let tail: Vec<_> = rest.iter().map(|segment| path::encode(segment)).collect();
    Ok(Route {
        operation: row.operation,
        template: row.template,
        upstream_path: format!("/{version}/openai/{}", tail.join("/")),
        model: id.filter(|_| is_model).map(path::model).transpose()?,
        effect: row.effect,
        is_counted: row.is_counted,
        right: row.right,
        references: id.and_then(|id| named(&format!("{}/{id}", plain[0]))).into_iter().collect(),
    })
}

/// What an operation of this surface does on what a project keeps.
pub(super) fn effect_of(operation: Operation) -> Option<Effect> {
    ROWS.iter().find(|row| row.operation == operation).map(|row| row.effect)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("/v1beta/openai/models/models%2Fgemini-x", "/v1beta/openai/models/models/gemini-x")]
    #[case("/openai/v1/batches/batches%2fb-1/cancel", "/openai/v1/batches/batches/b-1/cancel")]
    #[case("/v1beta/openai/models/a%2F..%2Fb", "/v1beta/openai/models/a%2F..%2Fb")]
    #[case("/v1beta/openai/models", "/v1beta/openai/models")]
    fn an_id_is_as_good_encoded(#[case] path: &str, #[case] expected: &str) {
        assert_eq!(with_plain_ids(path), expected);
    }
}
