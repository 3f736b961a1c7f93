//! Where requests look for stored answers.

use std::sync::Arc;

use async_trait::async_trait;
use keygate_actors::Home;
use keygate_domain::{AnswerSearch, FoundAnswer};
use keygate_journey::{AnswerDesk, AnswerShelf, LookTrouble, Tally};
use keygate_storage::Storage;
use tokio::sync::oneshot;

/// The desk in front of the database.
pub(crate) fn desk(storage: Arc<Storage>, clerks: Home, tally: Arc<Tally>) -> AnswerDesk {
    AnswerDesk::new(Arc::new(DatabaseShelf { storage, clerks }), tally)
}

/// The database, asked on the clerks' thread: connections belong to the runtime that opened them, and no
/// worker is to own the database's.
struct DatabaseShelf {
    storage: Arc<Storage>,
    clerks: Home,
}

#[async_trait]
impl AnswerShelf for DatabaseShelf {
    async fn look(&self, search: AnswerSearch) -> Result<Vec<FoundAnswer>, LookTrouble> {
        let (told, found) = oneshot::channel();
        let storage = Arc::clone(&self.storage);
        self.clerks.spawn(async move {
            // Whoever asked may have given up.
            let _ = told.send(storage.find_answers(&search).await);
        });
        Ok(found.await??)
    }
}
