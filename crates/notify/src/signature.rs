//! How a receiver knows that a message is from this gateway, and of now.

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit as _, Mac as _};
use keygate_domain::ApiKey;
use sha2::Sha256;

/// Where the time stands, in Unix seconds.
pub const TIMESTAMP_HEADER: &str = "x-keygate-timestamp";

/// Where the signature stands.
pub const SIGNATURE_HEADER: &str = "x-keygate-signature";

/// `v1=` and HMAC-SHA256 of the time, a dot and the body, in lower-case hex. The time is signed, so that what
/// was heard once cannot be said again later.
pub fn signature(secret: &ApiKey, timestamp: i64, body: &[u8]) -> String {
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()) else {
        return String::new();
    };
    mac.update(format!("{timestamp}.").as_bytes());
    mac.update(body);
    let mut text = "v1=".to_owned();
    for byte in mac.finalize().into_bytes() {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac sesame` prints it.
    #[test]
    fn the_signature_is_what_others_compute() {
        let signed = signature(&ApiKey::new("sesame"), 1_700_000_000, br#"{"a":1}"#);
        assert_eq!(signed, "v1=961ee441db69fca5ccc174d9488a77f3c0397cd3ce633bd80dbc6e3320242468");
    }
}
