//! Google's counts of tokens as a usage.

use std::fmt;

use keygate_domain::Usage;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::surface::Surface;

/// Reads the raw usage object of a surface; nothing if it is no object.
pub(super) fn usage(surface: Surface, raw: &[u8]) -> Option<Usage> {
    if !raw.trim_ascii_start().starts_with(b"{") {
        return None;
    }
    match surface {
        Surface::Native => serde_json::from_slice::<Native>(raw).ok().map(Native::usage),
        Surface::OpenAi => serde_json::from_slice::<OpenAi>(raw).ok().map(OpenAi::usage),
        Surface::Interactions => serde_json::from_slice::<Interactions>(raw).ok().map(Interactions::usage),
    }
}

/// `usageMetadata`: the prompt includes what was cached, the candidates exclude the thoughts,
/// tool use is apart, and a zero is left out.
#[derive(Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "they are Google's names")]
struct Native {
    prompt_token_count: Count,
    tool_use_prompt_token_count: Count,
    candidates_token_count: Count,
    thoughts_token_count: Count,
    cached_content_token_count: Count,
    total_token_count: Count,
}

impl Native {
    fn usage(self) -> Usage {
        let input_tokens = self.prompt_token_count.0 + self.tool_use_prompt_token_count.0;
        let (output_tokens, thought_tokens) = (self.candidates_token_count.0, self.thoughts_token_count.0);
        let summed = input_tokens + output_tokens + thought_tokens;
        Usage {
            input_tokens,
            output_tokens,
            thought_tokens,
            cached_tokens: self.cached_content_token_count.0,
            total_tokens: if self.total_token_count.0 > 0 { self.total_token_count.0 } else { summed },
        }
    }
}

/// `usage` of the OpenAI-compatible surface. `OpenAI` counts thoughts among the completion; Google
/// leaves them out of it, and its total is then larger than the sum. Both are understood.
#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct OpenAi {
    prompt_tokens: Count,
    completion_tokens: Count,
    total_tokens: Count,
    completion_tokens_details: Option<CompletionDetails>,
    prompt_tokens_details: Option<PromptDetails>,
}

#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct CompletionDetails {
    reasoning_tokens: Count,
}

#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct PromptDetails {
    cached_tokens: Count,
}

impl OpenAi {
    fn usage(self) -> Usage {
        let (input_tokens, completion) = (self.prompt_tokens.0, self.completion_tokens.0);
        let total_tokens = self.total_tokens.0.max(input_tokens + completion);
        let beside = total_tokens - input_tokens - completion;
        let reasoning = self.completion_tokens_details.map_or(0, |details| details.reasoning_tokens.0);
        let within = reasoning.min(completion);
        let (output_tokens, thought_tokens) =
            if beside > 0 { (completion, beside) } else { (completion - within, within) };
        let cached_tokens = self.prompt_tokens_details.map_or(0, |details| details.cached_tokens.0);
        Usage { input_tokens, output_tokens, thought_tokens, cached_tokens, total_tokens }
    }
}

/// `usage` of an interaction: like the native one, in other words.
#[derive(Default, serde::Deserialize)]
#[serde(default)]
#[expect(clippy::struct_field_names, reason = "they are Google's names")]
struct Interactions {
    total_input_tokens: Count,
    total_tool_use_tokens: Count,
    total_output_tokens: Count,
    total_thought_tokens: Count,
    total_cached_tokens: Count,
    total_tokens: Count,
}

impl Interactions {
    fn usage(self) -> Usage {
        Native {
            prompt_token_count: self.total_input_tokens,
            tool_use_prompt_token_count: self.total_tool_use_tokens,
            candidates_token_count: self.total_output_tokens,
            thoughts_token_count: self.total_thought_tokens,
            cached_content_token_count: self.total_cached_tokens,
            total_token_count: self.total_tokens,
        }
        .usage()
    }
}

/// A count; as text, too, which proto3 JSON uses for 64 bits. Whatever is no count is none: a
/// usage must not be lost over one odd field. Bounded far above any real count, so that sums
/// cannot overflow.
#[derive(Clone, Copy, Default)]
pub(crate) struct Count(pub(crate) u64);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyCount).map(|count| Self(count.min(u64::from(u32::MAX))))
    }
}

struct AnyCount;

impl<'de> Visitor<'de> for AnyCount {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a count")
    }

    fn visit_u64<E>(self, count: u64) -> Result<u64, E> {
        Ok(count)
    }

    fn visit_str<E>(self, text: &str) -> Result<u64, E> {
        Ok(text.parse().unwrap_or_default())
    }

    fn visit_i64<E>(self, _: i64) -> Result<u64, E> {
        Ok(0)
    }

    fn visit_f64<E>(self, _: f64) -> Result<u64, E> {
        Ok(0)
    }

    fn visit_bool<E>(self, _: bool) -> Result<u64, E> {
        Ok(0)
    }

    fn visit_unit<E>(self) -> Result<u64, E> {
        Ok(0)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<u64, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(0)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<u64, A::Error> {
        while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn shown(usage: Usage) -> [u64; 5] {
        [
            usage.input_tokens,
            usage.output_tokens,
            usage.thought_tokens,
            usage.cached_tokens,
            usage.total_tokens,
        ]
    }

    #[rstest]
    #[case::plain(r#"{"promptTokenCount":7,"candidatesTokenCount":17,"totalTokenCount":24}"#, [7, 17, 0, 0, 24])]
    #[case::thinking(
        r#"{"promptTokenCount":100,"cachedContentTokenCount":60,"candidatesTokenCount":20,"thoughtsTokenCount":30,
            "toolUsePromptTokenCount":5,"totalTokenCount":155,"promptTokensDetails":[{"modality":"TEXT","tokenCount":100}]}"#,
        [105, 20, 30, 60, 155]
    )]
    #[case::no_total(r#"{"promptTokenCount":7,"thoughtsTokenCount":3}"#, [7, 0, 3, 0, 10])]
    #[case::text_numbers(r#"{"promptTokenCount":"7","totalTokenCount":"7"}"#, [7, 0, 0, 0, 7])]
    #[case::nonsense(r#"{"promptTokenCount":-1,"candidatesTokenCount":1.5,"totalTokenCount":null}"#, [0; 5])]
    #[case::empty("{}", [0; 5])]
    fn native_counts(#[case] raw: &str, #[case] expected: [u64; 5]) {
        assert_eq!(usage(Surface::Native, raw.as_bytes()).map(shown), Some(expected));
    }

    #[rstest]
    #[case::plain(r#"{"prompt_tokens":7,"completion_tokens":17,"total_tokens":24}"#, [7, 17, 0, 0, 24])]
    #[case::thoughts_beside(r#"{"prompt_tokens":7,"completion_tokens":17,"total_tokens":30}"#, [7, 17, 6, 0, 30])]
    #[case::thoughts_within(
        r#"{"prompt_tokens":7,"completion_tokens":17,"total_tokens":24,"completion_tokens_details":{"reasoning_tokens":10},
            "prompt_tokens_details":{"cached_tokens":4}}"#,
        [7, 7, 10, 4, 24]
    )]
    #[case::embeddings(r#"{"prompt_tokens":7,"total_tokens":7}"#, [7, 0, 0, 0, 7])]
    fn openai_counts(#[case] raw: &str, #[case] expected: [u64; 5]) {
        assert_eq!(usage(Surface::OpenAi, raw.as_bytes()).map(shown), Some(expected));
    }

    #[rstest]
    #[case::documented(
        r#"{"total_tokens":346,"total_input_tokens":11,"input_tokens_by_modality":[{"modality":"text","tokens":11}],
            "total_cached_tokens":0,"total_output_tokens":90,"total_tool_use_tokens":0,"total_thought_tokens":245}"#,
        [11, 90, 245, 0, 346]
    )]
    #[case::tools(r#"{"total_input_tokens":11,"total_tool_use_tokens":5,"total_output_tokens":4}"#, [16, 4, 0, 0, 20])]
    fn interactions_counts(#[case] raw: &str, #[case] expected: [u64; 5]) {
        assert_eq!(usage(Surface::Interactions, raw.as_bytes()).map(shown), Some(expected));
    }

    #[test]
    fn what_is_no_object_is_no_usage() {
        for raw in ["null", "3", "[", ""] {
            assert_eq!(usage(Surface::Native, raw.as_bytes()), None);
        }
    }
}
