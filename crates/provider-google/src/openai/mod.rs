//! What only the OpenAI-compatible surface needs: the usage of streams, which is asked for by the gateway
//! where the caller did not ask, and errors as `OpenAI`'s SDKs read them.

mod demand;
mod error;
mod hider;
mod patience;

pub(crate) use demand::{asks_for_usage_itself, with_usage_asked_for};
pub(crate) use error::unwrapped;
pub(crate) use hider::UsageHider;
pub(crate) use patience::patience;
