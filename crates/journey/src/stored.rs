//! Stored answers, as a request that nobody could answer looks for one.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use keygate_domain::{AnswerSearch, FoundAnswer, Intent, Languages, chosen, ranked, words};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::cache::Tally;
use crate::{Lane, events};

/// How long a look may take. The refusal waits for it, and nobody is to wait for long to be refused.
const PATIENCE: Duration = Duration::from_millis(300);

/// Looks at the same time. Beyond it requests are refused at once: when nobody can be asked there may be very
/// many of them, and the database has other work.
const AT_ONCE: usize = 8;

/// Why answers cannot be looked for.
pub type LookTrouble = Box<dyn std::error::Error + Send + Sync>;

/// Where stored answers are looked for.
#[async_trait]
pub trait AnswerShelf: Send + Sync + 'static {
    /// The answers that have words in common with a question, and those to anything.
    ///
    /// # Errors
    /// Whatever is wrong with the database.
    async fn look(&self, search: AnswerSearch) -> Result<Vec<FoundAnswer>, LookTrouble>;
}

/// The desk at which all workers ask for stored answers. Cheap to clone.
#[derive(Clone)]
pub struct AnswerDesk {
    shelf: Arc<dyn AnswerShelf>,
    at_once: Arc<Semaphore>,
    tally: Arc<Tally>,
}

/// Stored answers as a worker uses them.
pub struct StoredAnswers {
    /// Where they are asked for.
    pub desk: AnswerDesk,
    /// How well one must fit to be used, from 0 to 1.
    pub threshold: f64,
    /// Whether answers to anything are used where no other fits.
    pub catch_all: bool,
}

impl AnswerDesk {
    /// A desk in front of this shelf.
    pub fn new(shelf: Arc<dyn AnswerShelf>, tally: Arc<Tally>) -> Self {
        Self { shelf, at_once: Arc::new(Semaphore::new(AT_ONCE)), tally }
    }

    async fn look(&self, search: AnswerSearch, request_id: &str) -> Vec<FoundAnswer> {
        let Ok(_place) = self.at_once.try_acquire() else { return Vec::new() };
        match timeout(PATIENCE, self.shelf.look(search)).await {
            Ok(Ok(found)) => found,
            Ok(Err(trouble)) => {
                events::no_stored_answers(request_id, &trouble.to_string());
                Vec::new()
            }
            Err(_elapsed) => {
                events::no_stored_answers(request_id, "the database does not answer in time");
                Vec::new()
            }
        }
    }
}

impl StoredAnswers {
    /// The answer to `question`, if one fits.
    pub(crate) async fn find(
        &self,
        question: &str,
        languages: &Languages,
        lane: &Lane,
        intent: &Intent,
        request_id: &str,
    ) -> Option<FoundAnswer> {
        let search = AnswerSearch {
            words: words(question),
            provider: lane.adapter.name.as_str().to_owned(),
            model: intent.model.as_ref().map(|model| model.as_str().to_owned()),
        };
        let ranked = ranked(self.desk.look(search, request_id).await, languages);
        let found = chosen(&ranked, self.threshold, self.catch_all)?.clone();
        self.desk.tally.stored();
        events::answered_from_store(request_id, &found);
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A database in trouble, of some kind.
    enum Trouble {
        Hangs,
        Fails,
    }

    #[async_trait]
    impl AnswerShelf for Trouble {
        async fn look(&self, _search: AnswerSearch) -> Result<Vec<FoundAnswer>, LookTrouble> {
            match self {
                Self::Hangs => std::future::pending().await,
                Self::Fails => Err("the disk is gone".into()),
            }
        }
    }

    fn search() -> AnswerSearch {
        AnswerSearch { words: words("hours"), provider: "google".to_owned(), model: None }
    }

    #[tokio::test(start_paused = true)]
    async fn a_database_in_trouble_makes_no_refusal_late() {
        let desk = AnswerDesk::new(Arc::new(Trouble::Hangs), Arc::default());
        let began = tokio::time::Instant::now();
        assert!(desk.look(search(), "r").await.is_empty());
        assert!(began.elapsed() <= PATIENCE + Duration::from_millis(1));
        let desk = AnswerDesk::new(Arc::new(Trouble::Fails), Arc::default());
        assert!(desk.look(search(), "r").await.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn when_very_many_are_refused_most_are_refused_at_once() {
        let desk = AnswerDesk::new(Arc::new(Trouble::Hangs), Arc::default());
        let waiting: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                let desk = desk.clone();
                tokio::spawn(async move { desk.look(search(), "r").await })
            })
            .collect();
        tokio::task::yield_now().await;
        let began = tokio::time::Instant::now();
        assert!(desk.look(search(), "r").await.is_empty());
        assert!(began.elapsed().is_zero());
        for waiting in waiting {
            assert!(waiting.await.unwrap().is_empty());
        }
    }
}
