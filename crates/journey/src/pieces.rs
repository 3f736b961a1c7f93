//! Pieces of an answer as one.

use bytes::{Bytes, BytesMut};

/// The pieces in one; nothing is copied if at most one of them holds anything.
pub(crate) fn joined(pieces: impl IntoIterator<Item = Bytes>) -> Bytes {
    let mut pieces = pieces.into_iter().filter(|piece| !piece.is_empty());
    let Some(first) = pieces.next() else { return Bytes::new() };
    let Some(second) = pieces.next() else { return first };
    let mut whole = BytesMut::from(first);
    whole.extend_from_slice(&second);
    for piece in pieces {
        whole.extend_from_slice(&piece);
    }
    whole.freeze()
}
