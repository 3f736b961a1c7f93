//! Starting abroad: what of a mint another organisation can repeat, and the call that repeats it.
//!
//! A session token works only in the organisation that minted it. When that one cannot start the
//! session (no slot, no money), an equal token is minted elsewhere from the request that minted
//! the first, and the session is started with it. No SDK looks at its token again afterwards.

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};
use keygate_domain::{Access, Intent, Keepsake};
use keygate_provider::{Grant, Inbound, ProviderOptions, UpstreamRequest};
use serde_json::Value;

use crate::credentials::authorise;
use crate::routes::MINT_PATH;
use crate::{labels, personas};

/// What is needed to mint an equal token elsewhere: the body of the mint, if another
/// organisation can understand it.
///
/// Personas, tools and knowledge live in one organisation, so a body that names one stays home, unless it
/// is by a name that every organisation knows.
/// Avatars, voices and LLMs are taken for portable although an organisation may have its own: a
/// custom one cannot be told from a stock one by its id, most are stock, and a mint that fails
/// abroad over a custom one harms nobody (see the verdict on preparations).
///
/// What stays home is remembered by its label alone, see [`labels`].
pub(crate) fn keepsake(options: &ProviderOptions, inbound: &Inbound<'_>) -> Option<Keepsake> {
    let whole = || Keepsake::new(labels::with_mark(inbound, inbound.body.clone()));
    let portable = if is_portable(options, inbound.body) { whole() } else { None };
    portable.or_else(|| Keepsake::note(labels::only_mark(inbound)))
}

fn is_portable(options: &ProviderOptions, mint_body: &[u8]) -> bool {
    let body: Option<Value> = serde_json::from_slice(mint_body).ok();
    body.is_some_and(|body| body.is_object() && !is_bound_home(options, &body))
}

/// The mint that precedes a start abroad, under the key that was granted there.
pub(crate) fn preparation(
    options: &ProviderOptions,
    intent: &Intent,
    inbound: &Inbound<'_>,
    grant: &Grant<'_>,
) -> Option<UpstreamRequest> {
    if intent.access != Access::OwnCredential {
        return None;
    }
    let (key, keepsake) = (grant.key?, grant.away?);
    let json = HeaderValue::from_static("application/json");
    let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, json.clone()), (ACCEPT, json)]);
    authorise(&mut headers, Some(key.expose()));
    Some(UpstreamRequest {
        method: Method::POST,
        host: None,
        path_and_query: MINT_PATH.to_owned(),
        headers,
        body: labels::with_mark(inbound, personas::in_words_of(options, grant.group, keepsake.bytes())),
    })
}

/// Whether anything in there, at any depth, belongs to one organisation. Looks for the names
/// wherever they stand, because tools are configured inline in several shapes: a token kept home
/// for no reason costs a failover, one sent abroad for no reason costs a user's wait.
fn is_bound_home(options: &ProviderOptions, value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.iter().any(|(name, inner)| {
            (names_owned(name, inner) && !is_everywhere(options, inner)) || is_bound_home(options, inner)
        }),
        Value::Array(items) => items.iter().any(|item| is_bound_home(options, item)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn names_owned(name: &str, value: &Value) -> bool {
    let name = name.to_ascii_lowercase();
    let is_id = name.ends_with("id") || name.ends_with("ids");
    let of_knowledge = is_id && ["folder", "knowledge", "document"].iter().any(|word| name.contains(word));
    // A tool that searches knowledge can name it in any way.
    let is_knowledge_tool = name == "type" && value.as_str() == Some("SERVER_RAG");
    matches!(name.as_str(), "personaid" | "toolid" | "toolids") || of_knowledge || is_knowledge_tool
}

/// Nothing at all, or a name that every organisation knows.
fn is_everywhere(options: &ProviderOptions, value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty() || personas::is_alias(options, text),
        Value::Array(items) => items.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn is_kept(body: &str) -> bool {
        let personas = [("receptionist".to_owned(), std::collections::BTreeMap::new())].into();
        is_portable(&ProviderOptions { personas, ..ProviderOptions::default() }, body.as_bytes())
    }

    #[rstest]
    #[case::ephemeral(r#"{"personaConfig":{"name":"Cara","avatarId":"a","voiceId":"v","llmId":"l"}}"#)]
    #[case::bring_your_own_llm(r#"{"personaConfig":{"type":"ephemeral","llmId":"CUSTOMER_CLIENT_V1"}}"#)]
    #[case::livekit(r#"{"personaConfig":{},"environment":{"livekitUrl":"wss://l","livekitToken":"a.b.c"}}"#)]
    #[case::webhook_tool(
        r#"{"personaConfig":{"tools":[{"type":"SERVER_WEBHOOK","name":"t","config":{"url":"https://x"}}]}}"#
    )]
    #[case::no_tools(r#"{"personaConfig":{"toolIds":[],"personaId":null}}"#)]
    #[case::options(r#"{"clientLabel":"lab","sessionOptions":{"videoQuality":"high"},"expiresIn":"1h"}"#)]
    #[case::persona_of_all(r#"{"personaConfig":{"personaId":"receptionist"}}"#)]
    #[case::empty("{}")]
    fn a_portable_mint_is_kept(#[case] body: &str) {
        assert!(is_kept(body), "{body}");
    }

    #[rstest]
    #[case::persona(r#"{"personaConfig":{"personaId":"p1"}}"#)]
    #[case::persona_in_the_older_form(r#"{"personaId":"p1"}"#)]
    #[case::tools(r#"{"personaConfig":{"name":"Cara","toolIds":["t1"]}}"#)]
    #[case::folders(r#"{"personaConfig":{"tools":[{"name":"t","config":{"folderIds":["f"]}}]}}"#)]
    #[case::document_folders(r#"{"personaConfig":{"tools":[{"name":"t","documentFolderIds":["f"]}]}}"#)]
    #[case::knowledge(r#"{"personaConfig":{"knowledgeFolderIds":["f"]}}"#)]
    #[case::knowledge_group(r#"{"personaConfig":{"tools":[{"config":{"knowledgeGroupId":"g"}}]}}"#)]
    #[case::search_tool(r#"{"personaConfig":{"tools":[{"type":"SERVER_RAG","name":"t","config":{}}]}}"#)]
    #[case::not_json("<html>")]
    #[case::no_object("[]")]
    #[case::nothing("")]
    fn a_mint_that_is_bound_home_is_not_kept(#[case] body: &str) {
        assert!(!is_kept(body), "{body}");
    }
}
