//! Whether the process leaves, as every worker knows it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::HttpResponse;
use actix_web::http::ConnectionType;

/// Set once, and read with each answer: a look at a flag. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Departure(Arc<AtomicBool>);

impl Departure {
    /// From here on the process leaves.
    pub(crate) fn begin(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether it does.
    pub(crate) fn has_begun(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Asks the caller not to send its next request on this connection, which may be gone by then.
    pub(crate) fn say_in(&self, response: &mut HttpResponse) {
        // A connection that speaks something else from here on is no connection for a next request.
        if self.has_begun() && response.status().as_u16() != 101 {
            response.head_mut().set_connection_type(ConnectionType::Close);
        }
    }
}
