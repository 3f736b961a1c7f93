//! Takes secrets out of text that leaves the house.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use aho_corasick::AhoCorasick;
use regex::bytes::Regex;

/// Replaces every known secret, and everything that looks like a provider's key, by asterisks of
/// the same length: lengths stay, so that neither framing nor `content-length` changes.
///
/// Cheap to clone; built anew when keys change.
#[derive(Clone)]
pub struct Redactor {
    known: Option<Arc<AhoCorasick>>,
    shapes: Option<Arc<Regex>>,
}

/// Shortest secret looked for. A shorter one would hit ordinary words.
const MIN_SECRET_BYTES: usize = 8;

impl Redactor {
    /// Looks for `secrets` to the letter and for `shapes`, the regular expressions in which
    /// providers print their keys.
    ///
    /// # Errors
    /// When a shape is no regular expression, or the automaton would be too large.
    pub fn new<'a>(
        secrets: impl IntoIterator<Item = &'a str>,
        shapes: &[&str],
    ) -> Result<Self, InvalidRedaction> {
        let secrets: Vec<&str> = secrets.into_iter().filter(|s| s.len() >= MIN_SECRET_BYTES).collect();
        let known = if secrets.is_empty() {
            None
        } else {
            Some(Arc::new(AhoCorasick::new(&secrets).map_err(|e| InvalidRedaction(e.to_string()))?))
        };
        let shapes = if shapes.is_empty() {
            None
        } else {
            Some(Arc::new(Regex::new(&shapes.join("|")).map_err(|e| InvalidRedaction(e.to_string()))?))
        };
        Ok(Self { known, shapes })
    }

    /// `bytes` without secrets; borrowed when there was none.
    pub fn scrub<'b>(&self, bytes: &'b [u8]) -> Cow<'b, [u8]> {
        let mut scrubbed = Cow::Borrowed(bytes);
        if let Some(known) = &self.known {
            let hits: Vec<_> = known.find_iter(bytes).map(|hit| hit.range()).collect();
            for hit in hits {
                scrubbed.to_mut()[hit].fill(b'*');
            }
        }
        if let Some(shapes) = &self.shapes {
            let hits: Vec<_> = shapes.find_iter(&scrubbed).map(|hit| hit.range()).collect();
            for hit in hits {
                scrubbed.to_mut()[hit].fill(b'*');
            }
        }
        scrubbed
    }

    /// `text` without secrets.
    pub fn scrub_text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match self.scrub(text.as_bytes()) {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
        }
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redactor")
    }
}

/// A redaction that cannot be compiled. Never carries the secret.
#[derive(Debug, thiserror::Error)]
#[error("cannot build the redactor: {0}")]
pub struct InvalidRedaction(String);

#[cfg(test)]
mod tests {
    use super::*;

    fn redactor() -> Redactor {
        Redactor::new(["secret-key-one", "tiny"], &[r"AIza[0-9A-Za-z_-]{35}"]).unwrap()
    }

    #[test]
    fn known_secrets_become_asterisks_of_the_same_length() {
        let scrubbed = redactor().scrub_text("Consumer 'api_key:secret-key-one' suspended").into_owned();
        assert_eq!(scrubbed, "Consumer 'api_key:**************' suspended");
    }

    #[test]
    fn key_shapes_are_found_without_being_known() {
        let made_up = format!("AIza{}", "x".repeat(35));
        assert!(!redactor().scrub_text(&format!("k={made_up}")).contains("AIza"));
    }

    #[test]
    fn clean_text_is_not_copied_and_short_secrets_do_not_eat_words() {
        assert!(matches!(redactor().scrub(b"a tiny word"), Cow::Borrowed(_)));
    }
}
