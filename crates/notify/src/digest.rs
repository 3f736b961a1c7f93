//! Names of messages, by which a receiver knows one that comes twice.

use sha2::{Digest as _, Sha256};

/// A name for what is said to `whom` at `at_ns`: the first 32 hexadecimal digits of a sum.
pub(crate) fn message_id(whom: &str, number: u64, at_ns: i128) -> String {
    let sum = Sha256::digest(format!("{whom}/{number}/{at_ns}").as_bytes());
    sum.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
