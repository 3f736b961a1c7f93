//! What a request names that belongs to somebody: in its path, and anywhere in its body.

mod collections;
mod key;
mod name;
mod rebase;
mod scan;
pub(crate) mod split;
mod text;

use std::collections::BTreeSet;

use keygate_domain::{ErrorKind, Resource};
use keygate_provider::CallRejected;

pub(crate) use collections::{CONTINUATION_LIFETIME, OTHER, collection};
pub(crate) use name::{auth_token, continuation, is_version, named, named_in_path, sum, with_id};
pub(crate) use rebase::at_providers;
pub(crate) use text::Text;

use key::Key;
use scan::Value;

/// Most resources that one request may name. More are refused, because those left out would not be checked.
const MOST_NAMED: usize = 1000;

/// Why a scan ended early: it found more than is looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Named;

/// Everything a body names, each once.
///
/// # Errors
/// `BadRequest` when it names too much.
pub(crate) fn in_body(body: &[u8]) -> Result<BTreeSet<Resource>, CallRejected> {
    let mut found = BTreeSet::new();
    let look = |value: Value<'_>| {
        found.extend(named_by(value.key, value.text));
        if found.len() > MOST_NAMED { Err(Named) } else { Ok(()) }
    };
    scan::values(body, look).map_err(|Named| {
        let message = format!("The request names more than {MOST_NAMED} resources. Send it in parts.");
        CallRejected::new(ErrorKind::BadRequest, message)
    })?;
    Ok(found)
}

/// What the fields of a form name. A field is a value as a whole; what stands in quotes within a text is text.
pub(crate) fn in_form(fields: &[(&str, &str)]) -> BTreeSet<Resource> {
    let named = fields.iter().filter_map(|(name, value)| {
        // A name needs no escapes, and a value is as it stands.
        named_by(Key::of(Text::bare(name.as_bytes())), Text::bare(value.as_bytes()))
    });
    named.collect()
}

/// As much of what an answer names as one request may.
pub(crate) fn in_answer(answer: &[u8]) -> BTreeSet<Resource> {
    let mut found = BTreeSet::new();
    let look = |value: Value<'_>| {
        found.extend(named_by(value.key, value.text));
        if found.len() >= MOST_NAMED { Err(Named) } else { Ok(()) }
    };
    // What was found until then is as good as all of it.
    let _ = scan::values(answer, look);
    found
}

fn named_by(key: Key, text: Text<'_>) -> Option<Resource> {
    // Most values are no names: those are looked at without being read.
    let has_slash =
        || memchr::memchr(b'/', text.raw()).is_some() || memchr::memmem::find(text.raw(), b"\\u").is_some();
    match key {
        Key::Prose | Key::Users => None,
        Key::Other => has_slash().then(|| name::in_value(&text.read()?))?,
        Key::Continuation => text.read().filter(|token| !token.is_empty()).map(|token| continuation(&token)),
        Key::Id(collection) => {
            let value = text.read()?;
            name::in_value(&value).or_else(|| with_id(collection, value.trim()))
        }
    }
}

#[cfg(test)]
mod tests;
