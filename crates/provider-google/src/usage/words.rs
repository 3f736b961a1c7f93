//! The fields looked for, as each surface spells them.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use super::skim;
use crate::surface::Surface;

/// A field whose value is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Field {
    /// The counts of tokens.
    Usage,
    /// An error inside a success.
    Error,
    /// The model that answered.
    Model,
    /// The id of the answer.
    Id,
    /// Why the model stopped.
    Finish,
}

impl Field {
    /// How many fields there are.
    pub(super) const COUNT: usize = 5;

    /// Most bytes kept of a value; a longer one is passed over. Usage is about 1 KiB at its
    /// largest (a count per modality, four times); the texts are ids and names.
    pub(super) const fn most_bytes(self) -> usize {
        match self {
            Self::Usage => 16 * 1024,
            Self::Error => 64 * 1024,
            Self::Model | Self::Id | Self::Finish => 512,
        }
    }

    /// Whether the first value is the last word. Model and id are repeated in every chunk.
    pub(super) const fn is_settled_by_first(self) -> bool {
        matches!(self, Self::Model | Self::Id)
    }
}

/// How a surface spells the fields.
#[derive(Debug)]
pub(super) struct Words {
    /// Members of a root object.
    pub root: [(&'static [u8], Field); 4],
    /// The member of a root object that holds the array of answers.
    pub answers: &'static [u8],
    /// The member of an answer that says why it ended.
    pub finish: &'static [u8],
    /// Finds the words in bytes that were not read yet.
    pub searcher: LazyLock<AhoCorasick>,
}

impl Words {
    /// The spelling of a surface.
    pub(super) fn of(surface: Surface) -> &'static Self {
        match surface {
            Surface::Native => &NATIVE,
            Surface::OpenAi => &OPENAI,
        }
    }

    /// The field that a member of a root object is.
    pub(super) fn field(&self, key: &[u8]) -> Option<Field> {
        self.root.iter().find(|(word, _)| *word == key).map(|(_, field)| *field)
    }
}

static NATIVE: Words = Words {
    root: [
        (b"usageMetadata", Field::Usage),
        (b"error", Field::Error),
        (b"modelVersion", Field::Model),
        (b"responseId", Field::Id),
    ],
    answers: b"candidates",
    finish: b"finishReason",
    searcher: LazyLock::new(|| skim::searcher(&NATIVE)),
};

static OPENAI: Words = Words {
    root: [(b"usage", Field::Usage), (b"error", Field::Error), (b"model", Field::Model), (b"id", Field::Id)],
    answers: b"choices",
    finish: b"finish_reason",
    searcher: LazyLock::new(|| skim::searcher(&OPENAI)),
};
