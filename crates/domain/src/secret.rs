//! Secrets that cannot print themselves.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use memchr::memmem::Finder;
use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::KeyId;

/// A provider's API key. Prints `***` wherever a value can be printed.
#[derive(Clone)]
pub struct ApiKey {
    secret: Arc<Secret>,
    id: KeyId,
}

struct Secret {
    text: SecretString,
    /// Prepared once: every piece of every answer is searched for an echo of the key.
    finder: Finder<'static>,
}

impl ApiKey {
    /// Wraps a secret and computes its id.
    pub fn new(secret: impl Into<String>) -> Self {
        let text = SecretString::from(secret.into());
        let id = KeyId::new(fingerprint(text.expose_secret()));
        let finder = Finder::new(text.expose_secret()).into_owned();
        Self { secret: Arc::new(Secret { text, finder }), id }
    }

    /// The key's public id.
    pub fn id(&self) -> &KeyId {
        &self.id
    }

    /// The secret itself: the only way out, so that every use can be found by this name.
    pub fn expose(&self) -> &str {
        self.secret.text.expose_secret()
    }

    /// Where the secret stands in `bytes` first.
    pub fn find_in(&self, bytes: &[u8]) -> Option<usize> {
        self.secret.finder.find(bytes).filter(|_| !self.expose().is_empty())
    }

    /// What an operator may see of the key: the provider's public prefix (or, for an unknown
    /// format, the first three characters), never more.
    pub fn preview(&self, public_prefixes: &[&str]) -> String {
        let secret = self.expose();
        let shown = public_prefixes.iter().find(|prefix| secret.starts_with(**prefix)).map_or_else(
            || secret.chars().take(3).collect::<String>(),
            |prefix| {
                // `AIzaSy...`: two characters past the prefix are constant in every Google key.
                let constant = if *prefix == "AIza" { 6 } else { prefix.len() };
                secret.chars().take(constant).collect()
            },
        );
        format!("{shown}...")
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKey({} ***)", self.id)
    }
}

impl fmt::Display for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Serialize for ApiKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("***")
    }
}

impl PartialEq for ApiKey {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for ApiKey {}

fn fingerprint(secret: &str) -> String {
    let digest = Sha256::digest(secret.as_bytes());
    digest.iter().take(6).fold(String::with_capacity(12), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_way_of_printing_shows_the_secret() {
        let key = ApiKey::new("AIzaSy-not-a-real-key");
        let printed = format!("{key} {key:?} {}", serde_json::to_string(&key).unwrap());
        assert!(!printed.contains("not-a-real"), "{printed}");
        assert!(printed.contains("***"));
    }

    #[test]
    fn the_id_is_the_start_of_the_sha256() {
        // printf abc | sha256sum
        assert_eq!(ApiKey::new("abc").id().as_str(), "ba7816bf8f01");
    }

    #[test]
    fn previews_show_a_public_prefix_or_three_characters() {
        assert_eq!(ApiKey::new("AIzaSyXYZ").preview(&["AIza", "AQ."]), "AIzaSy...");
        assert_eq!(ApiKey::new("AQ.abcdef").preview(&["AIza", "AQ."]), "AQ....");
        assert_eq!(ApiKey::new("ünïcode").preview(&[]), "ünï...");
        assert_eq!(ApiKey::new("k").preview(&[]), "k...");
    }
}
