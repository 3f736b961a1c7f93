//! Quota physics: windows, and the limits of one project and model.

mod limits;
mod window;

pub(crate) use limits::{Demand, ModelQuota, QuotaKind, Violation};
pub use limits::{MinuteShape, ModelLimits};
pub(crate) use window::{Shape, Window};
