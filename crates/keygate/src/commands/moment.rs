//! Moments in tables for people: to the second. JSON keeps what was told.

use jiff::Timestamp;
use serde_json::Value;

/// `2026-11-21T12:00:00Z`.
pub(super) fn shown(at: Timestamp) -> String {
    format!("{at:.0}")
}

/// The same of what a gateway told; nothing where it told none.
pub(super) fn told(value: &Value) -> String {
    let text = value.as_str().unwrap_or_default();
    let as_it_is = |_no_moment| text.chars().filter(|c| !c.is_control()).collect();
    text.parse().map_or_else(as_it_is, shown)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn people_are_told_whole_seconds() {
        let told = |value: Value| told(&value);
        assert_eq!(told(json!("2026-11-21T12:00:00.999999999Z")), "2026-11-21T12:00:00Z");
        assert_eq!(told(json!("2026-11-21T12:00:00Z")), "2026-11-21T12:00:00Z");
        assert_eq!(told(json!("later\u{1b}")), "later");
        assert_eq!(told(Value::Null), "");
    }
}
