//! What somebody probably meant by a misspelled name.

/// The one of `known` nearest to `name`, if it is near enough to be meant.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_ascii_lowercase().replace('-', "_");
    let allowed = (name.chars().count() / 3).clamp(1, 3);
    known
        .into_iter()
        .map(|candidate| (distance(&name, candidate), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Names in backticks, separated by commas.
pub(crate) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// A name as it may be repeated in a message. A secret in the place of a name must not come
/// out, so anything that does not look like the name of a setting is left out.
pub(crate) fn speakable(name: &str) -> Option<&str> {
    let longest = if name.bytes().any(|byte| byte.is_ascii_digit()) { 16 } else { 32 };
    let is_plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-');
    ((1..=longest).contains(&name.len()) && name.bytes().all(is_plain)).then_some(name)
}

/// Levenshtein's distance; names are short.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in right.iter().enumerate() {
            let substituted = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("bindd", Some("bind"))]
    #[case("Workers", Some("workers"))]
    #[case("shutdown-grace", Some("shutdown_grace"))]
    #[case("storage", None)]
    fn only_near_names_are_proposed(#[case] name: &str, #[case] meant: Option<&str>) {
        assert_eq!(nearest(name, ["bind", "workers", "shutdown_grace"]), meant);
    }

    #[test]
    fn a_secret_in_the_place_of_a_name_is_not_spoken() {
        assert_eq!(speakable("max_body"), Some("max_body"));
        assert_eq!(speakable("sha256"), Some("sha256"));
        assert_eq!(speakable("AIzaSy-not-a-real-key"), None);
        assert_eq!(speakable(&"a".repeat(39)), None);
        assert_eq!(speakable(&"a1".repeat(16)), None);
    }
}
