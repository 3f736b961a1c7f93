//! What a reload did to the keys.

use std::sync::Arc;

use keygate_domain::KeyId;

/// A key as operators know it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyName {
    /// Its public id.
    pub id: KeyId,
    /// What operators call it.
    pub label: Arc<str>,
}

/// The difference that [`crate::KeyPool::reload`] made.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Reloaded {
    /// Keys that were not in use before.
    pub added: Vec<KeyName>,
    /// Keys that are not in use any more; their leases are still settled.
    pub removed: Vec<KeyName>,
    /// How many keys stayed.
    pub kept: usize,
}
