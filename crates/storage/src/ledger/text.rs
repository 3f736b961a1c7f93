//! Names as the ledger keeps them.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

/// A name that is longer is kept as its beginning and a sum of all of it. An index of PostgreSQL has
/// no room for 10 KB, and one user's name must not keep all others' rows out.
const LONGEST_BYTES: usize = 256;

/// A name as it is kept; two that differ are kept as two. PostgreSQL refuses NUL, too: `␀` is the
/// sign for it.
pub(super) fn kept(name: &str) -> String {
    if name.len() <= LONGEST_BYTES && !name.contains('\0') {
        return name.to_owned();
    }
    let mut kept = name.replace('\0', "␀");
    if kept.len() > LONGEST_BYTES {
        kept.truncate(kept.floor_char_boundary(LONGEST_BYTES - 32));
        kept.push('…');
        for byte in Sha256::digest(name.as_bytes()).iter().take(8) {
            // Writing to a String cannot fail.
            let _ = write!(kept, "{byte:02x}");
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_kept_apart_and_what_is_kept_stays() {
        assert_eq!(kept("ada"), "ada");
        assert_eq!(kept("a\0b"), "a␀b");
        let (one, other) = (kept(&"ß".repeat(5000)), kept(&"ß".repeat(5001)));
        assert!(one.len() <= LONGEST_BYTES && one.starts_with("ßß"), "{one}");
        assert_ne!(one, other);
        assert_eq!(kept(&one), one);
    }
}
