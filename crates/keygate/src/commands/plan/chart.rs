//! The hours of a day as columns.

use keygate_planner::Hour;

/// Lines of the chart above its axis.
const HEIGHT: u64 = 6;
/// Eighths of a line, from nothing to all of it.
const EIGHTHS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Requests by the hour, and below them which share of them got no key; 56 columns wide.
pub(super) fn of(hours: &[Hour]) -> String {
    let most = hours.iter().map(|hour| hour.requests).max().unwrap_or(0).max(1);
    let mut text = String::new();
    for line in (0..HEIGHT).rev() {
        text.push_str("        ");
        for hour in hours {
            push_twice(&mut text, column(hour.requests, most, line));
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text.push_str("        0     3     6     9     12    15    18    21\n");
    if hours.iter().any(|hour| hour.refused > 0) {
        text.push_str("refused ");
        for hour in hours {
            push_twice(&mut text, share(hour.refused, hour.requests));
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}

fn push_twice(text: &mut String, letter: char) {
    text.push(letter);
    text.push(letter);
}

/// The part of a column that is in a line, counted from below. What is more than nothing is seen.
fn column(amount: u64, most: u64, line: u64) -> char {
    let eighths = (u128::from(amount) * u128::from(HEIGHT * 8)).div_ceil(u128::from(most)) as u64;
    EIGHTHS[eighths.saturating_sub(line * 8).min(8) as usize]
}

/// A share of all, in one letter.
fn share(part: u64, all: u64) -> char {
    EIGHTHS[(u128::from(part) * 8).div_ceil(u128::from(all.max(1))).min(8) as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(requests: impl Fn(u8) -> u64, refused: u64) -> Vec<Hour> {
        (0..24).map(|hour| Hour { hour, requests: requests(hour), refused_by_user: 0, refused }).collect()
    }

    #[test]
    fn the_busiest_hour_is_full_and_the_least_request_is_seen() {
        let text = of(&hours(|hour| if hour == 12 { 1_000_000 } else { u64::from(hour == 3) }, 0));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 7);
        let at = |line: &str, hour: usize| line.chars().nth(8 + 2 * hour).unwrap_or(' ');
        assert_eq!(at(lines[0], 12), '█');
        assert_eq!((at(lines[5], 3), at(lines[5], 4), at(lines[5], 12)), ('▁', ' ', '█'));
        assert_eq!(lines[6].find("12").map(|place| (place - 8) / 2), Some(12));
        assert!(text.lines().all(|line| line.chars().count() <= 56));
    }

    #[test]
    fn refusals_have_a_line_of_their_own() {
        let text = of(&hours(|_| 8, 4));
        assert!(text.lines().last().is_some_and(|line| line.starts_with("refused ▄▄")), "{text}");
        assert!(!of(&hours(|_| 0, 0)).contains("refused"));
    }
}
