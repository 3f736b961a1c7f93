//! The dialects in which callers speak to Gemini.

/// A dialect: it decides where the credential goes, how usage is spelled and what errors look like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Surface {
    /// Google's own.
    Native,
    /// `OpenAI`'s, as Google speaks it below `/{version}/openai/`.
    OpenAi,
    /// Google's newer one, below `/{version}/interactions`.
    Interactions,
}

impl Surface {
    /// The dialect of a path, known or not: an error about an unknown path needs a shape too.
    pub(crate) fn of(path: &str) -> Self {
        let mut segments = path.as_bytes().split(|byte| *byte == b'/').skip(1);
        match (segments.next(), segments.next()) {
            (Some(b"openai"), _) | (_, Some(b"openai")) => Self::OpenAi,
            (_, Some(b"interactions")) => Self::Interactions,
            _ => Self::Native,
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("/v1beta/models/x:generateContent", Surface::Native)]
    #[case("/v1beta/openai/chat/completions", Surface::OpenAi)]
    #[case("/v1/openai/nothing", Surface::OpenAi)]
    #[case("/openai/v1/chat/completions", Surface::OpenAi)]
    #[case("/v1beta/models/openai", Surface::Native)]
    #[case("/v1/interactions", Surface::Interactions)]
    #[case("/v1beta/interactions/v1_abc/cancel", Surface::Interactions)]
    #[case("/v1beta/models/interactions", Surface::Native)]
    #[case("/", Surface::Native)]
    fn every_path_has_a_surface(#[case] path: &str, #[case] surface: Surface) {
        assert_eq!(Surface::of(path), surface);
    }
}
