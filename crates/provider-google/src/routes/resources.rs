//! Routes of what Google keeps: by the table, or by the shape of the path where the table knows it not.
//!
//! Google adds routes faster than gateways are updated. One that nobody knew when this was written is passed
//! on with the same care: read as a collection, an item or a verb, sent again only if it reads, bound to the
//! owner of what it names, and asked for with a token that may manage things.

use http::Method;
use keygate_domain::{ErrorKind, ModelName, Operation, Right};
use keygate_provider::CallRejected;

use super::effect::Effect;
use super::path;
use super::route::Route;
use super::table::{ROWS, Row, has_form};
use crate::references::named_in_path;

/// Most segments of a path; Google's own have nine at most.
const MOST_SEGMENTS: usize = 24;

/// The form of a path that is in no table.
struct Shape {
    template: &'static str,
    operation: Operation,
    effect: Effect,
}

/// Finds the route of `segments` below a version.
///
/// # Errors
/// `BadRequest` for a name that would pass for a verb, or a path without end; `MethodNotAllowed` for a method
/// that no API of Google's has.
pub(super) fn find(method: &Method, version: &str, segments: &[&str]) -> Result<Route, CallRejected> {
    let (last, before) = segments.split_last().ok_or_else(malformed)?;
    let (id, verb) = verb_of(last)?;
    if segments.len() > MOST_SEGMENTS {
        return Err(malformed());
    }
    let row = ROWS.iter().find(|row| row.method == method.as_str() && has_form(row.template, segments));
    let Row { template, operation, effect, right, takes_model, is_counted, .. } = match row {
        Some(row) => *row,
        None => by_shape(method, segments, verb)?,
    };
    let mut upstream_path = format!("/{version}");
    for segment in before.iter().copied().chain([id]) {
        upstream_path.push('/');
        upstream_path.push_str(&path::encode(segment));
    }
    if let Some(verb) = verb {
        upstream_path.push(':');
        upstream_path.push_str(verb);
    }
    let model = if takes_model { model_of(segments, verb)? } else { None };
    let references = named_in_path(segments).into_iter().collect();
    Ok(Route { operation, template, upstream_path, model, effect, is_counted, right, references })
}

/// The verb behind the last colon. What is no word is part of the name.
///
/// # Errors
/// `BadRequest` for a verb of nothing, and for a name that would pass for a verb.
pub(crate) fn verb_of(segment: &str) -> Result<(&str, Option<&str>), CallRejected> {
    match segment.rsplit_once(':') {
        Some((id, verb)) if !verb.is_empty() && verb.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            if id.is_empty() || id.contains(':') { Err(malformed()) } else { Ok((id, Some(verb))) }
        }
        Some(_) | None => Ok((segment, None)),
    }
}

/// The model that a verb stands behind.
fn model_of(segments: &[&str], verb: Option<&str>) -> Result<Option<ModelName>, CallRejected> {
    let ([collection, name], Some(verb)) = (segments, verb) else { return Ok(None) };
    let name = path::model(&name[..name.len() - verb.len() - 1])?;
    // Each collection has a name space of its own: `x` and `dynamic/x` share no quota.
    Ok(Some(if *collection == "models" { name } else { ModelName::new(format!("{collection}/{name}")) }))
}

fn by_shape(method: &Method, segments: &[&str], verb: Option<&str>) -> Result<Row, CallRejected> {
    let is_item = segments.len().is_multiple_of(2);
    let shape = match (method.as_str(), verb) {
        ("GET", Some(_)) => shape("/{version}/{name}:{verb}", "read_other"),
        ("GET", None) if is_item => shape("/{version}/{name}", "get_other"),
        ("GET", None) => shape("/{version}/{collection}", "list_other"),
        ("POST", Some(verb)) => by_verb(verb),
        ("POST", None) if is_item => shape("/{version}/{name}", "change_other"),
        ("POST", None) => shape("/{version}/{collection}", "create_other"),
        ("PUT" | "PATCH", _) => shape("/{version}/{name}", "update_other"),
        ("DELETE", _) => shape("/{version}/{name}", "delete_other"),
        _ => {
            let message = format!("This route takes GET, POST, PATCH, PUT or DELETE, not {method}.");
            return Err(CallRejected::new(ErrorKind::MethodNotAllowed, message));
        }
    };
    let Shape { template, operation, effect } = shape;
    // What a model is asked counts, whatever it is.
    let is_asked = segments.len() == 2 && verb.is_some() && is_model(segments[0]);
    let right = right_of(segments, effect);
    Ok(Row { method: "", template, operation, effect, right, takes_model: is_asked, is_counted: is_asked })
}

fn is_model(collection: &str) -> bool {
    matches!(collection, "models" | "tunedModels" | "dynamic")
}

fn shape(template: &'static str, name: &'static str) -> Shape {
    let operation = Operation(name);
    let effect = Effect::of(operation).unwrap_or(Effect::Change);
    Shape { template, operation, effect }
}

/// A verb that nobody knows may do anything: it is sent again only if it was refused.
fn by_verb(verb: &str) -> Shape {
    let template = "/{version}/{name}:{verb}";
    if verb.starts_with("count") {
        return shape(template, "count_other");
    }
    shape(template, "act_on_other")
}

/// What is known of the collection holds for its unknown parts; what is not known is for managers.
fn right_of(segments: &[&str], effect: Effect) -> Right {
    let collection = segments.first().copied().unwrap_or_default();
    let known = ROWS.iter().find(|row| row.template.split('/').nth(2) == Some(collection));
    match (known, effect) {
        (Some(_), _) if is_model(collection) => Right::Chat,
        (Some(row), Effect::Ask | Effect::Read | Effect::List) => row.right,
        (Some(_) | None, _) => Right::Manage,
    }
}

fn malformed() -> CallRejected {
    CallRejected::new(
        ErrorKind::BadRequest,
        "The path is malformed: at most 24 segments, and one colon, which stands before the verb.",
    )
}
