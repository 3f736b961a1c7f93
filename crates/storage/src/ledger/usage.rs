//! Sums over the ledger.

use std::collections::BTreeMap;
use std::ops::Range;

use jiff::ToSpan as _;
use jiff::civil::Date;
use keygate_domain::{UsageGroup, UsageQuery, UsageReport, UsageRow, UsageSums};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Row as _};

use super::text::kept;
use super::{DAY_MS, sums};
use crate::place::Kind;
use crate::{Storage, StorageError};

/// Lines of a report; the total is of everything.
const MOST_LINES: usize = 100_000;

impl Storage {
    /// What was used, of what is kept.
    ///
    /// # Errors
    /// What the database said.
    pub async fn usage(&self, query: &UsageQuery) -> Result<UsageReport, StorageError> {
        let mut connection = self.reader().await?;
        report(&mut connection, self.kind(), query).await.map_err(|error| self.failed(error))
    }
}

/// Where sums are taken from, and of which time: milliseconds of attempts, or days.
#[derive(Clone)]
enum Part {
    Attempts(Range<i64>),
    Days(Range<i64>),
}

/// The column of a line with the first of its sums, after whose they are.
const FIRST_SUM: usize = 2;

/// Who a line is about: the client, where its users have names of their own, and the name.
type Whose = (String, String);

async fn report(connection: &mut AnyConnection, kind: Kind, query: &UsageQuery) -> sqlx::Result<UsageReport> {
    let mut lines: BTreeMap<Whose, UsageSums> = BTreeMap::new();
    let mut total = UsageSums::default();
    let mut transaction = connection.begin_with(kind.begin_reading()).await?;
    for part in parts(query) {
        let found = part.lines(query, &mut transaction).await?;
        if found.len() < MOST_LINES {
            for (_, sums) in &found {
                total += *sums;
            }
        } else {
            total += part.total(query, &mut transaction).await?;
        }
        for (whose, sums) in found {
            *lines.entry(whose).or_default() += sums;
        }
    }
    transaction.commit().await?;
    Ok(UsageReport { rows: rows(lines, query.group_by), total })
}

/// Whole days from the sums of days, what is left at both ends from the attempts.
fn parts(query: &UsageQuery) -> Vec<Part> {
    let (from, to) = (query.from_ms.max(0), query.to_ms);
    let days = from.saturating_add(DAY_MS - 1).div_euclid(DAY_MS)..to.div_euclid(DAY_MS);
    if days.is_empty() {
        return vec![Part::Attempts(from..to)];
    }
    let ends = [from..days.start * DAY_MS, days.end * DAY_MS..to];
    let ends = ends.into_iter().filter(|end| !end.is_empty()).map(Part::Attempts);
    ends.chain([Part::Days(days)]).collect()
}

impl Part {
    async fn lines(
        &self,
        query: &UsageQuery,
        connection: &mut AnyConnection,
    ) -> sqlx::Result<Vec<(Whose, UsageSums)>> {
        let by = match (query.group_by, self) {
            (UsageGroup::User, _) => "client, user_name",
            (UsageGroup::Client, _) => "'', client",
            (UsageGroup::Key, _) => "'', key_id",
            (UsageGroup::Model, _) => "'', model",
            (UsageGroup::Day, Self::Days(_)) => "'', CAST(day AS TEXT)",
            (UsageGroup::Day, Self::Attempts(_)) => "'', CAST(time_ms / 86400000 AS TEXT)",
        };
        let lines = format!(" GROUP BY 1, 2 ORDER BY 10 DESC, 2, 1 LIMIT {MOST_LINES}");
        let rows = self.select(by, &lines, query, connection).await?;
        rows.iter().map(|row| Ok(((row.try_get(0)?, row.try_get(1)?), sums::read(row, FIRST_SUM)?))).collect()
    }

    async fn total(&self, query: &UsageQuery, connection: &mut AnyConnection) -> sqlx::Result<UsageSums> {
        let rows = self.select("'', ''", "", query, connection).await?;
        rows.first().map_or(Ok(UsageSums::default()), |row| sums::read(row, FIRST_SUM))
    }

    /// Sums of this part. What is told by, and how, are of this file: nothing of a caller's gets into
    /// the statement.
    async fn select(
        &self,
        by: &'static str,
        how: &str,
        query: &UsageQuery,
        connection: &mut AnyConnection,
    ) -> sqlx::Result<Vec<AnyRow>> {
        let (added_up, source, time, range) = match self {
            Self::Attempts(range) => (sums::over_attempts(), "ledger", "time_ms", range),
            Self::Days(range) if query.group_by == UsageGroup::User => {
                (sums::over_days(), "usage_user_days", "day", range)
            }
            Self::Days(range) => (sums::over_days(), "usage_days", "day", range),
        };
        let client = if query.only_client.is_some() { " AND client = $3" } else { "" };
        let statement =
            format!("SELECT {by}, {added_up} FROM {source} WHERE {time} >= $1 AND {time} < $2{client}{how}");
        let bound = sqlx::query(AssertSqlSafe(statement)).bind(range.start).bind(range.end);
        let bound = match &query.only_client {
            Some(client) => bound.bind(kept(client)),
            None => bound,
        };
        bound.fetch_all(connection).await
    }
}

/// The lines in their order, under the names that people know.
fn rows(lines: BTreeMap<Whose, UsageSums>, by: UsageGroup) -> Vec<UsageRow> {
    let mut clients_of: BTreeMap<String, u32> = BTreeMap::new();
    for (_, name) in lines.keys() {
        *clients_of.entry(name.clone()).or_default() += 1;
    }
    let shown = |(client, name): Whose| match by {
        UsageGroup::Day => day(&name),
        UsageGroup::User if clients_of.get(&name).is_some_and(|clients| *clients > 1) => {
            format!("{client}/{name}")
        }
        UsageGroup::User | UsageGroup::Client | UsageGroup::Key | UsageGroup::Model => name,
    };
    let mut rows: Vec<_> =
        lines.into_iter().map(|(whose, sums)| UsageRow { key: shown(whose), sums }).collect();
    if by != UsageGroup::Day {
        // Those of equal use stay in the order of their names.
        rows.sort_by_key(|row| std::cmp::Reverse(row.sums.total_tokens));
    }
    rows.truncate(MOST_LINES);
    rows
}

/// `2026-11-21` for the number of a day since 1970.
fn day(number: &str) -> String {
    let days = number.parse::<i64>().ok().and_then(|days| 0.days().try_days(days).ok());
    let date = days.and_then(|days| Date::constant(1970, 1, 1).checked_add(days).ok());
    date.map_or_else(|| number.to_owned(), |date| date.to_string())
}
