//! Pieces of statements.

use std::fmt::Write as _;

use crate::place::Kind;

/// `($1, $2), ($3, $4)`: places for `rows` rows of `columns` columns, after the first `before`.
pub(crate) fn places(rows: usize, columns: usize, before: usize) -> String {
    let mut text = String::with_capacity(rows * columns * 7);
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { ", (" });
        for column in 0..columns {
            let comma = if column == 0 { "" } else { ", " };
            // Writing to a String cannot fail.
            let _ = write!(text, "{comma}${}", before + row * columns + column + 1);
        }
        text.push(')');
    }
    text
}

/// `($1, $2), ($3, $4)`: places for `rows` rows of `columns` columns in a statement that has no others.
///
/// SQLite looks through the names of all places to find that of one, again for each that is bound: so there
/// they have none.
pub(crate) fn values(kind: Kind, rows: usize, columns: usize) -> String {
    match kind {
        Kind::Postgres => places(rows, columns, 0),
        Kind::Sqlite => {
            let row = format!("({})", vec!["?"; columns].join(", "));
            vec![row.as_str(); rows].join(", ")
        }
    }
}

/// A count as databases have them. What providers report is never as much as the largest.
pub(crate) fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_numbered_through() {
        assert_eq!(places(2, 2, 0), "($1, $2), ($3, $4)");
        assert_eq!(places(1, 3, 1), "($2, $3, $4)");
    }

    #[test]
    fn places_of_sqlite_have_no_names() {
        assert_eq!(values(Kind::Sqlite, 2, 2), "(?, ?), (?, ?)");
        assert_eq!(values(Kind::Postgres, 1, 2), "($1, $2)");
    }
}
