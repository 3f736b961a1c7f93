//! Which language somebody wants to be spoken to in, and the message in it.

use std::collections::BTreeMap;

/// The language of a message when none that is asked for is there.
const USUAL: &str = "en";

/// What old Java, and with it old phones, still calls these languages.
const FORMER_NAMES: [(&str, &str); 3] = [("in", "id"), ("iw", "he"), ("ji", "yi")];

/// The languages that a caller asks for, the one liked best first.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Languages(Vec<String>);

impl Languages {
    /// Most that are looked at; browsers send a handful.
    const MOST: usize = 32;

    /// What `Accept-Language` asks for (RFC 9110 §12.5.4). What cannot be understood in it is left out.
    pub fn asked(header: &str) -> Self {
        let ranges = header.split(',').take(Self::MOST).filter_map(weighed);
        let mut liked: Vec<(String, f32)> = ranges.filter(|(_, weight)| *weight > 0.0).collect();
        // Stable: among equals the first one named is liked best.
        liked.sort_by(|one, other| other.1.total_cmp(&one.1));
        Self(liked.into_iter().map(|(language, _)| language).collect())
    }

    /// How well `language` is liked, 0 is best; nothing if it was not asked for. Its region does not
    /// matter: who asks for `id-ID` is content with `id`, and the other way round.
    pub fn rank(&self, language: &str) -> Option<usize> {
        let wanted = primary(language);
        self.0.iter().position(|asked| asked != "*" && primary(asked) == wanted)
    }
}

/// `id-ID;q=0.8` is `id-id`, by 0.8.
fn weighed(range: &str) -> Option<(String, f32)> {
    let mut parts = range.split(';').map(str::trim);
    let language = parts.next().filter(|language| !language.is_empty())?.to_ascii_lowercase();
    let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    let weight = quality.map_or(Some(1.0), |quality| quality.trim().parse().ok())?;
    Some((current(language), weight))
}

/// The language by its name of today.
fn current(language: String) -> String {
    let own = primary(&language);
    match FORMER_NAMES.iter().find(|(former, _)| *former == own) {
        Some((former, today)) => format!("{today}{}", &language[former.len()..]),
        None => language,
    }
}

/// The language of a tag, without script and region.
fn primary(tag: &str) -> &str {
    tag.split('-').next().unwrap_or_default()
}

/// One message in several languages: tag in lower case, text.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Messages(BTreeMap<String, String>);

impl Messages {
    /// The text in the language that `accept_language` likes best of those there are. A region that is
    /// not there falls back to its language, and whatever is not there to English.
    pub fn text(&self, accept_language: &str) -> &str {
        let asked = Languages::asked(accept_language);
        let liked = asked.0.iter().find_map(|tag| self.nearest(tag));
        liked
            .or_else(|| self.nearest(USUAL))
            .or_else(|| self.0.values().next().map(String::as_str))
            .unwrap_or_default()
    }

    /// The text of `tag`, or of what is left of it when one part after the other is taken away (RFC 4647
    /// §3.4).
    fn nearest(&self, tag: &str) -> Option<&str> {
        let tag = if tag == "*" { USUAL } else { tag };
        let mut left = Some(tag);
        while let Some(tag) = left {
            if let Some(text) = self.0.get(tag) {
                return Some(text);
            }
            left = tag.rsplit_once('-').map(|(shorter, _)| shorter);
        }
        None
    }
}

impl<L: AsRef<str>, T: Into<String>> FromIterator<(L, T)> for Messages {
    /// Later texts replace earlier ones of the same language.
    fn from_iter<I: IntoIterator<Item = (L, T)>>(texts: I) -> Self {
        let texts = texts.into_iter();
        Self(texts.map(|(language, text)| (language.as_ref().to_ascii_lowercase(), text.into())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_liked_best_wins() {
        let messages: Messages =
            [("en", "en"), ("id", "id"), ("vi", "vi"), ("pt", "pt"), ("pt-BR", "br")].into_iter().collect();
        let check = |asked: &str, expected: &str| assert_eq!(messages.text(asked), expected, "{asked:?}");
        check("", "en");
        check("id", "id");
        check("VI-vn,vi;q=0.9,en;q=0.8", "vi");
        check("fr, en;q=0.3, id;q=0.7", "id");
        check("fr,id;q=0.5,en;q=0.4", "id");
        check("en;q=0.2, VI;q=0.7", "vi");
        check("de-DE", "en");
        check("in-ID", "id");
        check("vi;q=0", "en");
        check("id;q=0,fr", "en");
        check("*", "en");
        check("fr, *;q=0.1", "en");
        check("pt-br", "br");
        check("pt-PT", "pt");
        check("pt-Latn-BR", "pt");
        check("vi;q=0.5,id;q=0.5", "vi");
        check(";;q=,", "en");
        check(";;,=,q=x", "en");
    }

    #[test]
    fn there_is_a_text_whatever_is_there() {
        assert_eq!([("vi", "vi")].into_iter().collect::<Messages>().text("fr"), "vi");
        assert_eq!(Messages::default().text("fr"), "");
    }

    #[test]
    fn a_language_has_a_rank_whatever_its_region() {
        let asked = Languages::asked("fr;q=0.1, id-ID, en;q=0.5, vi;q=0, *;q=0.01");
        assert_eq!(asked.rank("id"), Some(0));
        assert_eq!(asked.rank("en-GB"), Some(1));
        assert_eq!(asked.rank("fr"), Some(2));
        assert_eq!((asked.rank("vi"), asked.rank("de")), (None, None));
    }
}
