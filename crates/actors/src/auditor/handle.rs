//! The auditor as everyone else sees it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use keygate_domain::{AuditAction, AuditEntry, AuditPage, AuditRow};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use uuid::Uuid;

use super::book::AuditBook;
use super::gathering::StrangeLogin;
use super::round::{Note, Round};
use crate::bookkeeper::Condition;
use crate::{Home, ShelfTrouble, clock};

/// Most notes on their way.
const MOST_NOTES: usize = 1024;

/// So many places are left for what operators do, however many guess tokens.
const KEPT_FREE: usize = 256;

/// How long reading may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Starts the auditor. Its home must be none that requests wait for.
pub fn start_auditor(book: Arc<dyn AuditBook>, home: &Home) -> Auditor {
    let (queue, notes) = mpsc::channel(MOST_NOTES);
    let auditor = Auditor { queue, book, lost: Arc::default(), condition: Condition::default() };
    home.spawn(Round::new(&auditor.book, &auditor.lost, &auditor.condition).go(notes));
    auditor
}

/// An entry of what happens right now.
pub fn audit_entry(who: &str, action: AuditAction, details: &str) -> AuditEntry {
    AuditEntry::new(Uuid::now_v7().to_string(), clock::now().wall.as_millisecond(), who, action, details)
}

/// Writes down who did what. Cheap to clone. Telling it something never waits and never fails.
#[derive(Clone)]
pub struct Auditor {
    queue: mpsc::Sender<Note>,
    book: Arc<dyn AuditBook>,
    lost: Arc<AtomicU64>,
    condition: Condition,
}

impl Auditor {
    /// Somebody did something.
    pub fn note(&self, entry: AuditEntry) {
        self.lay(Note::Entry(entry));
    }

    /// Somebody showed a token that nobody knows. Those of one address within a minute are one entry.
    pub fn failed_login(&self, login: StrangeLogin) {
        if self.queue.capacity() > KEPT_FREE {
            self.lay(Note::FailedLogin(login));
        } else {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether what it is told reaches the disk. If not, it tries again until it does.
    pub fn is_well(&self) -> bool {
        self.trouble().is_none()
    }

    /// In a word or two why it does not, if it does not.
    pub fn trouble(&self) -> Option<&'static str> {
        self.condition.trouble()
    }

    /// Has everything written down that it was told of. False if that failed or took longer than
    /// `patience`.
    pub async fn finish(&self, patience: Duration) -> bool {
        let finished = async {
            let (done, answer) = oneshot::channel();
            self.queue.send(Note::Finish(done)).await.ok()?;
            answer.await.ok()
        };
        timeout(patience, finished).await.is_ok_and(|is_written| is_written.unwrap_or(false))
    }

    /// The newest rows first.
    ///
    /// # Errors
    /// Whatever is wrong with the disk.
    pub async fn page(&self, page: AuditPage) -> Result<Vec<AuditRow>, ShelfTrouble> {
        match timeout(PATIENCE, self.book.page(page)).await {
            Ok(page) => page,
            Err(elapsed) => Err(ShelfTrouble::new("slow", elapsed)),
        }
    }

    fn lay(&self, note: Note) {
        if self.queue.try_send(note).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl fmt::Debug for Auditor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auditor").field("condition", &self.condition).finish_non_exhaustive()
    }
}
