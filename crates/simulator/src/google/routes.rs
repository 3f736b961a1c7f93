//! From a path to an operation of Gemini.

use http::Method;
use serde_json::Value;

use super::operation::Operation;
use crate::wire::Call;

/// The shape of errors a surface answers with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Dialect {
    Native,
    /// `/openai/…`: errors are an array with one object.
    OpenAi,
    /// `/interactions`: errors have a code in words.
    Interactions,
}

/// A request, understood.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Route {
    pub(crate) operation: Operation,
    /// `v1`, `v1beta`, `v1alpha`.
    pub(crate) version: String,
    /// The model, without `models/`.
    pub(crate) model: Option<String>,
    /// The resource's id.
    pub(crate) id: Option<String>,
    pub(crate) dialect: Dialect,
}

impl Route {
    /// Understands a request; chat calls name their model in the body.
    pub(crate) fn of(call: &Call) -> Self {
        let mut segments = call.segments();
        let is_upload = segments.first() == Some(&"upload");
        if is_upload || segments.first() == Some(&"download") {
            segments.remove(0);
        }
        if let ["ws", method] = segments.as_slice() {
            return Self::live(method);
        }
        let Some((version, rest)) = segments.split_first().filter(|(first, _)| is_version(first)) else {
            return Self::to(Operation::Unknown, "v1beta");
        };
        match rest {
            [_, ..] if is_upload => Self::upload(call, version),
            ["files", id] if is_download(call, id) => Self::download(version, id),
            ["openai", path @ ..] => Self::openai(call, version, path),
            ["interactions", path @ ..] => Self::interactions(call, version, path),
            _ => Self::native(&call.method, version, rest),
        }
    }

    /// A route of nobody in particular, for messages outside of a call.
    pub(crate) fn anonymous() -> Self {
        Self::to(Operation::Generate, "v1beta")
    }

    fn to(operation: Operation, version: &str) -> Self {
        Self { operation, version: version.to_owned(), model: None, id: None, dialect: Dialect::Native }
    }

    fn upload(call: &Call, version: &str) -> Self {
        let is_continued = call.parameter("upload_id").is_some();
        Self::to(if is_continued { Operation::ContinueUpload } else { Operation::StartUpload }, version)
    }

    fn download(version: &str, named: &str) -> Self {
        let id = named.strip_suffix(DOWNLOAD).unwrap_or(named).to_owned();
        Self { id: Some(id), ..Self::to(Operation::DownloadFile, version) }
    }

    fn live(method: &str) -> Self {
        let version = method
            .strip_prefix("google.ai.generativelanguage.")
            .and_then(|rest| rest.split_once('.'))
            .filter(|(version, rest)| {
                is_version(version)
                    && [
                        "GenerativeService.BidiGenerateContent",
                        "GenerativeService.BidiGenerateContentConstrained",
                    ]
                    .contains(rest)
            });
        version.map_or_else(
            || Self::to(Operation::Unknown, "v1beta"),
            |(version, _)| Self::to(Operation::Live, version),
        )
    }

    fn interactions(call: &Call, version: &str, path: &[&str]) -> Self {
        let (operation, id) = match (call.method.as_str(), path) {
            ("POST", []) => (Operation::CreateInteraction, None),
            ("GET", [id]) => (Operation::GetInteraction, Some((*id).to_owned())),
            ("DELETE", [id]) => (Operation::DeleteInteraction, Some((*id).to_owned())),
            ("POST", [id, "cancel"]) => (Operation::CancelInteraction, Some((*id).to_owned())),
            _ => (Operation::Unknown, None),
        };
        let model = if operation == Operation::CreateInteraction { model_in_body(call) } else { None };
        Self { model, id, dialect: Dialect::Interactions, ..Self::to(operation, version) }
    }

    fn openai(call: &Call, version: &str, path: &[&str]) -> Self {
        let body_model = || model_in_body(call);
        let mut id = None;
        let mut of = |operation, named: &str| {
            id = Some(named.to_owned());
            (operation, None)
        };
        let (operation, model) = match (call.method.as_str(), path) {
            ("POST", ["chat", "completions"]) => (Operation::Chat, body_model()),
            ("POST", ["embeddings"]) => (Operation::ChatEmbeddings, body_model()),
            ("GET", ["models"]) => (Operation::ChatListModels, None),
            ("GET", ["models", model] | ["models", "models", model]) => {
                (Operation::ChatGetModel, Some((*model).to_owned()))
            }
            ("POST", ["images", "generations"]) => (Operation::ChatImages, body_model()),
            ("POST", ["videos"]) => (Operation::ChatCreateVideo, body_model()),
            ("POST", ["batches"]) => (Operation::ChatCreateBatch, None),
            ("GET", ["videos" | "batches"]) => (Operation::ChatListJobs, None),
            ("GET", ["videos", "videos", id, "content"] | ["videos", id, "content"]) => {
                of(Operation::ChatVideoContent, id)
            }
            ("POST", ["batches", "batches", id, "cancel"] | ["batches", id, "cancel"]) => {
                of(Operation::ChatCancelBatch, id)
            }
            ("GET", ["videos" | "batches", id] | ["videos", "videos", id] | ["batches", "batches", id]) => {
                of(Operation::ChatGetJob, id)
            }
            ("DELETE", ["videos", "videos", id] | ["videos", id]) => of(Operation::ChatDeleteVideo, id),
            _ => (Operation::Unknown, None),
        };
        Self { model, id, dialect: Dialect::OpenAi, ..Self::to(operation, version) }
    }

    fn native(method: &Method, version: &str, rest: &[&str]) -> Self {
        use Operation as Op;
        let (operation, model, id) = match (method.as_str(), rest) {
            ("GET", ["models"]) => (Op::ListModels, None, None),
            ("GET", ["models", model]) => (Op::GetModel, Some(*model), None),
            ("POST", ["models", named]) => {
                let (model, action) = named.rsplit_once(':').unwrap_or((named, ""));
                (model_action(action), Some(model), None)
            }
            ("GET", ["files"]) => (Op::ListFiles, None, None),
            ("GET", ["files", id]) => (Op::GetFile, None, Some(*id)),
            ("DELETE", ["files", id]) => (Op::DeleteFile, None, Some(*id)),
            ("POST", ["cachedContents"]) => (Op::CreateCache, None, None),
            ("GET", ["cachedContents"]) => (Op::ListCaches, None, None),
            ("GET", ["cachedContents", id]) => (Op::GetCache, None, Some(*id)),
            ("PATCH", ["cachedContents", id]) => (Op::PatchCache, None, Some(*id)),
            ("DELETE", ["cachedContents", id]) => (Op::DeleteCache, None, Some(*id)),
            ("POST", ["auth_tokens"]) if version == "v1alpha" => (Op::CreateToken, None, None),
            ("POST", ["files:register"]) => (Op::RegisterFiles, None, None),
            ("POST", ["tunedModels", named]) if named.ends_with(":generateContent") => {
                let name = named.trim_end_matches(":generateContent");
                return Self { id: Some(format!("tunedModels/{name}")), ..Self::tuned(version) };
            }
            _ => return Self::kept(method, version, rest),
        };
        Self { model: model.map(str::to_owned), id: id.map(str::to_owned), ..Self::to(operation, version) }
    }

    /// A tuned model answers as the one it was made of.
    fn tuned(version: &str) -> Self {
        Self { model: Some("gemini-2.5-flash".to_owned()), ..Self::to(Operation::Generate, version) }
    }

    /// Everything else that a project keeps, by the shape of the path. `id` is its full name.
    fn kept(method: &Method, version: &str, rest: &[&str]) -> Self {
        use Operation as Op;
        let is_collection = |name: &str| COLLECTIONS.contains(&name);
        if !rest.first().is_some_and(|first| is_collection(first)) {
            return Self::to(Op::Unknown, version);
        }
        let is_item = rest.len().is_multiple_of(2) || rest.contains(&"operations");
        let has_verb = rest.last().is_some_and(|last| last.contains(':'));
        let operation = match (method.as_str(), rest) {
            ("POST", ["batches"]) | ("GET", ["models", _]) => Op::Unknown,
            ("GET", ["batches"]) => Op::ListBatches,
            ("GET", ["batches", _]) => Op::GetBatch,
            ("POST", ["batches", _]) => Op::CancelBatch,
            ("POST", _) if has_verb => Op::ActOnKept,
            ("POST", _) if !is_item => Op::CreateKept,
            ("GET", _) if is_item => Op::GetKept,
            ("GET", _) => Op::ListKept,
            ("PATCH", _) if is_item => Op::PatchKept,
            ("DELETE", _) if is_item => Op::DeleteKept,
            _ => Op::Unknown,
        };
        Self { id: Some(rest.join("/")), ..Self::to(operation, version) }
    }
}

/// The verb that asks for a file's bytes.
const DOWNLOAD: &str = ":download";

fn is_download(call: &Call, named: &str) -> bool {
    call.method == Method::GET && named.ends_with(DOWNLOAD)
}

fn model_in_body(call: &Call) -> Option<String> {
    if call.header("content-type").is_some_and(|kind| kind.starts_with("multipart/form-data")) {
        let body = String::from_utf8_lossy(&call.body);
        let (_, behind) = body.split_once("name=\"model\"\r\n\r\n")?;
        return Some(bare_model(behind.split("\r\n").next()?).to_owned());
    }
    let body: Value = call.json().ok()?;
    Some(bare_model(body.get("model")?.as_str()?).to_owned())
}

/// Collections of things that a project keeps, besides files and caches.
const COLLECTIONS: [&str; 13] = [
    "models",
    "batches",
    "operations",
    "fileSearchStores",
    "tunedModels",
    "corpora",
    "agents",
    "environments",
    "credentials",
    "triggers",
    "voices",
    "webhooks",
    "futures",
];

fn model_action(action: &str) -> Operation {
    match action {
        "generateContent" => Operation::Generate,
        "streamGenerateContent" => Operation::StreamGenerate,
        "countTokens" => Operation::CountTokens,
        "embedContent" => Operation::Embed,
        "batchEmbedContents" => Operation::BatchEmbed,
        "batchGenerateContent" | "asyncBatchEmbedContent" => Operation::CreateBatch,
        "predict" => Operation::Predict,
        "predictLongRunning" => Operation::PredictLongRunning,
        _ => Operation::Unknown,
    }
}

fn is_version(text: &str) -> bool {
    ["v1", "v1beta", "v1alpha"].contains(&text)
}

/// A model's name without `models/`.
pub(crate) fn bare_model(name: &str) -> &str {
    name.strip_prefix("models/").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("POST", "/v1/models/m:generateContent", Operation::Generate)]
    #[case("POST", "/v1beta/models/m%3AstreamGenerateContent?alt=sse", Operation::StreamGenerate)]
    #[case("POST", "/v1alpha/models/m:countTokens", Operation::CountTokens)]
    #[case("POST", "/v1/models/m:embedContent", Operation::Embed)]
    #[case("POST", "/v1/models/m:batchEmbedContents", Operation::BatchEmbed)]
    #[case("GET", "/v1beta/models", Operation::ListModels)]
    #[case("GET", "/v1beta/models/m", Operation::GetModel)]
    #[case("GET", "/v1beta/openai/models/m", Operation::ChatGetModel)]
    #[case("GET", "/v1beta/openai/models/models/m", Operation::ChatGetModel)]
    #[case("GET", "/v1beta/openai/models/models%2Fm", Operation::ChatGetModel)]
    #[case("GET", "/v1beta/openai/batches/batches%2Fb", Operation::ChatGetJob)]
    #[case("POST", "/v1beta/openai/images/generations", Operation::ChatImages)]
    #[case("POST", "/v1/interactions", Operation::CreateInteraction)]
    #[case("GET", "/v1/interactions/v1_a", Operation::GetInteraction)]
    #[case("POST", "/v1/interactions/v1_a/cancel", Operation::CancelInteraction)]
    #[case("PUT", "/v1/interactions", Operation::Unknown)]
    #[case("POST", "/upload/v1beta/files", Operation::StartUpload)]
    #[case("POST", "/upload/v1/files?upload_id=u", Operation::ContinueUpload)]
    #[case("PUT", "/upload/v1/environments/e/files/a/b.py", Operation::StartUpload)]
    #[case("POST", "/upload/v1/fileSearchStores/s:uploadToFileSearchStore", Operation::StartUpload)]
    #[case("GET", "/v1/files/f:download?alt=media", Operation::DownloadFile)]
    #[case("GET", "/download/v1beta/files/f%3Adownload?alt=media", Operation::DownloadFile)]
    #[case("POST", "/v1beta/auth_tokens", Operation::Unknown)]
    #[case("POST", "/v1alpha/auth_tokens", Operation::CreateToken)]
    #[case(
        "GET",
        "//ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent",
        Operation::Live
    )]
    #[case(
        "GET",
        "/ws/google.ai.generativelanguage.v9.GenerativeService.BidiGenerateContent",
        Operation::Unknown
    )]
    #[case("POST", "/v2/models/m:generateContent", Operation::Unknown)]
    #[case("GET", "/v1/models/m:generateContent", Operation::GetModel)]
    fn paths_name_operations(#[case] method: &str, #[case] path: &str, #[case] operation: Operation) {
        let route = Route::of(&Call::bare(method.parse().unwrap(), path));
        assert_eq!(route.operation, operation);
    }
}
