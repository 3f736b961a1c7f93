//! The way into Gemini: routes, access, models, then the operation.

use jiff::Timestamp;

use super::catalogue::Kind;
use super::error::GoogleError;
use super::operation::Operation;
use super::projects::{Caller, GoogleWorld, Project};
use super::routes::Route;
use super::rows::{GoogleRow, Scene};
use super::{
    batches, caches, chat, compatible, downloads, embed, files, generate, interactions, kept, live, models,
    tokens, uploads,
};
use crate::record::RequestRecord;
use crate::script::{Row, ScriptedAnswer};
use crate::wire::{Answer, Call, Framing};
use crate::world::{Provider, Shared};

/// A call that was let in.
pub(super) struct Gate<'a> {
    pub(super) caller: Caller,
    pub(super) scene: Scene,
    pub(super) route: &'a Route,
}

/// Serves a call.
pub(crate) fn serve(world: &Shared, route: &Route, call: &mut Call) -> Answer {
    // A key that is sent has to be one, although an upload is continued without any.
    let is_keyed = call.header("x-goog-api-key").is_some() || call.parameter("key").is_some();
    let served = if route.operation == Operation::Live {
        Ok(live::connect(world, route, call))
    } else if route.operation == Operation::ContinueUpload {
        let entered = if is_keyed { enter(world, route, call).map(drop) } else { Ok(()) };
        entered.map(|()| uploads::proceed(world, call))
    } else if route.operation == Operation::Unknown {
        Ok(unknown(world, route, call))
    } else {
        served(world, route, call)
    };
    served.unwrap_or_else(|error| error.answer(route.dialect))
}

fn served(world: &Shared, route: &Route, call: &Call) -> Result<Answer, GoogleError> {
    let gate = enter(world, route, call)?;
    let kind = world.with(|world| model_kind(&world.google, route, &gate))?;
    match route.operation {
        Operation::Generate | Operation::StreamGenerate
            if world.with(|world| world.google.check_tuned(&gate)).is_err() =>
        {
            Err(kept::forbidden(route.id.as_deref().unwrap_or_default()))
        }
        Operation::Generate => generate::generate(world, route, call, &gate),
        Operation::StreamGenerate => generate::stream(world, route, call, &gate),
        Operation::CountTokens => generate::count_tokens(call),
        Operation::Embed => embed::one(world, call, &gate),
        Operation::BatchEmbed => embed::batch(world, call, &gate),
        Operation::ChatEmbeddings => embed::compatible(world, route, call, &gate),
        Operation::Chat => chat::complete(world, route, call, &gate),
        Operation::ListModels => Ok(gate.look(world, |project| models::list(route, call, project))),
        Operation::ChatListModels => Ok(gate.look(world, |project| models::compatible_list(route, project))),
        Operation::GetModel => Ok(models::get(named(route), kind.unwrap_or(Kind::Chat))),
        Operation::ChatGetModel => Ok(models::compatible_get(named(route))),
        Operation::ChatImages => compatible::images(world, call, &gate),
        Operation::ChatCreateVideo => compatible::create_video(world, call, &gate),
        Operation::ChatCreateBatch => compatible::create_batch(world, call, &gate),
        Operation::ChatGetJob => compatible::get(world, &gate),
        Operation::ChatListJobs => Ok(compatible::list(world, call, &gate)),
        Operation::ChatVideoContent => compatible::content(world, &gate),
        Operation::ChatCancelBatch => compatible::cancel(world, &gate),
        Operation::ChatDeleteVideo => compatible::delete(world, &gate),
        Operation::CreateInteraction => interactions::create(world, call, &gate),
        Operation::GetInteraction => interactions::get(world, call, &gate),
        Operation::CancelInteraction => interactions::cancel(world, &gate),
        Operation::DeleteInteraction => interactions::delete(world, &gate),
        Operation::StartUpload => uploads::start(world, route, call, &gate),
        Operation::ListFiles => Ok(files::list(world, call, &gate)),
        Operation::GetFile => files::get(world, &gate),
        Operation::DeleteFile => files::delete(world, &gate),
        Operation::DownloadFile => downloads::download(world, call, &gate),
        Operation::CreateCache => caches::create(world, call, &gate),
        Operation::ListCaches => Ok(caches::list(world, call, &gate)),
        Operation::GetCache => caches::get(world, &gate),
        Operation::PatchCache => caches::patch(world, call, &gate),
        Operation::DeleteCache => caches::delete(world, &gate),
        Operation::CreateToken => tokens::create(world, call, &gate),
        Operation::RegisterFiles => batches::register(world, call, &gate),
        Operation::CreateBatch => batches::create(world, call, &gate),
        Operation::ListBatches => Ok(batches::list(world, call, &gate)),
        Operation::GetBatch => batches::get(world, &gate),
        Operation::CancelBatch => batches::cancel(world, &gate),
        Operation::Predict => Ok(batches::predict()),
        Operation::PredictLongRunning => batches::long_running(world, call, &gate),
        Operation::CreateKept => kept::create(world, call, &gate),
        Operation::ListKept => kept::list(world, call, &gate),
        Operation::GetKept => kept::get(world, &gate),
        Operation::PatchKept => kept::patch(world, call, &gate),
        Operation::DeleteKept => kept::delete(world, &gate),
        Operation::ActOnKept => kept::act(world, call, &gate),
        Operation::ContinueUpload | Operation::Live | Operation::Unknown => Ok(page_not_found(call)),
    }
}

impl Gate<'_> {
    /// Looks at the caller's project.
    fn look<T>(&self, world: &Shared, look: impl FnOnce(Option<&Project>) -> T) -> T {
        world.with(|world| look(world.google.project(&self.caller.project)))
    }
}

/// Lets the caller in.
pub(super) fn enter<'a>(world: &Shared, route: &'a Route, call: &Call) -> Result<Gate<'a>, GoogleError> {
    world.with(|world| {
        let caller = world.google.admit(call, route)?;
        let scene = world.google.scene(route, Some(&caller), "");
        Ok(Gate { caller, scene, route })
    })
}

/// The kind of the model named, if one is; it must exist for this version, project and operation.
pub(super) fn model_kind(
    google: &GoogleWorld,
    route: &Route,
    gate: &Gate<'_>,
) -> Result<Option<Kind>, GoogleError> {
    let Some(name) = route.model.as_deref() else {
        let needs_model = matches!(route.operation, Operation::Chat | Operation::ChatEmbeddings);
        return if needs_model { Err(GoogleError::invalid("model is not specified")) } else { Ok(None) };
    };
    let project = google.project(&gate.caller.project);
    if project
        .is_some_and(|project| project.declared.withdrawn_models.iter().any(|withdrawn| withdrawn == name))
    {
        return Err(GoogleRow::ModelWithdrawn.error(&gate.scene));
    }
    let kind = models::kind_of(name, &route.version, project);
    let kind = kind.filter(|kind| fits(*kind, route.operation));
    kind.map(Some).ok_or_else(|| GoogleRow::ModelNotFound.error(&gate.scene))
}

fn fits(kind: Kind, operation: Operation) -> bool {
    let is_chat = matches!(operation, Operation::Generate | Operation::StreamGenerate | Operation::Chat);
    let is_embedding =
        matches!(operation, Operation::Embed | Operation::BatchEmbed | Operation::ChatEmbeddings);
    (!is_chat || kind == Kind::Chat) && (!is_embedding || kind == Kind::Embedding)
}

fn named(route: &Route) -> &str {
    route.model.as_deref().unwrap_or_default()
}

/// What is no route: a page, but on an API version the credentials are looked at first.
fn unknown(world: &Shared, route: &Route, call: &Call) -> Answer {
    let is_api = call.path.starts_with(&format!("/{}/", route.version));
    match enter(world, route, call) {
        Err(error) if is_api => error.answer(route.dialect),
        _ => page_not_found(call),
    }
}

fn page_not_found(call: &Call) -> Answer {
    let path = call.raw_path.replace('&', "&amp;").replace('<', "&lt;");
    let page = format!(
        "<!DOCTYPE html>\n<html lang=en>\n  <title>Error 404 (Not Found)!!1</title>\n  <p><b>404.</b> <ins>That\u{2019}s an error.</ins>\n  <p>The requested URL <code>{path}</code> was not found on this server.  <ins>That\u{2019}s all we know.</ins>\n"
    );
    Answer::new(404, "text/html; charset=UTF-8", page)
}

/// Adds the headers every answer of Google has.
pub(super) fn framed(answer: Answer) -> Answer {
    answer
        .with("vary", "Origin, X-Origin, Referer")
        .with("server", "scaffolding on HTTPServer2")
        .with("x-xss-protection", "0")
        .with("x-frame-options", "SAMEORIGIN")
        .with("x-content-type-options", "nosniff")
        .with("server-timing", "gfet4t7; dur=1")
}

/// An answer by script: the row in the shape of the surface, or an empty 200.
pub(crate) fn scripted(world: &Shared, route: &Route, call: &Call, scripted: &ScriptedAnswer) -> Answer {
    let Some(Row::Google(row)) = scripted.row else {
        return framed(Answer::new(scripted.status.unwrap_or(200), "application/json; charset=UTF-8", "{}"));
    };
    let scene = world.with(|world| {
        let asker = world.google.asker(call);
        let caller = asker.project.map(|project| Caller { key: asker.key.unwrap_or_default(), project });
        let mut scene = world.google.scene(route, caller.as_ref(), "unknown");
        scene.retry = scripted.retry.unwrap_or(scene.retry);
        scene.limit = scripted.limit.unwrap_or(scene.limit);
        scene
    });
    row.error(&scene).answer(route.dialect)
}

/// An error as it stands inside a stream of this framing.
pub(crate) fn error_in_stream(
    row: Option<GoogleRow>,
    framing: Framing,
    is_first: bool,
    bare: bool,
) -> String {
    let scene = GoogleWorld::default().scene(&Route::anonymous(), None, "");
    let error = row.unwrap_or(GoogleRow::Overloaded).error(&scene);
    let body = error.line();
    match framing {
        _ if bare => format!("{body}\n"),
        Framing::Sse => format!("data: {body}\r\n\r\n"),
        Framing::SseLineFeed => format!("data: {body}\n\n"),
        Framing::NamedEvents => interactions::error_event(&error),
        Framing::JsonArray => format!("{}{body}]", if is_first { "[" } else { ",\r\n" }),
        Framing::Bytes => body,
    }
}

/// The record of a call.
pub(crate) fn record(google: &GoogleWorld, route: &Route, call: &Call, at: Timestamp) -> RequestRecord {
    let label = |secret: &str| google.label_of(secret);
    RequestRecord {
        operation: route.operation.name().to_owned(),
        model: route.model.clone(),
        credentials: google.credentials_seen(call),
        ..RequestRecord::of(call, Provider::Google, at, &label)
    }
}
