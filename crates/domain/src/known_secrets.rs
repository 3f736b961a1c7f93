//! Finding thousands of secrets in text, to the letter.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::ops::Range;

use aho_corasick::{AhoCorasick, BuildError};
use secrecy::{ExposeSecret, SecretString};

/// An automaton for the beginnings of secrets; what begins like one is compared whole.
///
/// Of the whole secrets, ten thousand random ones, an automaton has 400,000 states: with what it takes
/// to build it that was more memory than all else of them together.
pub(crate) struct KnownSecrets {
    beginnings: AhoCorasick,
    /// In the order of their text.
    secrets: Vec<SecretString>,
    /// The lengths that secrets have, the longest first.
    lengths: Vec<usize>,
}

/// How much of a secret is looked for first. Providers' keys begin alike for up to eight bytes.
const BEGINNING_BYTES: usize = 12;

impl KnownSecrets {
    /// # Errors
    /// When the automaton would be too large.
    pub(crate) fn new(secrets: &[SecretString]) -> Result<Self, BuildError> {
        let mut secrets = secrets.to_vec();
        secrets.sort_unstable_by(|one, other| one.expose_secret().cmp(other.expose_secret()));
        let texts = || secrets.iter().map(|secret| secret.expose_secret().as_bytes());
        let beginnings: BTreeSet<&[u8]> =
            texts().map(|text| &text[..text.len().min(BEGINNING_BYTES)]).collect();
        let lengths: BTreeSet<Reverse<usize>> = texts().map(|text| Reverse(text.len())).collect();
        Ok(Self {
            beginnings: AhoCorasick::new(beginnings)?,
            lengths: lengths.into_iter().map(|Reverse(length)| length).collect(),
            secrets,
        })
    }

    /// Where secrets stand in `bytes`; they may overlap.
    pub(crate) fn find_in(&self, bytes: &[u8]) -> impl Iterator<Item = Range<usize>> {
        self.beginnings.find_overlapping_iter(bytes).filter_map(move |hit| {
            let length = self.longest_at_the_start_of(&bytes[hit.start()..])?;
            Some(hit.start()..hit.start() + length)
        })
    }

    fn longest_at_the_start_of(&self, bytes: &[u8]) -> Option<usize> {
        self.lengths.iter().copied().find(|length| {
            let is_known = |text: &[u8]| {
                self.secrets.binary_search_by(|secret| secret.expose_secret().as_bytes().cmp(text)).is_ok()
            };
            bytes.get(..*length).is_some_and(is_known)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From where to where.
    fn found(secrets: &[&str], text: &str) -> Vec<(usize, usize)> {
        let secrets: Vec<SecretString> = secrets.iter().map(|secret| SecretString::from(*secret)).collect();
        let known = KnownSecrets::new(&secrets).unwrap();
        known.find_in(text.as_bytes()).map(|range| (range.start, range.end)).collect()
    }

    #[test]
    fn a_beginning_alone_is_no_secret() {
        assert!(found(&["a-long-secret-of-one"], "a-long-secret-of-two").is_empty());
        assert!(found(&["a-long-secret-of-one"], "a-long-secret-of").is_empty());
    }

    #[test]
    fn of_secrets_that_begin_alike_the_longest_is_meant() {
        let secrets = ["beginning-of-it", "beginning-of-it-all", "beginning-of-them"];
        assert_eq!(found(&secrets, "<beginning-of-it-all>"), [(1, 20)]);
        assert_eq!(found(&secrets, "<beginning-of-it-a>"), [(1, 16)]);
        assert_eq!(found(&secrets, "beginning-of-them"), [(0, 17)]);
    }

    #[test]
    fn one_that_begins_within_a_beginning_is_found() {
        assert_eq!(found(&["aaaaaaaab", "aaaaaaaaaaaaaaaa-no"], "aaaaaaaaaaaaab"), [(5, 14)]);
    }

    /// Against a comparison at every position.
    #[test]
    fn every_letter_of_every_secret_is_covered() {
        let mut state = 7_u64;
        let mut draw = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        for _ in 0..300 {
            let mut word = |length: u64| -> String {
                (0..length).map(|_| if draw(5) == 0 { 'b' } else { 'a' }).collect()
            };
            let secrets: Vec<String> = (0..6).map(|number| word(8 + number * 2)).collect();
            let text = word(120);
            let texts: Vec<&str> = secrets.iter().map(String::as_str).collect();
            let covered = |ranges: &[(usize, usize)]| -> Vec<bool> {
                (0..text.len())
                    .map(|at| ranges.iter().any(|(start, end)| (*start..*end).contains(&at)))
                    .collect()
            };
            let plain: Vec<(usize, usize)> = (0..text.len())
                .flat_map(|at| texts.iter().map(move |secret| (at, *secret)))
                .filter(|(at, secret)| text[*at..].starts_with(secret))
                .map(|(at, secret)| (at, at + secret.len()))
                .collect();
            assert_eq!(covered(&found(&texts, &text)), covered(&plain), "{secrets:?} in {text}");
        }
    }
}
