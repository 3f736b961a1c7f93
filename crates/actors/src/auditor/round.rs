//! The auditor's round: notes come in, entries go out, one write at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use keygate_domain::{AuditAction, AuditEntry, Moment};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};

use super::book::AuditBook;
use super::gathering::{Gathering, StrangeLogin};
use super::handle::audit_entry;
use crate::bookkeeper::Condition;
use crate::{ShelfTrouble, clock, events};

/// A write that takes longer counts as failed. Nobody waits for it, but somebody should know.
const PATIENCE: Duration = Duration::from_secs(5);

/// The pause after a write that failed.
const RETRY: Duration = Duration::from_secs(1);

/// Who shows a token that nobody knows.
const NOBODY_KNOWN: &str = "unknown";

/// What the auditor is told.
pub(super) enum Note {
    /// "This was done."
    Entry(AuditEntry),
    /// "Somebody from there has no valid token."
    FailedLogin(StrangeLogin),
    /// "Write everything down, now." Answers whether that could be done.
    Finish(oneshot::Sender<bool>),
}

/// The auditor.
pub(super) struct Round {
    book: Arc<dyn AuditBook>,
    lost: Arc<AtomicU64>,
    condition: Condition,
    gathering: Gathering,
    /// After a write that failed.
    not_before: Option<Moment>,
}

impl Round {
    pub(super) fn new(book: &Arc<dyn AuditBook>, lost: &Arc<AtomicU64>, condition: &Condition) -> Self {
        Self {
            book: Arc::clone(book),
            lost: Arc::clone(lost),
            condition: condition.clone(),
            gathering: Gathering::default(),
            not_before: None,
        }
    }

    /// Goes on for as long as anybody can tell it something.
    pub(super) async fn go(mut self, mut notes: mpsc::Receiver<Note>) {
        loop {
            tokio::select! {
                note = notes.recv() => match note {
                    Some(note) => self.take(note).await,
                    None => break,
                },
                () = until(self.wakes_at()) => {}
            }
            // What lies there already is one write together with it.
            while let Ok(note) = notes.try_recv() {
                self.take(note).await;
            }
            self.gathering.advance(clock::now());
            self.write_what_waits().await;
        }
        self.gathering.close();
        self.write_what_waits().await;
        self.condition.ended();
    }

    async fn take(&mut self, note: Note) {
        match note {
            Note::Entry(entry) => {
                events::audited(&entry);
                self.gathering.add(entry);
            }
            Note::FailedLogin(StrangeLogin { peer, path, request_id }) => {
                let entry =
                    audit_entry(NOBODY_KNOWN, AuditAction::LoginFailed, &path).by_request(peer, &request_id);
                if let Some(first) = self.gathering.failed_login(peer, entry, clock::now()) {
                    events::audited(&first);
                }
            }
            Note::Finish(done) => {
                self.gathering.close();
                self.not_before = None;
                // Whoever asked may have lost patience.
                let _ = done.send(self.write_what_waits().await);
            }
        }
    }

    /// False if it could not be written, and waits on.
    async fn write_what_waits(&mut self) -> bool {
        loop {
            self.tell_what_was_lost();
            let batch = self.gathering.batch();
            if batch.is_empty() {
                return true;
            }
            let now = clock::now();
            if self.not_before.is_some_and(|then| then.mono > now.mono) {
                return false;
            }
            let count = batch.len();
            match append(Arc::clone(&self.book), batch).await {
                Ok(()) => {
                    self.gathering.written(count);
                    self.not_before = None;
                    if self.condition.cured() {
                        events::audit_recovered();
                    }
                }
                Err(trouble) => {
                    self.not_before = Some(clock::now().after(RETRY));
                    if self.condition.troubled(trouble.reason) {
                        events::audit_failed(&*trouble.cause);
                    }
                    return false;
                }
            }
        }
    }

    fn tell_what_was_lost(&mut self) {
        self.gathering.lose(self.lost.swap(0, Ordering::Relaxed));
        if let Some(lost) = self.gathering.take_lost() {
            let details = "events that could not be written down in time";
            let mut entry = audit_entry("keygate", AuditAction::EntriesLost, details);
            entry.count = i64::try_from(lost).unwrap_or(i64::MAX);
            events::audited(&entry);
            self.gathering.add(entry);
        }
    }

    /// The next moment at which there is something to do unasked.
    fn wakes_at(&self) -> Option<Moment> {
        let retry = if self.gathering.batch().is_empty() { None } else { self.not_before };
        [retry, self.gathering.next_end()].into_iter().flatten().min_by_key(|moment| moment.mono)
    }
}

/// A task of its own is a fence: what panics in there is a failure and no more.
async fn append(book: Arc<dyn AuditBook>, entries: Vec<AuditEntry>) -> Result<(), ShelfTrouble> {
    let writing = tokio::spawn(async move {
        match timeout(PATIENCE, book.append(&entries)).await {
            Ok(appended) => appended,
            Err(elapsed) => Err(ShelfTrouble::new("slow", elapsed)),
        }
    });
    match writing.await {
        Ok(appended) => appended,
        Err(panicked) => Err(ShelfTrouble::new("failed", panicked)),
    }
}

async fn until(moment: Option<Moment>) {
    match moment {
        Some(moment) => sleep(clock::left_until(moment)).await,
        None => std::future::pending().await,
    }
}
