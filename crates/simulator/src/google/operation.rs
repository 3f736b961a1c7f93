//! The operations of Gemini, and what they are called.

/// What is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Operation {
    ListModels,
    GetModel,
    Generate,
    StreamGenerate,
    CountTokens,
    Embed,
    BatchEmbed,
    Chat,
    ChatEmbeddings,
    ChatListModels,
    ChatGetModel,
    ChatImages,
    ChatCreateVideo,
    ChatCreateBatch,
    ChatGetJob,
    ChatListJobs,
    ChatVideoContent,
    ChatCancelBatch,
    ChatDeleteVideo,
    CreateInteraction,
    GetInteraction,
    CancelInteraction,
    DeleteInteraction,
    StartUpload,
    ContinueUpload,
    ListFiles,
    GetFile,
    DeleteFile,
    DownloadFile,
    CreateCache,
    ListCaches,
    GetCache,
    PatchCache,
    DeleteCache,
    CreateToken,
    RegisterFiles,
    CreateBatch,
    ListBatches,
    GetBatch,
    CancelBatch,
    Predict,
    PredictLongRunning,
    CreateKept,
    ListKept,
    GetKept,
    PatchKept,
    DeleteKept,
    ActOnKept,
    Live,
    Unknown,
}

impl Operation {
    /// Its name in counts, records and scripts.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ListModels => "models.list",
            Self::GetModel => "models.get",
            Self::Generate => "generateContent",
            Self::StreamGenerate => "streamGenerateContent",
            Self::CountTokens => "countTokens",
            Self::Embed => "embedContent",
            Self::BatchEmbed => "batchEmbedContents",
            Self::Chat => "chat.completions",
            Self::ChatEmbeddings => "openai.embeddings",
            Self::ChatListModels => "openai.models.list",
            Self::ChatGetModel => "openai.models.get",
            Self::ChatImages => "openai.images",
            Self::ChatCreateVideo => "openai.videos.create",
            Self::ChatCreateBatch => "openai.batches.create",
            Self::ChatGetJob => "openai.jobs.get",
            Self::ChatListJobs => "openai.jobs.list",
            Self::ChatVideoContent => "openai.videos.content",
            Self::ChatCancelBatch => "openai.batches.cancel",
            Self::ChatDeleteVideo => "openai.videos.delete",
            Self::CreateInteraction => "interactions.create",
            Self::GetInteraction => "interactions.get",
            Self::CancelInteraction => "interactions.cancel",
            Self::DeleteInteraction => "interactions.delete",
            Self::StartUpload => "files.upload.start",
            Self::ContinueUpload => "files.upload",
            Self::ListFiles => "files.list",
            Self::GetFile => "files.get",
            Self::DeleteFile => "files.delete",
            Self::DownloadFile => "files.download",
            Self::CreateCache => "cachedContents.create",
            Self::ListCaches => "cachedContents.list",
            Self::GetCache => "cachedContents.get",
            Self::PatchCache => "cachedContents.patch",
            Self::DeleteCache => "cachedContents.delete",
            Self::CreateToken => "authTokens.create",
            Self::RegisterFiles => "files.register",
            Self::CreateBatch => "batches.create",
            Self::ListBatches => "batches.list",
            Self::GetBatch => "batches.get",
            Self::CancelBatch => "batches.cancel",
            Self::Predict => "predict",
            Self::PredictLongRunning => "predictLongRunning",
            Self::CreateKept => "kept.create",
            Self::ListKept => "kept.list",
            Self::GetKept => "kept.get",
            Self::PatchKept => "kept.patch",
            Self::DeleteKept => "kept.delete",
            Self::ActOnKept => "kept.act",
            Self::Live => "live",
            Self::Unknown => "unknown",
        }
    }

    /// The service's method, as some errors name it.
    pub(crate) fn rpc(self) -> &'static str {
        match self {
            Self::ListModels | Self::ChatListModels => "ModelService.ListModels",
            Self::GetModel | Self::ChatGetModel => "ModelService.GetModel",
            Self::StreamGenerate => "GenerativeService.StreamGenerateContent",
            Self::CountTokens => "GenerativeService.CountTokens",
            Self::Embed | Self::ChatEmbeddings => "GenerativeService.EmbedContent",
            Self::BatchEmbed => "GenerativeService.BatchEmbedContents",
            Self::StartUpload | Self::ContinueUpload => "FileService.CreateFile",
            Self::ListFiles => "FileService.ListFiles",
            Self::GetFile => "FileService.GetFile",
            Self::DeleteFile => "FileService.DeleteFile",
            Self::DownloadFile => "FileService.DownloadFile",
            Self::CreateCache => "CacheService.CreateCachedContent",
            Self::ListCaches => "CacheService.ListCachedContents",
            Self::GetCache => "CacheService.GetCachedContent",
            Self::PatchCache => "CacheService.UpdateCachedContent",
            Self::DeleteCache => "CacheService.DeleteCachedContent",
            Self::CreateToken => "AuthTokenService.CreateToken",
            Self::RegisterFiles => "FileService.RegisterFiles",
            Self::CreateBatch => "GenerativeService.BatchGenerateContent",
            Self::ListBatches => "BatchService.ListBatches",
            Self::GetBatch => "BatchService.GetBatch",
            Self::CancelBatch => "BatchService.CancelBatch",
            Self::Predict => "PredictionService.Predict",
            Self::PredictLongRunning => "PredictionService.PredictLongRunning",
            Self::CreateKept => "ResourceService.Create",
            Self::ListKept => "ResourceService.List",
            Self::GetKept => "ResourceService.Get",
            Self::PatchKept => "ResourceService.Update",
            Self::DeleteKept => "ResourceService.Delete",
            Self::ActOnKept => "ResourceService.Act",
            Self::Live => "GenerativeService.BidiGenerateContent",
            Self::CreateInteraction
            | Self::GetInteraction
            | Self::CancelInteraction
            | Self::DeleteInteraction => "InteractionService.CreateInteraction",
            Self::Generate
            | Self::Chat
            | Self::ChatImages
            | Self::ChatCreateVideo
            | Self::ChatCreateBatch
            | Self::ChatGetJob
            | Self::ChatListJobs
            | Self::ChatVideoContent
            | Self::ChatCancelBatch
            | Self::ChatDeleteVideo
            | Self::Unknown => "GenerativeService.GenerateContent",
        }
    }
}
