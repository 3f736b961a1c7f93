//! The repository of stored answers, and the full-text search among them.
//!
//! A phrase is found by its words, which are folded before they come here, and ranked by the share of it that a
//! question has, each word counted by what it says. The index is a table of words: every database finds and
//! ranks the same with the same statement.

use keygate_domain::{AnswerSearch, FoundAnswer, StoredAnswer, weight_of, words};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Row as _};

use crate::{Storage, StorageError};

/// Most answers that a search brings.
const MOST_FOUND: u32 = 50;

const PUT: &str = "INSERT INTO answers (id, language, reply, provider, model, enabled) VALUES ($1, $2, $3, $4, $5, $6) \
                   ON CONFLICT (id) DO UPDATE SET language = excluded.language, reply = excluded.reply, \
                   provider = excluded.provider, model = excluded.model, enabled = excluded.enabled";
const PUT_PHRASE: &str =
    "INSERT INTO answer_phrases (answer_id, position, phrase, weight) VALUES ($1, $2, $3, $4)";
const PUT_WORD: &str = "INSERT INTO answer_words (word, answer_id, position, weight) VALUES ($1, $2, $3, $4)";
const REMOVE: &str = "DELETE FROM answers WHERE id = $1";
const REMOVE_PHRASES: &str = "DELETE FROM answer_phrases WHERE answer_id = $1";
const REMOVE_WORDS: &str = "DELETE FROM answer_words WHERE answer_id = $1";
const ALL: &str = "SELECT a.id, a.language, a.reply, a.provider, a.model, a.enabled, p.phrase FROM answers a \
                   JOIN answer_phrases p ON p.answer_id = a.id ORDER BY a.id, p.position";

/// What a row of a search has.
const FOUND: &str = "a.id, a.language, a.reply, a.provider, a.model, p.phrase, p.weight";

/// What it must be.
const FITTING: &str =
    "a.enabled = 1 AND (a.provider = '' OR a.provider = $1) AND (a.model = '' OR a.model = $2)";

impl Storage {
    /// The stored answers, in the order of their names.
    ///
    /// # Errors
    /// What the database said.
    pub async fn answers(&self) -> Result<Vec<StoredAnswer>, StorageError> {
        let mut connection = self.reader().await?;
        let rows = sqlx::query(ALL).fetch_all(&mut *connection).await.map_err(|error| self.failed(error))?;
        let mut answers: Vec<StoredAnswer> = Vec::new();
        for row in rows {
            let (id, phrase): (String, String) = (row.get("id"), row.get("phrase"));
            match answers.last_mut().filter(|last| last.id == id) {
                Some(last) => last.phrases.push(phrase),
                None => answers.push(StoredAnswer {
                    id,
                    phrases: vec![phrase],
                    language: some(row.get("language")),
                    reply: row.get("reply"),
                    provider: some(row.get("provider")),
                    model: some(row.get("model")),
                    enabled: row.get::<i64, _>("enabled") == 1,
                }),
            }
        }
        Ok(answers)
    }

    /// Writes answers, all or none; each replaces the one of its name.
    ///
    /// # Errors
    /// What the database said.
    pub async fn put_answers(&self, answers: &[StoredAnswer]) -> Result<(), StorageError> {
        let mut connection = self.writer().await?;
        let put = async {
            let mut transaction = connection.begin_with(self.kind().begin_writing()).await?;
            for answer in answers {
                put(&mut transaction, answer).await?;
            }
            transaction.commit().await
        };
        put.await.map_err(|error| self.failed(error))
    }

    /// Removes an answer; false if there is none of this name.
    ///
    /// # Errors
    /// What the database said.
    pub async fn remove_answer(&self, id: &str) -> Result<bool, StorageError> {
        let mut connection = self.writer().await?;
        let removed = async {
            let mut transaction = connection.begin_with(self.kind().begin_writing()).await?;
            forget_phrases(&mut transaction, id).await?;
            let removed = sqlx::query(REMOVE).bind(id).execute(&mut *transaction).await?.rows_affected();
            transaction.commit().await?;
            Ok(removed > 0)
        };
        removed.await.map_err(|error| self.failed(error))
    }

    /// The answers that have words in common with a question, the best first, and those to anything.
    ///
    /// # Errors
    /// What the database said.
    pub async fn find_answers(&self, search: &AnswerSearch) -> Result<Vec<FoundAnswer>, StorageError> {
        let mut connection = self.reader().await?;
        let found = async {
            let mut found = matching(&mut connection, search).await?;
            found.extend(to_anything(&mut connection, search).await?);
            Ok(found)
        };
        found.await.map_err(|error| self.failed(error))
    }
}

async fn matching(connection: &mut AnyConnection, search: &AnswerSearch) -> sqlx::Result<Vec<FoundAnswer>> {
    if search.words.is_empty() {
        return Ok(Vec::new());
    }
    let places: Vec<String> = (0..search.words.len()).map(|at| format!("${}", at + 3)).collect();
    let statement = format!(
        "SELECT {FOUND}, CAST(SUM(w.weight) AS BIGINT) AS met FROM answer_words w \
         JOIN answer_phrases p ON p.answer_id = w.answer_id AND p.position = w.position \
         JOIN answers a ON a.id = w.answer_id WHERE {FITTING} AND w.word IN ({}) \
         GROUP BY {FOUND}, p.position \
         ORDER BY SUM(w.weight) * 1000 / p.weight DESC, p.weight DESC, a.id LIMIT {MOST_FOUND}",
        places.join(", ")
    );
    let mut query = sqlx::query(AssertSqlSafe(statement))
        .bind(search.provider.as_str())
        .bind(search.model.as_deref().unwrap_or_default());
    for word in &search.words {
        query = query.bind(word.text.as_str());
    }
    Ok(query.fetch_all(connection).await?.iter().map(found).collect())
}

async fn to_anything(
    connection: &mut AnyConnection,
    search: &AnswerSearch,
) -> sqlx::Result<Vec<FoundAnswer>> {
    let statement = format!(
        "SELECT {FOUND}, CAST(0 AS BIGINT) AS met FROM answer_phrases p JOIN answers a ON a.id = p.answer_id \
         WHERE {FITTING} AND p.phrase = '{}' AND p.weight = 0 ORDER BY a.id LIMIT {MOST_FOUND}",
        StoredAnswer::ANYTHING
    );
    let query = sqlx::query(AssertSqlSafe(statement))
        .bind(search.provider.as_str())
        .bind(search.model.as_deref().unwrap_or_default());
    Ok(query.fetch_all(connection).await?.iter().map(found).collect())
}

fn found(row: &AnyRow) -> FoundAnswer {
    let number = |name| u32::try_from(row.get::<i64, _>(name)).unwrap_or_default();
    FoundAnswer {
        id: row.get("id"),
        language: some(row.get("language")),
        reply: row.get("reply"),
        provider: some(row.get("provider")),
        model: some(row.get("model")),
        phrase: row.get("phrase"),
        weight: number("weight"),
        met: number("met"),
    }
}

async fn put(connection: &mut AnyConnection, answer: &StoredAnswer) -> sqlx::Result<()> {
    forget_phrases(connection, &answer.id).await?;
    let put = sqlx::query(PUT)
        .bind(answer.id.as_str())
        .bind(answer.language.as_deref().unwrap_or_default())
        .bind(answer.reply.as_str())
        .bind(answer.provider.as_deref().unwrap_or_default())
        .bind(answer.model.as_deref().unwrap_or_default())
        .bind(i64::from(answer.enabled));
    put.execute(&mut *connection).await?;
    for (position, phrase) in (0_i64..).zip(&answer.phrases) {
        let words = if phrase == StoredAnswer::ANYTHING { Vec::new() } else { words(phrase) };
        let put = sqlx::query(PUT_PHRASE).bind(answer.id.as_str()).bind(position).bind(phrase.as_str());
        put.bind(i64::from(weight_of(&words))).execute(&mut *connection).await?;
        for word in words {
            let put = sqlx::query(PUT_WORD).bind(word.text).bind(answer.id.as_str()).bind(position);
            put.bind(i64::from(word.weight)).execute(&mut *connection).await?;
        }
    }
    Ok(())
}

async fn forget_phrases(connection: &mut AnyConnection, id: &str) -> sqlx::Result<()> {
    for statement in [REMOVE_PHRASES, REMOVE_WORDS] {
        sqlx::query(statement).bind(id).execute(&mut *connection).await?;
    }
    Ok(())
}

/// An empty text stands for "any".
fn some(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}
