//! Something that an operator should put right, or think about.

use serde_json::{Value, json};

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Severity {
    /// It does harm, or will.
    Warning,
    /// It may be meant so.
    Advice,
}

/// What was found, why it matters and what to do. Holds no secret.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Finding {
    pub(super) severity: Severity,
    /// A word for scripts: `world_readable`.
    pub(super) kind: &'static str,
    /// Whose keys; none where it is about a file.
    pub(super) provider: Option<String>,
    pub(super) what: String,
    pub(super) why: &'static str,
    pub(super) remedy: String,
}

impl Finding {
    pub(super) fn as_text(&self) -> String {
        let Self { severity, kind: _, provider, what, why, remedy } = self;
        let severity = match severity {
            Severity::Warning => "warning",
            Severity::Advice => "advice",
        };
        let provider = provider.as_ref().map(|name| format!("{name}: ")).unwrap_or_default();
        format!("{severity}: {provider}{what}\n    why: {why}\n    do:  {remedy}")
    }

    pub(super) fn as_json(&self) -> Value {
        let Self { severity, kind, provider, what, why, remedy } = self;
        let severity = match severity {
            Severity::Warning => "warning",
            Severity::Advice => "advice",
        };
        json!({ "severity": severity, "kind": kind, "provider": provider, "what": what, "why": why, "do": remedy })
    }
}
