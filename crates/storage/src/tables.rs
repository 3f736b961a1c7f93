//! The tables and what is in their columns: what a backup holds.

/// What is in a column. A further kind is added here when a table needs it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Holds {
    Text,
    Number,
}

/// A table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    /// The schema from which on it is there.
    pub(crate) since: u32,
    /// Whether the step that makes it puts rows in: an empty database has them.
    pub(crate) is_begun: bool,
    pub(crate) columns: &'static [(&'static str, Holds)],
}

use Holds::{Number, Text};

/// Every table, in an order in which rows can be put in.
pub(crate) const TABLES: &[Table] = &[
    Table {
        name: "pool_state",
        since: 1,
        is_begun: false,
        columns: &[("provider", Text), ("part", Text), ("name", Text), ("value", Text)],
    },
    Table {
        name: "ledger",
        since: 2,
        is_begun: false,
        columns: &[
            ("id", Text),
            ("time_ms", Number),
            ("request_id", Text),
            ("client", Text),
            ("user_name", Text),
            ("provider", Text),
            ("model", Text),
            ("key_id", Text),
            ("key_group", Text),
            ("operation", Text),
            ("status", Number),
            ("outcome", Text),
            ("fault", Text),
            ("attempt", Number),
            ("input_tokens", Number),
            ("output_tokens", Number),
            ("thought_tokens", Number),
            ("cached_tokens", Number),
            ("total_tokens", Number),
            ("is_estimated", Number),
            ("latency_ms", Number),
            ("first_byte_ms", Number),
            ("source", Text),
        ],
    },
    Table {
        name: "usage_days",
        since: 2,
        is_begun: false,
        columns: &[
            ("day", Number),
            ("client", Text),
            ("key_id", Text),
            ("model", Text),
            ("requests", Number),
            ("attempts", Number),
            ("errors", Number),
            ("input_tokens", Number),
            ("output_tokens", Number),
            ("thought_tokens", Number),
            ("cached_tokens", Number),
            ("total_tokens", Number),
            ("estimated_tokens", Number),
        ],
    },
    Table {
        name: "tokens",
        since: 3,
        is_begun: false,
        columns: &[
            ("id", Text),
            ("name", Text),
            ("sha256", Text),
            ("scopes", Text),
            ("models", Text),
            ("plan", Text),
            ("keeper", Text),
            ("created_at", Number),
            ("expires_at", Number),
            ("revoked_at", Number),
        ],
    },
    Table {
        name: "tokens_changed",
        since: 3,
        is_begun: true,
        columns: &[("only_row", Number), ("changes", Number)],
    },
    Table {
        name: "audit",
        since: 4,
        is_begun: false,
        columns: &[
            ("number", Number),
            ("entry", Text),
            ("at_ms", Number),
            ("who", Text),
            ("action", Text),
            ("details", Text),
            ("peer", Text),
            ("request_id", Text),
            ("happened", Number),
            ("hash", Text),
        ],
    },
    Table {
        name: "audit_head",
        since: 4,
        is_begun: true,
        columns: &[("only_row", Number), ("number", Number), ("hash", Text)],
    },
    Table {
        name: "answers",
        since: 5,
        is_begun: false,
        columns: &[
            ("id", Text),
            ("language", Text),
            ("reply", Text),
            ("provider", Text),
            ("model", Text),
            ("enabled", Number),
        ],
    },
    Table {
        name: "answer_phrases",
        since: 5,
        is_begun: false,
        columns: &[("answer_id", Text), ("position", Number), ("phrase", Text), ("weight", Number)],
    },
    Table {
        name: "answer_words",
        since: 5,
        is_begun: false,
        columns: &[("word", Text), ("answer_id", Text), ("position", Number), ("weight", Number)],
    },
    Table {
        name: "notes",
        since: 6,
        is_begun: false,
        columns: &[("topic", Text), ("name", Text), ("value", Text)],
    },
    Table {
        name: "usage_user_days",
        since: 7,
        is_begun: false,
        columns: &[
            ("day", Number),
            ("client", Text),
            ("user_name", Text),
            ("requests", Number),
            ("attempts", Number),
            ("errors", Number),
            ("input_tokens", Number),
            ("output_tokens", Number),
            ("thought_tokens", Number),
            ("cached_tokens", Number),
            ("total_tokens", Number),
            ("estimated_tokens", Number),
        ],
    },
];
