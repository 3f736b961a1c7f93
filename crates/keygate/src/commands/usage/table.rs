//! Usage as a table for people: as much of it as the terminal is wide. Without colours.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, Table, presets};
use jiff::Timestamp;
use keygate_domain::{UsageRow, UsageSums};
use keygate_http::UsageTold;

/// What is filled where there is no terminal to be measured.
const USUAL_WIDTH: usize = 100;

/// Narrower is nothing.
const NARROWEST: usize = 30;

/// Eighths of a letter, from nothing to all of it.
const EIGHTHS: [&str; 9] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"];

/// A column of figures.
type Column = (&'static str, fn(&UsageSums) -> u64);

const REQUESTS: Column = ("requests", |sums| sums.requests);
const ERRORS: Column = ("errors", |sums| sums.errors);
const INPUT: Column = ("input", |sums| sums.input_tokens);
const OUTPUT: Column = ("output", |sums| sums.output_tokens);
const THOUGHT: Column = ("thought", |sums| sums.thought_tokens);
const TOTAL: Column = ("tokens", |sums| sums.total_tokens);

/// How much is shown, the most first: columns, letters of the bar, letters of a name.
const LAYOUTS: [(&[Column], usize, usize); 5] = [
    (&[REQUESTS, ERRORS, INPUT, OUTPUT, THOUGHT, TOTAL], 24, 40),
    (&[REQUESTS, ERRORS, INPUT, OUTPUT, THOUGHT, TOTAL], 10, 24),
    (&[REQUESTS, ERRORS, TOTAL], 16, 24),
    (&[REQUESTS, TOTAL], 8, 16),
    (&[TOTAL], 0, 10),
];

/// How wide the terminal is, or what stands for it.
pub(super) fn width_of_terminal() -> usize {
    Table::new().width().map_or(USUAL_WIDTH, usize::from).max(NARROWEST)
}

pub(super) fn of(told: &UsageTold, width: usize) -> String {
    let by = told.group_by.as_str();
    let heading = format!("Used by {by}, {} to {}:", minute(told.from), minute(told.to));
    if told.rows.is_empty() {
        return format!("{heading}\nNothing.");
    }
    let tables = LAYOUTS.iter().map(|layout| table(told, layout).to_string());
    let fits = |table: &String| table.lines().next().is_none_or(|line| line.chars().count() <= width);
    let mut shown = String::new();
    for table in tables {
        shown = table;
        if fits(&shown) {
            break;
        }
    }
    let mut text = format!("{heading}\n{shown}");
    let estimated = told.total.estimated_tokens;
    if estimated > 0 {
        let _ = write!(
            text,
            "\n{} of the tokens are estimates: answers that broke off before the provider counted.",
            grouped(estimated)
        );
    }
    text
}

fn table(told: &UsageTold, (columns, bar_width, name_width): &(&[Column], usize, usize)) -> Table {
    let has_bar = *bar_width > 0;
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY);
    let names = [told.group_by.as_str()].into_iter().chain(columns.iter().map(|(name, _)| *name));
    table.set_header(names.chain(has_bar.then_some("")));
    let weight = weight(told);
    let most = told.rows.iter().map(|row| weight(&row.sums)).max().unwrap_or_default();
    let mut add = |name: String, sums: &UsageSums, bar: String| {
        let figures = columns.iter().map(|(_, figure)| grouped(figure(sums)));
        table.add_row([name].into_iter().chain(figures).chain(has_bar.then_some(bar)));
    };
    for UsageRow { key, sums } in &told.rows {
        add(shortened(&plain(key), *name_width), sums, bar(weight(sums), most, *bar_width));
    }
    add("total".to_owned(), &told.total, String::new());
    for index in 1..=columns.len() {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// What a bar is as long as: tokens, and where nothing costs any, requests.
fn weight(told: &UsageTold) -> fn(&UsageSums) -> u64 {
    if told.total.total_tokens > 0 { TOTAL.1 } else { REQUESTS.1 }
}

/// The share of the largest. What is more than nothing is seen.
fn bar(amount: u64, most: u64, width: usize) -> String {
    let eighths = (u128::from(amount) * (width as u128 * 8)).div_ceil(u128::from(most.max(1))) as usize;
    format!("{}{}", EIGHTHS[8].repeat(eighths / 8), EIGHTHS[eighths % 8])
}

/// A name as it is, but for what a terminal would obey: users are named by clients.
fn plain(name: &str) -> String {
    if name.is_empty() {
        return "(none)".to_owned();
    }
    let turns_around = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    name.chars().map(|c| if c.is_control() || turns_around(c) { '␀' } else { c }).collect()
}

fn shortened(name: &str, most: usize) -> String {
    if name.chars().count() <= most {
        return name.to_owned();
    }
    name.chars().take(most - 1).chain(['…']).collect()
}

/// `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use keygate_domain::{UsageGroup, UsageReport};
    use keygate_http::UsagePeriod;

    use super::*;

    fn told(rows: &[(&str, u64, u64)], estimated_tokens: u64) -> UsageTold {
        let period = UsagePeriod {
            from: "2026-11-01T00:00:00Z".parse().unwrap(),
            to: "2026-11-21T10:30:00Z".parse().unwrap(),
        };
        let mut total = UsageSums { estimated_tokens, ..UsageSums::default() };
        let rows = rows.iter().map(|(key, requests, tokens)| {
            let sums = UsageSums {
                requests: *requests,
                attempts: *requests,
                input_tokens: *tokens / 2,
                output_tokens: *tokens - *tokens / 2,
                total_tokens: *tokens,
                ..UsageSums::default()
            };
            total += sums;
            UsageRow { key: (*key).to_owned(), sums }
        });
        let rows = rows.collect();
        UsageTold::new(period, UsageGroup::User, UsageReport { rows, total })
    }

    #[test]
    fn figures_are_right_aligned_and_bars_are_shares_of_the_largest() {
        let told = told(&[("ann", 1_200, 1_234_567), ("Nguyễn", 30, 617_283), ("ben", 1, 1)], 5_000);
        let text = of(&told, 100);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "Used by user, 2026-11-01 00:00 UTC to 2026-11-21 10:30 UTC:");
        let squeezed = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(squeezed(lines[2]), "│ user requests errors input output thought tokens │");
        let full = "█".repeat(24);
        assert_eq!(squeezed(lines[4]), format!("│ ann 1,200 0 617,283 617,284 0 1,234,567 {full} │"));
        let half = "█".repeat(12);
        assert_eq!(squeezed(lines[5]), format!("│ Nguyễn 30 0 308,641 308,642 0 617,283 {half} │"));
        assert_eq!(squeezed(lines[6]), "│ ben 1 0 0 1 0 1 ▏ │");
        assert_eq!(squeezed(lines[7]), "│ total 1,231 0 925,924 925,927 0 1,851,851 │");
        let end = |line: &str, what: &str| line.find(what).map(|at| line[..at + what.len()].chars().count());
        assert_eq!(end(lines[4], "1,234,567"), end(lines[7], "1,851,851"), "{text}");
        assert!(lines[9].starts_with("5,000 of the tokens are estimates"), "{text}");
        assert!(!text.contains('\u{1b}'), "no colours");
    }

    #[test]
    fn a_narrow_terminal_is_told_less_and_never_more_than_fits() {
        let long = "a-user-with-a-name-that-goes-on-and-on-and-on-and-on";
        let told = told(&[(long, 1_200_000, 1_234_567_890), ("ben", 30, 600)], 0);
        for (width, shows, has_bar) in [
            (150, "thought", true),
            (118, "thought", true),
            (90, "errors", true),
            (60, "requests", true),
            (40, "tokens", false),
        ] {
            let text = of(&told, width);
            let table: Vec<&str> = text.lines().skip(1).collect();
            assert!(table.iter().all(|line| line.chars().count() <= width), "{width}:\n{text}");
            assert!(table[1].contains(shows), "{width}:\n{text}");
            assert_eq!(text.contains('█'), has_bar, "{width}:\n{text}");
        }
        assert!(of(&told, 60).contains('…'));
    }

    #[test]
    fn sessions_without_tokens_are_weighed_by_requests_and_nothing_is_said_so() {
        let told_sessions = told(&[("ann", 4, 0), ("", 1, 0)], 0);
        let text = of(&told_sessions, 100);
        assert!(text.contains(&"█".repeat(24)) && text.contains("(none)"), "{text}");
        assert!(of(&told(&[], 0), 100).ends_with(":\nNothing."));
    }

    #[test]
    fn no_name_moves_the_cursor_or_turns_the_line_around() {
        assert_eq!(plain("a\u{1b}[2Jb\u{202e}c\0\n"), "a␀[2Jb␀c␀␀");
    }
}
