//! The fields looked for, as each surface spells them.

use std::sync::LazyLock;

use super::skim::Searcher;
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
    /// The token with which an answer that is not finished is gone on with.
    Continuation,
}

impl Field {
    /// How many fields there are.
    pub(super) const COUNT: usize = 6;

    /// Most bytes kept of a value; a longer one is passed over. Usage is about 1 KiB at its
    /// largest (a count per modality, four times); the texts are ids and names, and a token is opaque: what is
    /// told of its size is nothing.
    pub(super) const fn most_bytes(self) -> usize {
        match self {
            Self::Usage => 16 * 1024,
            Self::Error | Self::Continuation => 64 * 1024,
            Self::Model | Self::Id | Self::Finish => 512,
        }
    }

    /// Whether the first value is the last word. Model and id are repeated in every chunk.
    pub(super) const fn is_settled_by_first(self) -> bool {
        matches!(self, Self::Model | Self::Id)
    }
}

/// Members of an object, and the fields they are.
pub(super) type Members = &'static [(&'static [u8], Field)];

/// How a surface spells the fields.
#[derive(Debug)]
pub(super) struct Words {
    /// Members of a root object.
    pub root: Members,
    /// Members of a root object that are objects themselves, and what is looked for in those.
    pub inner: &'static [(&'static [u8], Members)],
    /// The member of a root object that holds the array of answers.
    pub answers: &'static [u8],
    /// Members of an answer.
    pub answer: Members,
    /// The members that hold what functions are called with, or gave back. What a model writes stands in
    /// strings, where quoted words cannot be; but for these.
    pub arguments: &'static [&'static [u8]],
    /// Finds the words in bytes that were not read yet.
    pub searcher: LazyLock<Searcher>,
}

impl Words {
    /// The spelling of a surface.
    pub(super) fn of(surface: Surface) -> &'static Self {
        match surface {
            Surface::Native => &NATIVE,
            Surface::OpenAi => &OPENAI,
            Surface::Interactions => &INTERACTIONS,
        }
    }

    /// The field that a member of a root object is.
    pub(super) fn field(&self, key: &[u8]) -> Option<Field> {
        field_of(self.root, key)
    }

    /// What is looked for in the root member `key`, if anything.
    pub(super) fn inside(&self, key: &[u8]) -> Option<Members> {
        self.inner.iter().find(|(word, _)| *word == key).map(|(_, members)| *members)
    }
}

/// The field that the member `key` is.
pub(super) fn field_of(members: Members, key: &[u8]) -> Option<Field> {
    members.iter().find(|(word, _)| *word == key).map(|(_, field)| *field)
}

static NATIVE: Words = Words {
    root: &[
        (b"usageMetadata", Field::Usage),
        (b"error", Field::Error),
        (b"modelVersion", Field::Model),
        (b"responseId", Field::Id),
    ],
    inner: &[],
    answers: b"candidates",
    answer: &[(b"finishReason", Field::Finish), (b"continuationToken", Field::Continuation)],
    arguments: &[b"args", b"response"],
    searcher: LazyLock::new(|| Searcher::of(&NATIVE)),
};

static OPENAI: Words = Words {
    root: &[(b"usage", Field::Usage), (b"error", Field::Error), (b"model", Field::Model), (b"id", Field::Id)],
    inner: &[],
    answers: b"choices",
    answer: &[(b"finish_reason", Field::Finish)],
    arguments: &[b"args"],
    searcher: LazyLock::new(|| Searcher::of(&OPENAI)),
};

/// An interaction says its fields at its root; events say them of the interaction they are about.
static INTERACTIONS: Words = Words {
    root: &[
        (b"usage", Field::Usage),
        (b"error", Field::Error),
        (b"model", Field::Model),
        (b"id", Field::Id),
        (b"interaction_id", Field::Id),
        (b"status", Field::Finish),
        (b"continuation_token", Field::Continuation),
    ],
    inner: &[
        (
            b"interaction",
            &[
                (b"usage", Field::Usage),
                (b"model", Field::Model),
                (b"id", Field::Id),
                (b"status", Field::Finish),
                (b"continuation_token", Field::Continuation),
            ],
        ),
        (b"metadata", &[(b"total_usage", Field::Usage)]),
    ],
    // It has no answers beside each other.
    answers: b"",
    answer: &[],
    arguments: &[b"arguments"],
    searcher: LazyLock::new(|| Searcher::of(&INTERACTIONS)),
};
