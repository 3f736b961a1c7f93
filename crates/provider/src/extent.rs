//! How large what is sent in parts is.

/// What the head of a request says of the whole that its body is a part of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Extent {
    /// How many bytes the whole has, if that is announced.
    pub whole: Option<u64>,
    /// How many of them came before this body.
    pub before: u64,
}
