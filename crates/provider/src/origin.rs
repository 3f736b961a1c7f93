//! Where the caller reached the gateway.

use std::fmt;

/// The gateway as its caller addresses it, for answers that have to name an address: the provider's
/// own would open to nobody without a key. Prints as `https://gateway.example:8443`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Origin<'a> {
    /// `http` or `https`.
    pub scheme: &'a str,
    /// Host and port, as the caller wrote them; with the path below which it is reached, where one is
    /// configured.
    pub authority: &'a str,
}

impl Origin<'_> {
    /// An origin for calls that nobody outside made.
    pub const INSIDE: Self = Self { scheme: "http", authority: "localhost" };
}

impl fmt::Display for Origin<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority)
    }
}
