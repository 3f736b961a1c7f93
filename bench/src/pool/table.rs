//! The figures as Markdown, and whether they meet their goals.

use std::io::{self, Write};

pub use super::cases::Goal;
use super::cases::Row;

/// A lease and a settlement, in nanoseconds.
const MOST_FOR_A_REQUEST: f64 = 1_000.0;
/// What a chat costs the gateway with few keys, in nanoseconds of CPU: the lowest that `bench/run` measured.
const WHOLE_REQUEST: f64 = 39_000.0;
/// How much more than with few keys a request may cost with thousands.
const MOST_TIMES: f64 = 1.3;
/// A refusal, in nanoseconds.
const MOST_FOR_A_REFUSAL: f64 = 5_000.0;

/// What each row is held against and whether it passes.
pub fn goals(row: &Row) -> Vec<(String, bool)> {
    match row.goal {
        Goal::Nothing => Vec::new(),
        Goal::Refusal => vec![held("≤ 5 µs", row.many, MOST_FOR_A_REFUSAL)],
        Goal::Request => {
            let times = |few: f64| (WHOLE_REQUEST + row.many - few) / WHOLE_REQUEST;
            let ratio = row.few.map(|few| held("request ≤ 1.3 ×", times(few), MOST_TIMES));
            [held("≤ 1 µs", row.many, MOST_FOR_A_REQUEST)].into_iter().chain(ratio).collect()
        }
    }
}

fn held(name: &str, measured: f64, most: f64) -> (String, bool) {
    (name.to_owned(), measured <= most)
}

/// Prints the tables; true if every goal is met.
///
/// # Errors
/// When nobody reads them.
pub fn print(out: &mut impl Write, rows: &[Row], others: &[(String, f64, &'static str)]) -> io::Result<bool> {
    writeln!(out, "| what | 3 keys, ns | 10,000 keys, ns | × | verdict |\n|---|--:|--:|--:|---|")?;
    let mut all_met = true;
    for row in rows {
        let few = row.few.map_or("–".to_owned(), |few| format!("{few:.0}"));
        let ratio = row.few.map_or("–".to_owned(), |few| format!("{:.2}", row.many / few));
        let goals = goals(row);
        all_met &= goals.iter().all(|(_, is_met)| *is_met);
        let verdicts: Vec<String> = goals
            .iter()
            .map(|(goal, is_met)| format!("{goal} {}", if *is_met { "pass" } else { "FAIL" }))
            .collect();
        writeln!(out, "| {} | {few} | {:.0} | {ratio} | {} |", row.name, row.many, verdicts.join(", "))?;
    }
    writeln!(out, "\n| of 10,000 keys | |\n|---|--:|")?;
    for (what, value, unit) in others {
        writeln!(out, "| {what} | {value:.1} {unit} |")?;
    }
    Ok(all_met)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(goal: Goal, few: Option<f64>, many: f64) -> Row {
        Row { name: "lease".to_owned(), goal, few, many }
    }

    #[test]
    fn a_request_is_held_against_a_bound_and_against_few_keys() {
        let verdicts = |row: &Row| goals(row).into_iter().map(|(_, is_met)| is_met).collect::<Vec<_>>();
        assert_eq!(verdicts(&row(Goal::Request, Some(500.0), 640.0)), [true, true]);
        assert_eq!(verdicts(&row(Goal::Request, Some(500.0), 1_001.0)), [false, true]);
        assert_eq!(verdicts(&row(Goal::Request, Some(500.0), 13_000.0)), [false, false]);
        assert_eq!(verdicts(&row(Goal::Request, None, 700.0)), [true]);
        assert_eq!(verdicts(&row(Goal::Refusal, None, 5_001.0)), [false]);
    }

    #[test]
    fn the_table_names_what_fails() {
        let mut text = Vec::new();
        let rows = [row(Goal::Request, Some(500.0), 1_900.0)];
        assert!(!print(&mut text, &rows, &[("memory".to_owned(), 7.25, "B")]).unwrap());
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains("| lease | 500 | 1900 | 3.80 | ≤ 1 µs FAIL, request ≤ 1.3 × pass |"), "{text}");
        assert!(text.contains("| memory | 7.2 B |"), "{text}");
    }
}
