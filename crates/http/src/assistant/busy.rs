//! The friendly words for a user whose question nobody can answer, in the user's language.

use http::HeaderMap;
use keygate_config::Messages;

/// The message in the language that `Accept-Language` (RFC 9110 §12.5.4) likes best among those there are.
pub(super) fn message<'m>(messages: &'m Messages, headers: &HeaderMap) -> &'m str {
    let asked = headers.get("accept-language").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut best: (&str, f32) = (&messages.en, 0.0);
    for range in asked.split(',') {
        let (language, weight) = weighed(range);
        if weight > best.1
            && let Some(text) = text_in(messages, language)
        {
            best = (text, weight);
        }
    }
    best.0
}

/// `id-ID;q=0.8` is Indonesian, by 0.8.
fn weighed(range: &str) -> (&str, f32) {
    let mut parts = range.split(';').map(str::trim);
    let language = parts.next().unwrap_or_default();
    let weight = parts.find_map(|part| part.strip_prefix("q=")?.parse().ok()).unwrap_or(1.0);
    (language.split('-').next().unwrap_or_default(), weight)
}

fn text_in<'m>(messages: &'m Messages, language: &str) -> Option<&'m str> {
    match language.to_ascii_lowercase().as_str() {
        "en" | "*" => Some(&messages.en),
        // `in` is what old Java sends for Indonesian.
        "id" | "in" => Some(&messages.id),
        "vi" => Some(&messages.vi),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_liked_best_wins() {
        let text = str::to_owned;
        let messages = Messages { en: text("en"), id: text("id"), vi: text("vi") };
        let check = |asked: Option<&'static str>, expected: &str| {
            let mut headers = HeaderMap::new();
            if let Some(asked) = asked {
                headers.insert("accept-language", asked.parse().unwrap());
            }
            assert_eq!(message(&messages, &headers), expected, "{asked:?}");
        };
        check(None, "en");
        check(Some("id"), "id");
        check(Some("VI-vn,vi;q=0.9,en;q=0.8"), "vi");
        check(Some("fr, en;q=0.3, id;q=0.7"), "id");
        check(Some("de-DE"), "en");
        check(Some("in-ID"), "id");
        check(Some("vi;q=0"), "en");
        check(Some(";;q=,"), "en");
    }
}
