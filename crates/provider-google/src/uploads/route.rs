//! Which requests send or fetch a file, and what each of them wants.

use http::{Method, StatusCode};
use keygate_domain::{Access, ErrorKind, Intent, Placement, Replay, Resource, Right, Spend, Streaming};
use keygate_provider::{CallRejected, Inbound};

use crate::operations as op;
use crate::query;
use crate::references::{self, is_version, named_in_path};
use crate::routes::{path, verb_of};

const START: &str = "/upload/{version}/{resource}";
const CHUNK: &str = "/upload/{version}/{resource}?upload_id={upload}";
const MEDIA: &str = "/download/{version}/{resource}:download";
const FILE: &str = "/{version}/files/{file}:download";
const STORE_MEDIA: &str = "/{version}/fileSearchStores/{store}/media/{media}?alt=media";
const ENVIRONMENT_FILE: &str = "/{version}/environments/{environment}/files/{path}?alt=media";

/// Whether a request is served here. Cheap for all others.
pub(crate) fn claims(inbound: &Inbound<'_>) -> bool {
    let path = inbound.path;
    is_upload(path) || path.starts_with("/download/") || is_media_of_api(inbound)
}

/// Whether the body is passed on as it comes.
pub(crate) fn streams_body(method: &Method, path: &str) -> bool {
    is_upload(path) && matches!(*method, Method::POST | Method::PUT | Method::PATCH)
}

/// Whether an answer is what was asked for: `308` says that more of an upload may come (the protocol with
/// `uploadType=resumable`), `304` that a file is known.
pub(crate) fn is_served(intent: &Intent, status: StatusCode) -> bool {
    let is_more_to_come = status == StatusCode::PERMANENT_REDIRECT && intent.operation == op::UPLOAD_CHUNK;
    let is_known = status == StatusCode::NOT_MODIFIED && intent.operation == op::DOWNLOAD;
    status.is_success() || is_more_to_come || is_known
}

/// A download that Google keeps in another place of its own.
pub(crate) fn onward(intent: &Intent, path_and_query: &str) -> Option<Intent> {
    let (path, query) = match path_and_query.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (path_and_query, None),
    };
    let is_download = intent.operation == op::DOWNLOAD && path.contains(":download");
    is_download.then(|| Intent { target: query::target(path.to_owned(), query), ..intent.clone() })
}

/// Understands a request that [`claims`] took.
///
/// # Errors
/// `BadRequest` for a path that tries to leave its segments, `NotFound` for one without a version,
/// `MethodNotAllowed`.
pub(crate) fn understand(inbound: &Inbound<'_>) -> Result<Intent, CallRejected> {
    let decoded = path::segments(inbound.path)?;
    let segments: Vec<&str> = decoded.iter().map(|segment| &**segment).collect();
    // What is named must be what is asked for.
    segments.last().map(|last| verb_of(last)).transpose()?;
    match segments.as_slice() {
        ["upload", version, rest @ ..] if is_version(version) && !rest.is_empty() => {
            upload(inbound, &segments, rest)
        }
        ["download", version, rest @ ..] if is_version(version) && !rest.is_empty() => {
            download(inbound, &segments, rest, MEDIA)
        }
        [version, rest @ ..] if is_version(version) => {
            let template = match rest.first() {
                Some(&"files") => FILE,
                Some(&"fileSearchStores") => STORE_MEDIA,
                Some(_) | None => ENVIRONMENT_FILE,
            };
            download(inbound, &segments, rest, template)
        }
        _ => Err(unknown()),
    }
}

fn upload(inbound: &Inbound<'_>, segments: &[&str], rest: &[&str]) -> Result<Intent, CallRejected> {
    if !streams_body(inbound.method, inbound.path) {
        return Err(not_allowed(inbound.method, START, "POST or PUT"));
    }
    let sent = Intent { replay: Replay::OnlyIfRefused, ..intent(inbound, segments) };
    Ok(match upload_id(inbound) {
        Some(id) => Intent {
            operation: op::UPLOAD_CHUNK,
            route: CHUNK,
            access: Access::Reference,
            references: vec![session(&id)],
            ..sent
        },
        None => Intent {
            operation: op::UPLOAD,
            route: START,
            references: named_in_path(rest).into_iter().collect(),
            user_units: 1,
            ..sent
        },
    })
}

fn download(
    inbound: &Inbound<'_>,
    segments: &[&str],
    rest: &[&str],
    template: &'static str,
) -> Result<Intent, CallRejected> {
    if *inbound.method != Method::GET {
        return Err(not_allowed(inbound.method, template, "GET"));
    }
    Ok(Intent {
        route: template,
        streaming: Streaming::File,
        references: named_in_path(rest).into_iter().collect(),
        ..intent(inbound, segments)
    })
}

/// What all of them have in common: no model, no tokens, and nothing that a budget counts.
fn intent(inbound: &Inbound<'_>, segments: &[&str]) -> Intent {
    Intent {
        operation: op::DOWNLOAD,
        route: MEDIA,
        target: query::target(written(segments), inbound.query),
        model: None,
        streaming: Streaming::Whole,
        replay: Replay::Safe,
        right: Right::Files,
        opens_session: false,
        user_units: 0,
        references: Vec::new(),
        placement: Placement::Any,
        access: Access::Token,
        estimate: Spend::default(),
        caller_deadline: inbound.server_timeout(),
    }
}

/// The path to ask for, built anew from what was understood; a verb stays one.
fn written(segments: &[&str]) -> String {
    let mut written = String::new();
    let last = segments.len().saturating_sub(1);
    for (at, segment) in segments.iter().enumerate() {
        written.push('/');
        match verb_of(segment) {
            Ok((id, Some(verb))) if at == last => written.extend([&*path::encode(id), ":", verb]),
            Ok(_) | Err(_) => written.push_str(&path::encode(segment)),
        }
    }
    written
}

/// The session of an upload. Its id is all that lets a request in, so it is known by its sum.
pub(super) fn session(id: &str) -> Resource {
    Resource::new("upload", references::sum(id))
}

/// The id of the session that a request continues. The first counts, and an empty one is none.
pub(super) fn upload_id(inbound: &Inbound<'_>) -> Option<String> {
    upload_id_in(inbound.query?)
}

/// The same in a query.
pub(super) fn upload_id_in(query: &str) -> Option<String> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let (_, id) = pairs.find(|(name, _)| query::decode(name).as_deref() == Some("upload_id"))?;
    query::decode(id).map(std::borrow::Cow::into_owned).filter(|id| !id.is_empty())
}

fn is_upload(path: &str) -> bool {
    path.starts_with("/upload/")
}

/// Media fetched on the paths of the API itself: `files/abc:download`, files of an environment, and what a search
/// in a store found.
fn is_media_of_api(inbound: &Inbound<'_>) -> bool {
    if *inbound.method != Method::GET {
        return false;
    }
    let mut segments = inbound.path.split('/').skip(2);
    match segments.next() {
        Some("files") => segments.next().is_some_and(|name| {
            segments.next().is_none() && query::decode(name).is_some_and(|name| name.ends_with(":download"))
        }),
        Some("environments") => segments.nth(1) == Some("files") && asks_for_media(inbound),
        Some("fileSearchStores") => segments.nth(1) == Some("media") && asks_for_media(inbound),
        _ => false,
    }
}

fn asks_for_media(inbound: &Inbound<'_>) -> bool {
    inbound.query_pairs().any(|(name, value)| matches!(name, "alt" | "$alt" | "%24alt") && value == "media")
}

fn unknown() -> CallRejected {
    let message = "This gateway does not serve this route of the Gemini API. Files are sent to \
        /upload/{version}/…, and fetched from /download/{version}/… and /{version}/files/{file}:download.";
    CallRejected::new(ErrorKind::NotFound, message)
}

fn not_allowed(actual: &Method, template: &str, wanted: &str) -> CallRejected {
    CallRejected::new(ErrorKind::MethodNotAllowed, format!("{template} takes {wanted}, not {actual}."))
}
