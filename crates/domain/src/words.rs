//! Texts as the words they are made of, for finding one by another.
//!
//! Case, accents and punctuation do not matter: who types `gio mo cua` means `giờ mở cửa`. The same folding
//! goes over what is stored and over what is asked, so that every database finds the same.

use icu_normalizer::DecomposingNormalizer;

/// One word of a text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Word {
    /// The word, folded.
    pub text: String,
    /// How much it says: [`Word::TELLING`], or [`Word::PLAIN`] for words that are in every other sentence.
    pub weight: u32,
}

/// Most words of a text that are looked at.
const MOST_WORDS: usize = 64;

/// As much of a text is looked at, in characters.
const MOST_CHARACTERS: usize = 4096;

/// Words that are in every other sentence, in English, Indonesian and Vietnamese; folded and sorted.
#[rustfmt::skip]
const PLAIN_WORDS: [&str; 167] = [
    "a", "ada", "adalah", "ai", "akan", "aku", "am", "an", "and", "anda", "apa", "apakah", "are", "at", "atau",
    "bagaimana", "ban", "bao", "be", "because", "bi", "bisa", "bukan", "by", "ca", "cac", "can", "cho", "chung",
    "co", "could", "cua", "cung", "da", "dan", "dang", "dapat", "dari", "dau", "day", "de", "den", "dengan",
    "di", "dia", "did", "dimana", "do", "does", "duoc", "for", "from", "gi", "had", "has", "have", "he", "her",
    "his", "ho", "hoac", "how", "i", "if", "in", "ini", "is", "it", "its", "itu", "jika", "kah", "kami",
    "kapan", "ke", "kenapa", "khi", "khong", "kia", "kita", "la", "lah", "lam", "mana", "may", "me", "mengapa",
    "mereka", "minh", "mot", "my", "nao", "nay", "neu", "nguoi", "nhu", "nhung", "no", "not", "nya", "o", "of",
    "on", "or", "our", "pada", "please", "pun", "ra", "rang", "rat", "roi", "sao", "saya", "se", "sebuah",
    "shall", "she", "should", "siapa", "so", "su", "sudah", "tai", "that", "the", "their", "them", "there",
    "these", "they", "thi", "this", "those", "tidak", "to", "toi", "tolong", "tren", "trong", "tu", "untuk",
    "us", "va", "vay", "ve", "vi", "voi", "vui", "was", "we", "were", "what", "when", "where", "which", "who",
    "whom", "why", "will", "with", "would", "xin", "ya", "yang", "you", "your",
];

impl Word {
    /// The weight of a word that tells what a text is about.
    pub const TELLING: u32 = 4;
    /// The weight of one that does not.
    pub const PLAIN: u32 = 1;

    fn new(text: String) -> Self {
        let is_plain = PLAIN_WORDS.contains(&text.as_str());
        Self { weight: if is_plain { Self::PLAIN } else { Self::TELLING }, text }
    }
}

/// The words of a text, each once, in the order of their first places.
pub fn words(text: &str) -> Vec<Word> {
    let mut found: Vec<Word> = Vec::new();
    let mut word = String::new();
    for character in folded(text).chars().chain([' ']) {
        let stands_alone = is_written_without_spaces(character);
        if character.is_alphanumeric() && !stands_alone {
            word.push(character);
            continue;
        }
        let alone = stands_alone.then(|| character.to_string());
        for text in [std::mem::take(&mut word)].into_iter().chain(alone).filter(|text| !text.is_empty()) {
            if found.iter().all(|known| known.text != text) {
                found.push(Word::new(text));
            }
        }
        if found.len() >= MOST_WORDS {
            break;
        }
    }
    found.truncate(MOST_WORDS);
    found
}

/// How much all of them say together.
pub fn weight_of(words: &[Word]) -> u32 {
    words.iter().map(|word| word.weight).sum()
}

/// A text in lower case and without accents.
fn folded(text: &str) -> String {
    let bounded: String = text.chars().take(MOST_CHARACTERS).collect();
    let decomposed = DecomposingNormalizer::new_nfkd().normalize(&bounded).into_owned();
    let letters = decomposed.chars().filter(|character| !is_accent(*character));
    letters
        .flat_map(char::to_lowercase)
        .map(|character| if character == 'đ' { 'd' } else { character })
        .collect()
}

fn is_accent(character: char) -> bool {
    ('\u{300}'..='\u{36f}').contains(&character)
}

/// Of scripts that do not part their words each character is one.
fn is_written_without_spaces(character: char) -> bool {
    matches!(character,
        '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}'
        | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{20000}'..='\u{3ffff}')
        && character.is_alphanumeric()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<String> {
        words(text)
            .into_iter()
            .map(|word| format!("{}{}", word.text, if word.weight == 1 { "-" } else { "" }))
            .collect()
    }

    #[test]
    fn case_accents_and_punctuation_do_not_matter() {
        assert_eq!(shown("Giờ MỞ cửa: Đà Nẵng?"), ["gio", "mo", "cua-", "da-", "nang"]);
        assert_eq!(shown("gio mo cua da nang"), shown("Giờ mở cửa Đà Nẵng"));
        assert_eq!(shown("What's the price? The PRICE!"), ["what-", "s", "the-", "price"]);
        assert_eq!(shown("ﬁle №7"), ["file", "no7"]);
        assert_eq!(shown(""), [""; 0]);
        assert_eq!(shown(" -- !"), [""; 0]);
    }

    #[test]
    fn scripts_without_spaces_are_read_by_the_character() {
        assert_eq!(shown("営業時間は10時"), ["営", "業", "時", "間", "は", "10"]);
    }

    #[test]
    fn a_text_is_looked_at_within_bounds() {
        let long: String = (0..10_000).map(|number| format!("w{number}")).collect::<Vec<_>>().join(" ");
        assert_eq!(words(&long).len(), MOST_WORDS);
        assert_eq!(words(&"x".repeat(1_000_000))[0].text.len(), MOST_CHARACTERS);
    }

    #[test]
    fn plain_words_are_folded_as_texts_are() {
        for plain in PLAIN_WORDS {
            assert_eq!(shown(plain), [format!("{plain}-")]);
        }
    }
}
