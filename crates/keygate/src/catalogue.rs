//! The one list in which providers are found.

use keygate_provider::Adapter;

/// The providers of this build. A new one is a crate and a line here.
pub const CATALOGUE: &[Adapter] = &[keygate_provider_google::ADAPTER, keygate_provider_anam::ADAPTER];
