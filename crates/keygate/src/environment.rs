//! The process environment as a map, so that what reads it can be tested with another.

use std::collections::BTreeMap;

/// All variables that are valid UTF-8; others cannot be any of ours.
pub(crate) fn read() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}
