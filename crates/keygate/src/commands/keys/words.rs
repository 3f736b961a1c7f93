//! Words and cells that the commands on keys have in common.

use std::fmt::Display;

use comfy_table::{Cell, Color, Table, presets};
use serde_json::Value;

/// A table in the style of the house. It has colours on a terminal, unless `NO_COLOR` is set.
pub(super) fn table<T: Into<Cell>>(header: impl IntoIterator<Item = T>) -> Table {
    let mut table = Table::new();
    let header: Vec<Cell> = header.into_iter().map(Into::into).collect();
    table.load_style(presets::UTF8_BORDERS_ONLY).set_header(header);
    if std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) {
        table.force_no_tty();
    }
    table
}

/// How good a word is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mood {
    Good,
    Waiting,
    Bad,
}

/// A word in the colour of its mood.
pub(super) fn cell(word: &str, mood: Mood) -> Cell {
    Cell::new(word).fg(match mood {
        Mood::Good => Color::Green,
        Mood::Waiting => Color::Yellow,
        Mood::Bad => Color::Red,
    })
}

/// What a key is called on a command line: its label where a shell takes it for one word, else its id.
pub(super) fn word_for<'k>(label: &'k str, id: &'k str) -> &'k str {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | ':' | '@');
    let is_word = label.starts_with(|c: char| c.is_ascii_alphanumeric()) && label.chars().all(is_plain);
    if is_word { label } else { id }
}

/// `1 key`, `3 keys`.
pub(super) fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// `a, b and c`.
pub(super) fn listed<T: Display>(all: &[T]) -> String {
    match all {
        [] => String::new(),
        [one] => one.to_string(),
        [before @ .., last] => {
            let before: Vec<String> = before.iter().map(ToString::to_string).collect();
            format!("{} and {last}", before.join(", "))
        }
    }
}

/// Seconds, in the largest unit that tells enough.
pub(super) fn span(seconds: u64) -> String {
    match seconds {
        0..=120 => format!("{seconds} s"),
        121..=7_200 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{} h", seconds.div_ceil(3_600)),
    }
}

/// The values of a list; none of what is no list.
pub(super) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Text as it is, but for what a terminal would obey: names of models are the callers' words.
pub(super) fn plain(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    text.chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_told_in_the_largest_unit_that_tells_enough() {
        let told = [0, 120, 121, 3_600, 7_200, 7_201, 68_400].map(span);
        assert_eq!(told, ["0 s", "120 s", "3 min", "60 min", "120 min", "3 h", "19 h"]);
    }

    #[test]
    fn a_key_is_named_by_a_word_that_a_shell_takes_as_it_is() {
        let word = |label: &str| word_for(label, "3f2a9c0b1d4e").to_owned();
        assert_eq!(["team-a_1", "projects/a"].map(word), ["team-a_1", "projects/a"]);
        assert_eq!(["team a", "$(id)", "-x", "", "Đội"].map(word), ["3f2a9c0b1d4e"; 5]);
    }

    #[test]
    fn lists_are_told_in_words() {
        assert_eq!([listed::<u8>(&[]), listed(&[1]), listed(&[1, 2, 3])], ["", "1", "1, 2 and 3"]);
    }
}
