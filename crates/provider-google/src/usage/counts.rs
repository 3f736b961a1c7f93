//! Google's counts of tokens as a usage.

use keygate_domain::Usage;

use crate::members::{Member, members};
use crate::surface::Surface;

/// Reads the raw usage object of a surface; nothing if it is no object.
pub(super) fn usage(surface: Surface, raw: &[u8]) -> Option<Usage> {
    let counts = Counts::of(raw)?;
    Some(match surface {
        Surface::Native => counts.native(),
        Surface::OpenAi => counts.openai(),
        Surface::Interactions => counts.interactions(),
    })
}

/// An object of counts, read where it lies.
struct Counts<'r> {
    raw: &'r [u8],
    members: Vec<Member>,
}

impl<'r> Counts<'r> {
    fn of(raw: &'r [u8]) -> Option<Self> {
        members(raw).map(|members| Self { raw, members })
    }

    /// `usageMetadata`: the prompt includes what was cached, the candidates exclude the thoughts,
    /// tool use is apart, and a zero is left out.
    fn native(&self) -> Usage {
        summed(Usage {
            input_tokens: self.count("promptTokenCount") + self.count("toolUsePromptTokenCount"),
            output_tokens: self.count("candidatesTokenCount"),
            thought_tokens: self.count("thoughtsTokenCount"),
            cached_tokens: self.count("cachedContentTokenCount"),
            total_tokens: self.count("totalTokenCount"),
        })
    }

    /// `usage` of the OpenAI-compatible surface. `OpenAI` counts thoughts among the completion; Google
    /// leaves them out of it, and its total is then larger than the sum. Both are understood.
    fn openai(&self) -> Usage {
        let (input_tokens, completion) = (self.count("prompt_tokens"), self.count("completion_tokens"));
        let total_tokens = self.count("total_tokens").max(input_tokens + completion);
        let beside = total_tokens - input_tokens - completion;
        let within = self.count_inside("completion_tokens_details", "reasoning_tokens").min(completion);
        let (output_tokens, thought_tokens) =
            if beside > 0 { (completion, beside) } else { (completion - within, within) };
        let cached_tokens = self.count_inside("prompt_tokens_details", "cached_tokens");
        Usage { input_tokens, output_tokens, thought_tokens, cached_tokens, total_tokens }
    }

    /// `usage` of an interaction: like the native one, in other words.
    fn interactions(&self) -> Usage {
        summed(Usage {
            input_tokens: self.count("total_input_tokens") + self.count("total_tool_use_tokens"),
            output_tokens: self.count("total_output_tokens"),
            thought_tokens: self.count("total_thought_tokens"),
            cached_tokens: self.count("total_cached_tokens"),
            total_tokens: self.count("total_tokens"),
        })
    }

    /// A count; as text, too, which proto3 JSON uses for 64 bits. Whatever is no count is none: a
    /// usage must not be lost over one odd field. Bounded far above any real count, so that sums
    /// cannot overflow.
    fn count(&self, name: &str) -> u64 {
        let digits = self.value(name).map(<[u8]>::trim_ascii).unwrap_or_default();
        let digits = digits.strip_prefix(b"\"").and_then(|d| d.strip_suffix(b"\"")).unwrap_or(digits);
        let count = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
        count.unwrap_or(0_u64).min(u64::from(u32::MAX))
    }

    fn count_inside(&self, object: &str, name: &str) -> u64 {
        self.value(object).and_then(Counts::of).map_or(0, |inner| inner.count(name))
    }

    /// None of the names is ever spelled with an escape.
    fn value(&self, name: &str) -> Option<&'r [u8]> {
        let is_it = |member: &&Member| {
            let key = &self.raw[member.key.clone()];
            key.len() == name.len() + 2 && &key[1..key.len() - 1] == name.as_bytes()
        };
        self.members.iter().find(is_it).map(|member| &self.raw[member.value.clone()])
    }
}

/// With the sum for a total that is left out.
fn summed(usage: Usage) -> Usage {
    let sum = usage.input_tokens + usage.output_tokens + usage.thought_tokens;
    Usage { total_tokens: if usage.total_tokens > 0 { usage.total_tokens } else { sum }, ..usage }
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
