//! Waiting for something to become true, with a deadline instead of a guess.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

/// How long a test waits for anything before it fails; far more than anything takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until `look` finds what it looks for and returns it.
///
/// # Panics
/// When [`PATIENCE`] ends first, naming `what` was waited for.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Ok(Some(found)) = timeout(PATIENCE, look()).await {
            return found;
        }
        sleep(Duration::from_millis(10)).await;
    }
    panic!("waited {PATIENCE:?} in vain: {what}")
}
