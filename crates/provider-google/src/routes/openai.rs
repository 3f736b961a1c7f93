//! The routes of the OpenAI-compatible surface, below `/{version}/openai/` and `/openai/v1/`.

use std::borrow::Cow;

use http::Method;
use keygate_domain::{Operation, Resource};
use keygate_provider::CallRejected;

use super::path;
use super::route::{Route, demand, not_served};
use crate::operations as op;

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

/// One route, with the methods it takes.
struct Known {
    template: &'static str,
    methods: &'static [(Method, Operation)],
}

const CHAT: Known = Known {
    template: "/{version}/openai/chat/completions",
    methods: &[(Method::POST, op::CHAT_COMPLETIONS)],
};
const EMBEDDINGS: Known =
    Known { template: "/{version}/openai/embeddings", methods: &[(Method::POST, op::OPENAI_EMBEDDINGS)] };
const IMAGES: Known =
    Known { template: "/{version}/openai/images/generations", methods: &[(Method::POST, op::OPENAI_IMAGES)] };
const MODELS: Known =
    Known { template: "/{version}/openai/models", methods: &[(Method::GET, op::OPENAI_LIST_MODELS)] };
const MODEL: Known =
    Known { template: "/{version}/openai/models/{model}", methods: &[(Method::GET, op::OPENAI_GET_MODEL)] };
const VIDEOS: Known = Known {
    template: "/{version}/openai/videos",
    methods: &[(Method::POST, op::OPENAI_CREATE_VIDEO), (Method::GET, op::OPENAI_READ_VIDEO)],
};
const VIDEO: Known = Known {
    template: "/{version}/openai/videos/{video}",
    methods: &[(Method::GET, op::OPENAI_READ_VIDEO), (Method::DELETE, op::OPENAI_CHANGE_VIDEO)],
};
const VIDEO_CONTENT: Known = Known {
    template: "/{version}/openai/videos/{video}/content",
    methods: &[(Method::GET, op::OPENAI_READ_VIDEO)],
};
const BATCHES: Known = Known {
    template: "/{version}/openai/batches",
    methods: &[(Method::POST, op::OPENAI_CREATE_BATCH), (Method::GET, op::OPENAI_READ_BATCH)],
};
const BATCH: Known =
    Known { template: "/{version}/openai/batches/{batch}", methods: &[(Method::GET, op::OPENAI_READ_BATCH)] };
const BATCH_CANCEL: Known = Known {
    template: "/{version}/openai/batches/{batch}/cancel",
    methods: &[(Method::POST, op::OPENAI_CHANGE_BATCH)],
};

/// The kind of a batch among resources.
pub(crate) const BATCH_KIND: &str = "batches";
/// The kind of a video that is being made.
pub(crate) const VIDEO_KIND: &str = "videos";

/// Finds the route of a request below the surface's own part of the path.
///
/// # Errors
/// `NotFound` for an unknown one, `MethodNotAllowed` for a known one with another method.
pub(super) fn find(method: &Method, version: &str, rest: &[&str]) -> Result<Route, CallRejected> {
    let (known, named) = known(rest).ok_or_else(not_served)?;
    let Some((_, operation)) = known.methods.iter().find(|(taken, _)| taken == method) else {
        demand(method, &known.methods[0].0, known.template)?;
        return Err(not_served());
    };
    let tail: Vec<_> = rest.iter().map(|segment| path::encode(segment)).collect();
    Ok(Route {
        operation: *operation,
        template: known.template,
        upstream_path: format!("/{version}/openai/{}", tail.join("/")),
        model: named.model.map(path::model).transpose()?,
        references: named.resource.into_iter().collect(),
    })
}

/// What a path names.
#[derive(Default)]
struct Named<'p> {
    model: Option<&'p str>,
    resource: Option<Resource>,
}

fn known<'p>(rest: &[&'p str]) -> Option<(Known, Named<'p>)> {
    let nothing = Named::default();
    let of = |kind, id: &str| Named { resource: Some(Resource::new(kind, id)), ..Named::default() };
    Some(match rest {
        ["chat", "completions"] => (CHAT, nothing),
        ["embeddings"] => (EMBEDDINGS, nothing),
        ["images", "generations"] => (IMAGES, nothing),
        ["models"] => (MODELS, nothing),
        // Google lists its models to OpenAI clients as `models/…`, which clients then send back.
        ["models", name] | ["models", "models", name] => {
            (MODEL, Named { model: Some(name), ..Named::default() })
        }
        ["videos"] => (VIDEOS, nothing),
        ["videos", id, "content"] | ["videos", "videos", id, "content"] => {
            (VIDEO_CONTENT, of(VIDEO_KIND, id))
        }
        ["videos", id] | ["videos", "videos", id] => (VIDEO, of(VIDEO_KIND, id)),
        ["batches"] => (BATCHES, nothing),
        ["batches", id, "cancel"] | ["batches", "batches", id, "cancel"] => {
            (BATCH_CANCEL, of(BATCH_KIND, id))
        }
        ["batches", id] | ["batches", "batches", id] => (BATCH, of(BATCH_KIND, id)),
        _ => return None,
    })
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
