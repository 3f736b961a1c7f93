//! Functions that a caller offers, and how the simulated model is made to call one.

use serde_json::{Value, json};

/// `call NAME {"a": 1}` as the beginning of a text: the function, and its arguments (none: `{}`).
pub(super) fn asked(text: &str) -> Option<(&str, Value)> {
    let rest = text.strip_prefix("call ")?.trim();
    let (name, arguments) = rest.split_once(' ').unwrap_or((rest, "{}"));
    let arguments =
        serde_json::from_str(arguments).ok().filter(Value::is_object).unwrap_or_else(|| json!({}));
    (!name.is_empty()).then_some((name, arguments))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_can_ask_for_a_function() {
        assert_eq!(asked("call weather"), Some(("weather", json!({}))));
        assert_eq!(asked("call weather {\"city\": \"Hanoi\"}"), Some(("weather", json!({"city": "Hanoi"}))));
        assert_eq!(asked("please call weather"), None);
        assert_eq!(asked("call "), None);
    }
}
