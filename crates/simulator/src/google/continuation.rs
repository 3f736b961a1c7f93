//! Answers that are told in several hops: each but the last ends with a token, by which the project that gave it
//! goes on.

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose};

use super::error::GoogleError;
use super::kept::fresh_id;
use super::prompt::{Prompt, Reply};

/// Most hops of one answer.
const MOST_HOPS: usize = 20;

/// What every token begins with: the alphabets of base64 write it differently, and a client that decodes tokens
/// may answer in the other one.
const MARK: &[u8] = &[0xfb, 0xef, 0xff];

/// One part of an answer.
pub(super) struct Hop {
    number: usize,
    count: usize,
}

impl Hop {
    /// The part that a prompt asks for: the first of so many (`continue 3`), or the one behind a token. Nothing
    /// for all other prompts.
    ///
    /// # Errors
    /// A token that this project did not give.
    pub(super) fn of(prompt: &Prompt, project: &str) -> Result<Option<Self>, GoogleError> {
        if let Some(token) = &prompt.continuation {
            let foreign = || GoogleError::invalid("The continuation token is invalid or expired.");
            return Self::behind(token, project).map(Some).ok_or_else(foreign);
        }
        let count = prompt.text.strip_prefix("continue ").and_then(|count| count.trim().parse().ok());
        let count = count.filter(|count| (1..=MOST_HOPS).contains(count));
        Ok(count.map(|count| Self { number: 1, count }))
    }

    fn behind(token: &str, project: &str) -> Option<Self> {
        let plain = token.replace('-', "+").replace('_', "/");
        let lenient = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
        let bytes = GeneralPurpose::new(&base64::alphabet::STANDARD, lenient).decode(plain).ok()?;
        let told = String::from_utf8(bytes.strip_prefix(MARK)?.to_vec()).ok()?;
        let mut told = told.splitn(4, ' ');
        let (number, count) = (told.next()?.parse().ok()?, told.next()?.parse().ok()?);
        (told.next()? == project && number <= count).then_some(Self { number, count })
    }

    /// What is said, and how it is gone on with.
    pub(super) fn reply(&self, project: &str) -> Reply {
        let Self { number, count } = self;
        let pieces = vec![format!("part {number} "), format!("of {count}\n")];
        let is_last = number == count;
        let token = || {
            // No two are alike.
            let told = format!("{} {count} {project} {}", number + 1, fresh_id());
            general_purpose::STANDARD.encode([MARK, told.as_bytes()].concat())
        };
        let finish = if is_last { "STOP" } else { "CONTINUATION" }.to_owned();
        Reply { pieces, finish, continuation: (!is_last).then(token), ..Reply::default() }
    }
}
