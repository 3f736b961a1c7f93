//! Knowledge: what is in its groups, and the places things are uploaded to.

use serde_json::{Value, json};

use super::catalogue::described;
use super::organizations::AnamWorld;
use super::routes::Route;
use super::rows::AnamRow;
use super::start::body;
use crate::wire::{Answer, Call};
use crate::world::Shared;

/// `POST /v1/voices/presigned-upload`
pub(super) fn presign_voice(world: &Shared, call: &Call) -> Result<Answer, Answer> {
    world.with(|world| {
        let caller = world.anam.admit(call).map_err(AnamRow::answer)?;
        body(call)?;
        let key = format!("audio-{}", uuid::Uuid::now_v7().simple());
        let url = format!("https://storage.example/{key}?signature=s");
        world.anam.catalogue.keep("audio", &key, &caller.organization, json!({"id": key}));
        Ok(Answer::json(200, &json!({"uploadUrl": url, "audioKey": key})))
    })
}

/// `POST /v1/knowledge/groups/{id}/search`: a bare array.
pub(super) fn search(world: &Shared, route: &Route, call: &Call) -> Result<Answer, Answer> {
    world.with(|world| {
        group(&world.anam, route, call)?;
        body(call)?;
        Ok(Answer::json(200, &json!([])))
    })
}

/// `GET /v1/knowledge/groups/{id}/documents`: a bare array.
pub(super) fn list(world: &Shared, route: &Route, call: &Call) -> Result<Answer, Answer> {
    world.with(|world| {
        let (group, _) = group(&world.anam, route, call)?;
        let documents = world.anam.catalogue.all("documents");
        let of_group: Vec<&Value> = documents.filter(|document| document["groupId"] == group).collect();
        Ok(Answer::json(200, &of_group))
    })
}

/// `POST /v1/knowledge/groups/{id}/documents`, with a form.
pub(super) fn create(world: &Shared, route: &Route, call: &Call) -> Result<Answer, Answer> {
    world.with(|world| {
        let (group, owner) = group(&world.anam, route, call)?;
        let mut document = described(call)?;
        let id = uuid::Uuid::now_v7().to_string();
        document["id"] = json!(id);
        document["groupId"] = json!(group);
        let answer = Answer::json(201, &document);
        world.anam.catalogue.keep("documents", &id, &owner, document);
        Ok(answer)
    })
}

/// `POST /v1/knowledge/groups/{id}/documents/presigned-upload`
pub(super) fn presign(world: &Shared, route: &Route, call: &Call) -> Result<Answer, Answer> {
    world.with(|world| {
        let (group, owner) = group(&world.anam, route, call)?;
        let id = uuid::Uuid::now_v7().to_string();
        let url = format!("https://storage.example/{id}?signature=s");
        world.anam.catalogue.keep("documents", &id, &owner, json!({"id": id, "groupId": group}));
        Ok(Answer::json(200, &json!({"uploadUrl": url, "documentId": id})))
    })
}

/// `POST /v1/knowledge/documents/{id}/confirm-upload`
pub(super) fn confirm(world: &Shared, route: &Route, call: &Call) -> Result<Answer, Answer> {
    world.with(|world| document(&world.anam, route, call).map(|document| Answer::json(200, document)))
}

/// `GET /v1/knowledge/documents/{id}/download`
pub(super) fn download(world: &Shared, route: &Route, call: &Call) -> Result<Answer, Answer> {
    world.with(|world| {
        let document = document(&world.anam, route, call)?;
        let url =
            format!("https://storage.example/{}?signature=s", document["id"].as_str().unwrap_or_default());
        Ok(Answer::json(200, &json!({"downloadUrl": url, "filename": "document.pdf"})))
    })
}

/// The group in the path and its owner. The token of an upload stands in for a key.
fn group(anam: &AnamWorld, route: &Route, call: &Call) -> Result<(String, String), Answer> {
    let id = route.id.as_deref().unwrap_or_default();
    let owner = anam.catalogue.item("knowledge", id).and_then(|(owner, _)| owner);
    if call.header("x-upload-token").is_some_and(|token| token == format!("upload-{id}")) {
        let owner = owner.ok_or_else(|| AnamRow::ResourceNotFound.answer())?;
        return Ok((id.to_owned(), owner.to_owned()));
    }
    let caller = anam.admit(call).map_err(AnamRow::answer)?;
    match owner {
        Some(owner) if owner == caller.organization => Ok((id.to_owned(), owner.to_owned())),
        _ => Err(AnamRow::ResourceNotFound.answer()),
    }
}

/// The document in the path, if it is the caller's.
fn document<'a>(anam: &'a AnamWorld, route: &Route, call: &Call) -> Result<&'a Value, Answer> {
    let caller = anam.admit(call).map_err(AnamRow::answer)?;
    let found = anam.catalogue.item("documents", route.id.as_deref().unwrap_or_default());
    let own = found.filter(|(owner, _)| *owner == Some(caller.organization.as_str()));
    own.map(|(_, document)| document).ok_or_else(|| AnamRow::ResourceNotFound.answer())
}
