//! Stored answers: what a user is told when nobody can be asked.

use std::cmp::Reverse;

use crate::language::Languages;
use crate::words::Word;

/// A stored answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredAnswer {
    /// Its name.
    pub id: String,
    /// The phrases it answers, or [`StoredAnswer::ANYTHING`].
    pub phrases: Vec<String>,
    /// The language it is in, as a tag in lower case; nothing if that does not matter.
    pub language: Option<String>,
    /// What it says.
    pub reply: String,
    /// The provider whose place it takes; nothing for each.
    pub provider: Option<String>,
    /// The model whose place it takes; nothing for each.
    pub model: Option<String>,
    /// Whether it is used.
    pub enabled: bool,
}

impl StoredAnswer {
    /// The phrase of an answer to whatever nothing else answers.
    pub const ANYTHING: &str = "*";
}

/// What an answer is looked for by.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AnswerSearch {
    /// The words of the question.
    pub words: Vec<Word>,
    /// The provider that was asked.
    pub provider: String,
    /// The model that was asked.
    pub model: Option<String>,
}

/// A stored answer that has words in common with a question, by that one of its phrases that has most.
#[derive(Clone, PartialEq, Debug)]
pub struct FoundAnswer {
    /// Its name.
    pub id: String,
    /// The language it is in.
    pub language: Option<String>,
    /// What it says.
    pub reply: String,
    /// The provider whose place it takes.
    pub provider: Option<String>,
    /// The model whose place it takes.
    pub model: Option<String>,
    /// The phrase.
    pub phrase: String,
    /// How much the words of the phrase say.
    pub weight: u32,
    /// How much of that the question has.
    pub met: u32,
}

impl FoundAnswer {
    /// How well it fits: the share of its phrase that the question has, words counted by what they say.
    pub fn score(&self) -> f64 {
        if self.weight == 0 { 0.0 } else { f64::from(self.met) / f64::from(self.weight) }
    }

    /// Whether it fits well enough.
    pub fn reaches(&self, threshold: f64) -> bool {
        self.score() >= threshold
    }

    fn answers_anything(&self) -> bool {
        self.phrase == StoredAnswer::ANYTHING
    }

    /// One that is for this model says more than one for this provider, and that than one for all.
    fn specificity(&self) -> usize {
        usize::from(self.model.is_some()) * 2 + usize::from(self.provider.is_some())
    }
}

/// Answers in the order in which they are used, each once: what fits best first; of those that fit
/// equally the one in the language that is liked best, then the most specific. What answers anything comes
/// last.
pub fn ranked(mut found: Vec<FoundAnswer>, languages: &Languages) -> Vec<FoundAnswer> {
    let among_equals = |answer: &FoundAnswer| {
        let language = rank_of(answer.language.as_deref(), languages);
        (language, Reverse(answer.specificity()), Reverse(answer.weight))
    };
    found.sort_by(|one, other| {
        one.answers_anything()
            .cmp(&other.answers_anything())
            .then_with(|| other.score().total_cmp(&one.score()))
            .then_with(|| among_equals(one).cmp(&among_equals(other)))
            .then_with(|| one.id.cmp(&other.id))
    });
    let mut ids = std::collections::BTreeSet::new();
    found.retain(|answer| ids.insert(answer.id.clone()));
    found
}

/// Which of `ranked` answers is used, if any.
pub fn chosen(ranked: &[FoundAnswer], threshold: f64, with_catch_all: bool) -> Option<&FoundAnswer> {
    let fits = |answer: &&FoundAnswer| !answer.answers_anything() && answer.reaches(threshold);
    let anything = |answer: &&FoundAnswer| with_catch_all && answer.answers_anything();
    ranked.iter().find(fits).or_else(|| ranked.iter().find(anything))
}

/// A language that was asked for comes before none in particular, that before English, and any other last.
fn rank_of(language: Option<&str>, languages: &Languages) -> usize {
    let Some(language) = language else { return usize::MAX - 2 };
    let unasked = if language.split('-').next() == Some("en") { usize::MAX - 1 } else { usize::MAX };
    languages.rank(language).unwrap_or(unasked)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(id: &str, language: &str, met: u32, weight: u32) -> FoundAnswer {
        FoundAnswer {
            id: id.to_owned(),
            language: Some(language.to_owned()).filter(|language| !language.is_empty()),
            reply: id.to_owned(),
            provider: None,
            model: None,
            phrase: if weight == 0 { "*" } else { "phrase" }.to_owned(),
            weight,
            met,
        }
    }

    fn ids(found: Vec<FoundAnswer>, asked: &str) -> String {
        let ranked = ranked(found, &Languages::asked(asked));
        ranked.into_iter().map(|answer| answer.id).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_fits_best_comes_first_and_the_language_decides_between_equals() {
        let all = || {
            vec![
                found("any", "", 0, 0),
                found("half", "id", 4, 8),
                found("en", "en", 8, 8),
                found("id", "id", 8, 8),
                found("none", "", 8, 8),
                found("vi", "vi", 8, 8),
                found("id", "id", 4, 8),
            ]
        };
        assert_eq!(ids(all(), "id,en;q=0.5"), "id en none vi half any");
        assert_eq!(ids(all(), ""), "none en id vi half any");
    }

    #[test]
    fn of_equals_the_most_specific_comes_first() {
        let of_model = FoundAnswer { model: Some("m".to_owned()), ..found("model", "", 4, 4) };
        let of_provider = FoundAnswer { provider: Some("p".to_owned()), ..found("provider", "", 4, 4) };
        let all = vec![found("all", "", 4, 4), found("longer", "", 8, 8), of_provider, of_model];
        assert_eq!(ids(all, ""), "model provider longer all");
    }

    #[test]
    fn what_fits_badly_is_not_used() {
        let ranked = ranked(vec![found("half", "", 4, 8), found("any", "", 0, 0)], &Languages::default());
        let used = |threshold, with_catch_all| {
            chosen(&ranked, threshold, with_catch_all).map(|found| found.id.as_str())
        };
        assert_eq!(used(0.5, false), Some("half"));
        assert_eq!(used(0.51, false), None);
        assert_eq!(used(0.51, true), Some("any"));
        assert_eq!(used(0.0, true), Some("half"));
    }
}
