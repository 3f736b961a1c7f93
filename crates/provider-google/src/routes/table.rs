//! The routes of everything that Google keeps (facts/gemini.md §1), row by row.

use keygate_domain::{Operation, Right};

use super::effect::Effect::{self, Ask, Change, Create, Delete, List, Read};

/// A method and a form of path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// The method taken.
    pub method: &'static str,
    /// The path: `{x}` stands for one segment, `{x}:verb` for one with a verb, `{x...}` for one or more.
    pub template: &'static str,
    /// The operation it is.
    pub operation: Operation,
    /// What it does.
    pub effect: Effect,
    /// What a client must be allowed to do.
    pub right: Right,
    /// Whether it names a model, in its path or its body, in whose quotas it counts.
    pub takes_model: bool,
    /// Whether it counts as a request at the provider. What only reads, keeps and tidies up does not, and a
    /// batch has quotas of its own.
    pub is_counted: bool,
}

/// A row whose request counts in no model's quotas.
pub(super) const fn row(
    method: &'static str,
    template: &'static str,
    operation: &'static str,
    effect: Effect,
    right: Right,
) -> Row {
    let is_counted = matches!(effect, Ask);
    Row { method, template, operation: Operation(operation), effect, right, takes_model: false, is_counted }
}

/// A row whose request counts in a model's quotas.
pub(super) const fn asked(
    method: &'static str,
    template: &'static str,
    operation: &'static str,
    effect: Effect,
    right: Right,
) -> Row {
    Row { takes_model: true, is_counted: true, ..row(method, template, operation, effect, right) }
}

/// All rows; the first that matches is the route. Rows of one operation differ in their names, so that an
/// operator can ask for each.
#[rustfmt::skip]
pub(crate) const ROWS: [Row; 89] = [
    asked("POST", "/{version}/models/{model}:predict", "predict", Ask, Right::Chat),
    asked("POST", "/{version}/models/{model}:predictLongRunning", "predict_long_running", Create, Right::Chat),
    row("POST", "/{version}/models/{model}:batchGenerateContent", "batch_generate_content", Create, Right::Chat),
    row("POST", "/{version}/models/{model}:asyncBatchEmbedContent", "async_batch_embed_content", Create, Right::Embed),
    asked("POST", "/{version}/models/{model}:generateAnswer", "generate_answer", Ask, Right::Chat),
    asked("POST", "/{version}/models/{model}:generateMessage", "generate_message", Ask, Right::Chat),
    asked("POST", "/{version}/models/{model}:generateText", "generate_text", Ask, Right::Chat),
    asked("POST", "/{version}/models/{model}:embedText", "embed_text", Ask, Right::Embed),
    asked("POST", "/{version}/models/{model}:batchEmbedText", "batch_embed_text", Ask, Right::Embed),
    asked("POST", "/{version}/models/{model}:countMessageTokens", "count_message_tokens", Ask, Right::Chat),
    asked("POST", "/{version}/models/{model}:countTextTokens", "count_text_tokens", Ask, Right::Chat),
    asked("POST", "/{version}/dynamic/{model}:generateContent", "dynamic_generate_content", Ask, Right::Chat),
    asked("POST", "/{version}/dynamic/{model}:streamGenerateContent", "dynamic_stream_generate_content", Ask, Right::Chat),
    row("GET", "/{version}/models/{model}/operations", "list_model_operations", List, Right::Chat),
    row("GET", "/{version}/models/{model}/operations/{operation}", "get_model_operation", Read, Right::Chat),
    row("DELETE", "/{version}/models/{model}/operations/{operation}", "delete_model_operation", Delete, Right::Manage),
    row("POST", "/{version}/models/{model}/operations/{operation}:cancel", "cancel_model_operation", Change, Right::Chat),

    row("GET", "/{version}/batches", "list_batches", List, Right::Chat),
    row("GET", "/{version}/batches/{batch}", "get_batch", Read, Right::Chat),
    row("DELETE", "/{version}/batches/{batch}", "delete_batch", Delete, Right::Chat),
    row("POST", "/{version}/batches/{batch}:cancel", "cancel_batch", Change, Right::Chat),
    row("PATCH", "/{version}/batches/{batch}:updateGenerateContentBatch", "update_generate_content_batch", Change, Right::Chat),
    row("PATCH", "/{version}/batches/{batch}:updateEmbedContentBatch", "update_embed_content_batch", Change, Right::Embed),
    row("GET", "/{version}/operations", "list_operations", List, Right::Chat),
    row("GET", "/{version}/operations/{operation...}", "get_operation", Read, Right::Chat),
    row("DELETE", "/{version}/operations/{operation...}", "delete_operation", Delete, Right::Manage),

    row("GET", "/{version}/files", "list_files", List, Right::Files),
    row("POST", "/{version}/files", "create_file", Create, Right::Files),
    row("POST", "/{version}/files:register", "register_files", Create, Right::Files),
    row("GET", "/{version}/files/{file}", "get_file", Read, Right::Files),
    row("DELETE", "/{version}/files/{file}", "delete_file", Delete, Right::Files),
    row("GET", "/{version}/generatedFiles", "list_generated_files", List, Right::Files),
    row("GET", "/{version}/generatedFiles/{file}", "get_generated_file", Read, Right::Files),
    row("GET", "/{version}/generatedFiles/{file}/operations/{operation}", "get_generated_file_operation", Read, Right::Files),

    row("GET", "/{version}/cachedContents", "list_cached_contents", List, Right::Files),
    row("POST", "/{version}/cachedContents", "create_cached_content", Create, Right::Files),
    row("GET", "/{version}/cachedContents/{cache}", "get_cached_content", Read, Right::Files),
    row("PATCH", "/{version}/cachedContents/{cache}", "update_cached_content", Change, Right::Files),
    row("DELETE", "/{version}/cachedContents/{cache}", "delete_cached_content", Delete, Right::Files),

    row("GET", "/{version}/fileSearchStores", "list_file_search_stores", List, Right::Files),
    row("POST", "/{version}/fileSearchStores", "create_file_search_store", Create, Right::Files),
    row("GET", "/{version}/fileSearchStores/{store}", "get_file_search_store", Read, Right::Files),
    row("DELETE", "/{version}/fileSearchStores/{store}", "delete_file_search_store", Delete, Right::Files),
    row("POST", "/{version}/fileSearchStores/{store}:importFile", "import_file", Change, Right::Files),
    row("GET", "/{version}/fileSearchStores/{store}/documents", "list_documents", List, Right::Files),
    row("GET", "/{version}/fileSearchStores/{store}/documents/{document}", "get_document", Read, Right::Files),
    row("DELETE", "/{version}/fileSearchStores/{store}/documents/{document}", "delete_document", Delete, Right::Files),
    row("GET", "/{version}/fileSearchStores/{store}/operations/{operation}", "get_store_operation", Read, Right::Files),
    row("GET", "/{version}/fileSearchStores/{store}/upload/operations/{operation}", "get_store_upload_operation", Read, Right::Files),

    row("GET", "/{version}/tunedModels", "list_tuned_models", List, Right::Chat),
    row("POST", "/{version}/tunedModels", "create_tuned_model", Create, Right::Manage),
    row("GET", "/{version}/tunedModels/{model}", "get_tuned_model", Read, Right::Chat),
    row("PATCH", "/{version}/tunedModels/{model}", "update_tuned_model", Change, Right::Manage),
    row("DELETE", "/{version}/tunedModels/{model}", "delete_tuned_model", Delete, Right::Manage),
    row("GET", "/{version}/tunedModels/{model}/operations", "list_tuned_model_operations", List, Right::Chat),
    row("GET", "/{version}/tunedModels/{model}/operations/{operation}", "get_tuned_model_operation", Read, Right::Chat),

    row("POST", "/{version}/auth_tokens", "create_auth_token", Create, Right::Live),

    asked("POST", "/{version}/interactions", "create_interaction", Create, Right::Chat),
    row("GET", "/{version}/interactions/{interaction}", "get_interaction", Read, Right::Chat),
    row("DELETE", "/{version}/interactions/{interaction}", "delete_interaction", Delete, Right::Chat),
    row("POST", "/{version}/interactions/{interaction}/cancel", "cancel_interaction", Change, Right::Chat),
    row("POST", "/{version}/decisions", "create_decision", Ask, Right::Chat),

    row("GET", "/{version}/agents", "list_agents", List, Right::Chat),
    row("POST", "/{version}/agents", "create_agent", Create, Right::Manage),
    row("GET", "/{version}/agents/{agent}", "get_agent", Read, Right::Chat),
    row("DELETE", "/{version}/agents/{agent}", "delete_agent", Delete, Right::Manage),
    row("GET", "/{version}/environments", "list_environments", List, Right::Files),
    row("POST", "/{version}/environments", "create_environment", Create, Right::Manage),
    row("GET", "/{version}/environments/{environment}", "get_environment", Read, Right::Files),
    row("DELETE", "/{version}/environments/{environment}", "delete_environment", Delete, Right::Manage),
    row("GET", "/{version}/environments/{environment}/files/{path...}", "get_environment_files", Read, Right::Files),
    row("GET", "/{version}/environments/{environment}/files", "list_environment_files", List, Right::Files),
    row("GET", "/{version}/credentials", "list_credentials", List, Right::Manage),
    row("POST", "/{version}/credentials", "create_credential", Create, Right::Manage),
    row("GET", "/{version}/triggers", "list_triggers", List, Right::Manage),
    row("POST", "/{version}/triggers", "create_trigger", Create, Right::Manage),
    row("GET", "/{version}/triggers/{trigger}/executions", "list_trigger_executions", List, Right::Manage),
    row("POST", "/{version}/triggers/{trigger}/executions", "run_trigger", Create, Right::Manage),
    row("GET", "/{version}/voices", "list_voices", List, Right::Chat),
    row("POST", "/{version}/voices", "create_voice", Create, Right::Manage),
    row("GET", "/{version}/voices/{voice}", "get_voice", Read, Right::Chat),
    row("GET", "/{version}/webhooks", "list_webhooks", List, Right::Manage),
    row("POST", "/{version}/webhooks", "create_webhook", Create, Right::Manage),
    row("POST", "/{version}/webhooks/{webhook}:ping", "ping_webhook", Change, Right::Manage),
    row("POST", "/{version}/webhooks/{webhook}:rotateSigningSecret", "rotate_signing_secret", Change, Right::Manage),

    row("GET", "/{version}/corpora", "list_corpora", List, Right::Files),
    row("POST", "/{version}/corpora", "create_corpus", Create, Right::Files),
    row("GET", "/{version}/corpora/{corpus}", "get_corpus", Read, Right::Files),
    row("POST", "/{version}/corpora/{corpus}:query", "query_corpus", Ask, Right::Files),
];

/// Whether `segments`, the version left out, have the form of a template.
pub(super) fn has_form(template: &str, segments: &[&str]) -> bool {
    let mut forms = template.split('/').skip(2);
    let mut at = 0;
    loop {
        match (forms.next(), segments.get(at)) {
            (None, None) => return true,
            (Some(form), Some(_)) if form.ends_with("...}") => return forms.next().is_none(),
            (Some(form), Some(segment)) if fits(form, segment) => at += 1,
            _ => return false,
        }
    }
}

fn fits(form: &str, segment: &str) -> bool {
    let Some(placeholder) = form.strip_prefix('{') else { return form == segment };
    let verb = placeholder.split_once('}').map(|(_, behind)| behind).unwrap_or_default();
    match segment.rsplit_once(':') {
        Some((id, said)) => verb.strip_prefix(':') == Some(said) && !id.is_empty() && !id.contains(':'),
        None => verb.is_empty(),
    }
}
