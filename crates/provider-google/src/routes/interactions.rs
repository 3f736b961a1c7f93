//! The routes of Interactions, below `/{version}/interactions`.

use std::borrow::Cow;

use http::Method;
use keygate_domain::Resource;
use keygate_provider::CallRejected;

use super::path;
use super::route::{Route, demand, not_served};
use crate::operations as op;
use crate::usage::INTERACTION;

/// Finds the route of a request below `interactions`.
///
/// # Errors
/// `NotFound` for an unknown one, `MethodNotAllowed` for a known one with another method.
pub(super) fn find(method: &Method, version: &str, rest: &[&str]) -> Result<Route, CallRejected> {
    let (operation, template, id) = match rest {
        [] => {
            demand(method, &Method::POST, "/{version}/interactions")?;
            (op::CREATE_INTERACTION, "/{version}/interactions", None)
        }
        [id] => {
            let template = "/{version}/interactions/{interaction}";
            if method == Method::DELETE {
                (op::CHANGE_INTERACTION, template, Some(id))
            } else {
                demand(method, &Method::GET, template)?;
                (op::GET_INTERACTION, template, Some(id))
            }
        }
        [id, "cancel"] => {
            let template = "/{version}/interactions/{interaction}/cancel";
            demand(method, &Method::POST, template)?;
            (op::CHANGE_INTERACTION, template, Some(id))
        }
        _ => return Err(not_served()),
    };
    let tail: Vec<_> = [Cow::Borrowed("interactions")]
        .into_iter()
        .chain(rest.iter().map(|segment| path::encode(segment)))
        .collect();
    Ok(Route {
        operation,
        template,
        upstream_path: format!("/{version}/{}", tail.join("/")),
        model: None,
        references: id.map(|id| Resource::new(INTERACTION, *id)).into_iter().collect(),
    })
}
