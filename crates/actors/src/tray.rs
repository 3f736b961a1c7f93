//! Where notices to an actor wait to be read: what needs no answer needs no hurry either.
//!
//! Waking an actor for every notice costs two switches between threads, which is more than the
//! notice itself. So notices lie in a tray that the actor reads before it answers any ask: an
//! asker never gets an answer that is older than a notice it left before. A reminder sees to it
//! that they are read soon even if nobody asks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::sleep;

/// How long a notice lies unread at most where log lines and timers hang on it besides answers.
pub(crate) const SOON: Duration = Duration::from_millis(5);

/// The side where notices are laid down. Not bounded here: there are never more than what they are
/// about, leases and admissions.
#[derive(Debug)]
pub(crate) struct Tray<N> {
    notices: UnboundedSender<N>,
    is_reminded: Arc<AtomicBool>,
    within: Duration,
}

/// The side where they are read.
#[derive(Debug)]
pub(crate) struct Notices<N> {
    unread: UnboundedReceiver<N>,
    is_reminded: Arc<AtomicBool>,
}

/// A tray and its reader, which reads within this time of a notice at the latest.
pub(crate) fn tray<N>(within: Duration) -> (Tray<N>, Notices<N>) {
    let (notices, unread) = unbounded_channel();
    let is_reminded = Arc::new(AtomicBool::new(false));
    (Tray { notices, is_reminded: Arc::clone(&is_reminded), within }, Notices { unread, is_reminded })
}

impl<N> Tray<N> {
    /// Lays down a notice. What `reminding` gives makes the actor read; it is called in time, once for all
    /// notices until then, and made only when it is needed: an address is not cheap to clone.
    pub(crate) fn lay<R>(&self, notice: N, reminding: impl FnOnce() -> R)
    where
        R: FnOnce() + Send + 'static,
    {
        // A reader that is no more needs no notices.
        let _ = self.notices.send(notice);
        if self.is_reminded.swap(true, Ordering::AcqRel) {
            return;
        }
        let reminder = Reminder(Some(reminding()));
        if let Ok(runtime) = Handle::try_current() {
            let within = self.within;
            runtime.spawn(async move {
                sleep(within).await;
                drop(reminder);
            });
        }
    }
}

impl<N> Notices<N> {
    /// The next unread notice.
    pub(crate) fn next(&mut self) -> Option<N> {
        self.unread.try_recv().ok()
    }

    /// The reminder came; the next notice brings another.
    pub(crate) fn reminded(&self) {
        self.is_reminded.store(false, Ordering::Release);
    }
}

/// Reminds on drop: a runtime that ends with the reminder asleep still delivers it.
struct Reminder<F: FnOnce()>(Option<F>);

impl<F: FnOnce()> Drop for Reminder<F> {
    fn drop(&mut self) {
        if let Some(remind) = self.0.take() {
            remind();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn many_notices_bring_one_reminder() {
        let (tray, mut notices) = tray(SOON);
        let (sender, mut reminders) = unbounded_channel();
        let lay = |notice: u32| {
            let sender = sender.clone();
            tray.lay(notice, || {
                move || {
                    let _ = sender.send(());
                }
            });
        };
        (0..100).for_each(lay);
        reminders.recv().await.unwrap();
        assert_eq!(std::iter::from_fn(|| notices.next()).collect::<Vec<_>>(), (0..100).collect::<Vec<_>>());
        notices.reminded();
        lay(100);
        reminders.recv().await.unwrap();
        assert!(reminders.try_recv().is_err());
        assert_eq!((notices.next(), notices.next()), (Some(100), None));
    }

    #[test]
    fn without_a_runtime_the_reminder_comes_at_once() {
        let (tray, _notices) = tray(SOON);
        let (sender, receiver) = std::sync::mpsc::channel();
        tray.lay((), || {
            move || {
                let _ = sender.send(());
            }
        });
        assert!(receiver.try_recv().is_ok());
    }
}
