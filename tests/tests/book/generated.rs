//! Pages that are made of something else: compared, or written anew.

use std::fs;

use super::markdown::house;

/// Set to write the pages anew instead of comparing them.
const UPDATE: &str = "UPDATE_BOOK";

/// Fails if the page does not say what it should, and says how to mend it.
pub(super) fn is_current(page: &str, should_be: &str) {
    let path = house().join("docs/reference").join(page);
    if std::env::var_os(UPDATE).is_some() {
        fs::write(&path, should_be).unwrap();
    }
    let is = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        is == should_be,
        "run `{UPDATE}=1 cargo test -p keygate-tests --test book` and commit docs/reference/{page}"
    );
}

/// A text of several lines as one, fit for a cell of a table.
pub(super) fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}
