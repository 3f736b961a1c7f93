//! Names of messages, by which a receiver knows one that comes twice.

use keygate_domain::Checksum;

/// A name for what is said to `whom` at `at_ns`: the first 32 hexadecimal digits of a sum.
pub(crate) fn message_id(whom: &str, number: u64, at_ns: i128) -> String {
    let mut name = Checksum::of(format!("{whom}/{number}/{at_ns}").as_bytes()).to_string();
    name.truncate(32);
    name
}
