//! Takes secrets out of text that leaves the house.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use regex::bytes::Regex;
use secrecy::{ExposeSecret, SecretString};

use crate::known_secrets::KnownSecrets;

/// Replaces every known secret, and everything that looks like a provider's key, by asterisks of
/// the same length: lengths stay, so that neither framing nor `content-length` changes.
///
/// Cheap to clone, and all clones know the same: what one [learns](Self::learn) holds at once in
/// every log, span and answer. So it can be taught a key before anybody is lent it, wherever the
/// key may come to be printed.
#[derive(Clone)]
pub struct Redactor {
    patterns: Arc<ArcSwap<Patterns>>,
}

/// What is looked for.
#[derive(Clone)]
struct Patterns {
    /// Oldest first.
    secrets: Arc<[SecretString]>,
    known: Option<Arc<KnownSecrets>>,
    shapes: Option<Arc<Regex>>,
}

/// Shortest secret looked for. A shorter one would hit ordinary words.
const MIN_SECRET_BYTES: usize = 8;

/// Most secrets known that are not in use any more. What has been a secret once is kept out of
/// sight for as long as it may still be on its way somewhere, but not without end.
const MOST_FORMER_SECRETS: usize = 4096;

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
        let shapes = if shapes.is_empty() {
            None
        } else {
            Some(Arc::new(Regex::new(&shapes.join("|")).map_err(|e| InvalidRedaction(e.to_string()))?))
        };
        let nothing = Patterns { secrets: Arc::new([]), known: None, shapes };
        let patterns = nothing.after_learning(secrets)?;
        Ok(Self { patterns: Arc::new(ArcSwap::from_pointee(patterns)) })
    }

    /// Looks for these secrets too from here on, in every clone. Takes as long as all of them
    /// together need: not for a thread that serves. Meant for one teacher; of two at once, what
    /// one teaches may be lost.
    ///
    /// # Errors
    /// When the automaton would be too large; then nothing changes.
    pub fn learn<'a>(&self, secrets: impl IntoIterator<Item = &'a str>) -> Result<(), InvalidRedaction> {
        let patterns = self.patterns.load().after_learning(secrets)?;
        self.patterns.store(Arc::new(patterns));
        Ok(())
    }

    /// `bytes` without secrets; borrowed when there was none.
    pub fn scrub<'b>(&self, bytes: &'b [u8]) -> Cow<'b, [u8]> {
        let patterns = self.patterns.load();
        let mut scrubbed = Cow::Borrowed(bytes);
        if let Some(known) = &patterns.known {
            for hit in known.find_in(bytes) {
                scrubbed.to_mut()[hit].fill(b'*');
            }
        }
        if let Some(shapes) = &patterns.shapes {
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

impl Patterns {
    /// The same with these secrets, which are in use; of the others the latest stay.
    fn after_learning<'a>(
        &self,
        in_use: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, InvalidRedaction> {
        let in_use: BTreeSet<&str> =
            in_use.into_iter().filter(|secret| secret.len() >= MIN_SECRET_BYTES).collect();
        let former = self.secrets.iter().filter(|secret| !in_use.contains(secret.expose_secret()));
        let former: Vec<SecretString> = former.cloned().collect();
        let forgotten = former.len().saturating_sub(MOST_FORMER_SECRETS);
        let secrets: Arc<[SecretString]> =
            former.into_iter().skip(forgotten).chain(in_use.into_iter().map(SecretString::from)).collect();
        if secrets.is_empty() {
            return Ok(Self { secrets, known: None, shapes: self.shapes.clone() });
        }
        let known = KnownSecrets::new(&secrets).map_err(|e| InvalidRedaction(e.to_string()))?;
        Ok(Self { secrets, known: Some(Arc::new(known)), shapes: self.shapes.clone() })
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
    fn what_one_learns_all_clones_know_and_nothing_is_forgotten_soon() {
        let (redactor, clone) = (redactor(), redactor());
        let elsewhere = redactor.clone();
        redactor.learn(["secret-key-two", "tiny"]).unwrap();
        let text = "secret-key-one secret-key-two tiny";
        assert_eq!(elsewhere.scrub_text(text), "************** ************** tiny");
        assert_eq!(clone.scrub_text(text), "************** secret-key-two tiny", "another redactor");
        let made_up = format!("AIza{}", "x".repeat(35));
        assert!(!elsewhere.scrub_text(&made_up).contains("AIza"), "shapes stay");
    }

    #[test]
    fn secrets_in_use_are_never_forgotten() {
        let redactor = Redactor::new(["first-of-all"], &[]).unwrap();
        for generation in 0..4 {
            let secrets: Vec<String> = (0..2_000).map(|key| format!("secret-{generation}-{key}")).collect();
            redactor.learn(secrets.iter().map(String::as_str).chain(["first-of-all"])).unwrap();
        }
        let scrubbed =
            redactor.scrub_text("first-of-all secret-3-1999 secret-2-1000 secret-0-1").into_owned();
        assert_eq!(scrubbed, "************ ************* ************* secret-0-1");
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
