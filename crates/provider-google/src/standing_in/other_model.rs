//! The same request of another model.

use bytes::{Bytes, BytesMut};
use keygate_domain::{Intent, ModelName};
use keygate_provider::{Inbound, OtherModel};

use crate::members::members;
use crate::operations as op;
use crate::routes::encode;

/// The request with `model` in the place of the model that it names: in the path or in the body, with every
/// other byte as it came. Only for what is answered in words: what another model makes of an embedding is no
/// use beside the first one's.
pub(crate) fn of_other_model(
    intent: &Intent,
    inbound: &Inbound<'_>,
    model: &ModelName,
) -> Option<OtherModel> {
    let named = intent.model.as_ref()?;
    match intent.operation {
        op::GENERATE_CONTENT | op::STREAM_GENERATE_CONTENT => {
            let path = intent.target.split('?').next()?;
            let (before, rest) = path.split_once("/models/")?;
            let (_, verb) = rest.rsplit_once(':')?;
            let path = format!("{before}/models/{}:{verb}", encode(model.as_str()));
            let body = renamed(inbound.body, named, model).unwrap_or_else(|| inbound.body.clone());
            Some(OtherModel { path, body })
        }
        op::CHAT_COMPLETIONS | op::CREATE_INTERACTION => {
            Some(OtherModel { path: inbound.path.to_owned(), body: renamed(inbound.body, named, model)? })
        }
        _ => None,
    }
}

/// The body with another model; nothing if it names none.
fn renamed(body: &Bytes, named: &ModelName, model: &ModelName) -> Option<Bytes> {
    let root = members(body)?;
    let mut models = root.iter().filter(|member| member.name(body).is_some_and(|name| name == "model"));
    let (only, None) = (models.next()?, models.next()) else { return None };
    let written: String = serde_json::from_slice(body.get(only.value.clone())?).ok()?;
    let short = written.strip_prefix("models/").filter(|short| *short == named.as_str());
    let name = match short {
        Some(_) => format!("models/{}", model.as_str()),
        None if written == named.as_str() => model.as_str().to_owned(),
        None => return None,
    };
    let mut other = BytesMut::from(&body[..only.value.start]);
    other.extend_from_slice(serde_json::Value::from(name).to_string().as_bytes());
    other.extend_from_slice(&body[only.value.end..]);
    Some(other.freeze())
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Method};
    use keygate_provider::Origin;
    use rstest::rstest;

    use super::*;
    use crate::routes::understand;

    fn other(path: &str, query: Option<&str>, body: &str) -> Option<(String, String)> {
        let (headers, body) = (HeaderMap::new(), Bytes::copy_from_slice(body.as_bytes()));
        let origin = Origin::INSIDE;
        let inbound = Inbound {
            method: &Method::POST,
            path,
            query,
            headers: &headers,
            body: &body,
            origin,
            request_id: "a request",
        };
        let other = of_other_model(&understand(&inbound).unwrap(), &inbound, &ModelName::new("n/2"))?;
        Some((other.path, String::from_utf8(other.body.to_vec()).unwrap()))
    }

    #[rstest]
    #[case(
        "/v1beta/models/m:generateContent",
        r#"{"contents":[]}"#,
        "/v1beta/models/n%2F2:generateContent",
        r#"{"contents":[]}"#
    )]
    #[case(
        "/v1beta/models/m:streamGenerateContent",
        r#"{"model" : "models/m" , "x":1}"#,
        "/v1beta/models/n%2F2:streamGenerateContent",
        r#"{"model" : "models/n/2" , "x":1}"#
    )]
    #[case(
        "/v1beta/openai/chat/completions",
        r#"{"messages":[{"model":"m"}], "model":"m","n":1.0}"#,
        "/v1beta/openai/chat/completions",
        r#"{"messages":[{"model":"m"}], "model":"n/2","n":1.0}"#
    )]
    #[case(
        "/v1beta/interactions",
        r#"{"model":"m","input":"x"}"#,
        "/v1beta/interactions",
        r#"{"model":"n/2","input":"x"}"#
    )]
    fn the_model_alone_changes(#[case] path: &str, #[case] body: &str, #[case] to: &str, #[case] sent: &str) {
        assert_eq!(other(path, Some("alt=sse&key=k"), body), Some((to.to_owned(), sent.to_owned())));
    }

    #[rstest]
    #[case("/v1beta/models/m:embedContent", "{}")]
    #[case("/v1beta/models/m:countTokens", "{}")]
    #[case("/v1beta/tunedModels/m:generateContent", "{}")]
    #[case("/v1beta/interactions", r#"{"agent":"m","input":"x"}"#)]
    #[case("/v1beta/openai/embeddings", r#"{"model":"m","input":"x"}"#)]
    fn what_is_of_one_model_stays_so(#[case] path: &str, #[case] body: &str) {
        assert_eq!(other(path, None, body), None);
    }
}
