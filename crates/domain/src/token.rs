//! Client tokens that are kept: who they stand for, and from when until when.

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;

use crate::{Checksum, ModelList, PlanName, Right, TokenId};

/// What every token begins with.
const PREFIX: &str = "kg_";

/// The digits of a token: no dots, nothing that an address or a shell would have to escape.
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// How many of them 32 bytes take.
const DIGITS: usize = 43;

/// A token that was just made. It is shown once; what is kept is its sum.
pub struct TokenSecret(String);

impl TokenSecret {
    /// The token of 32 random bytes.
    pub fn of(mut random: [u8; 32]) -> Self {
        let mut digits = [b'0'; DIGITS];
        for digit in digits.iter_mut().rev() {
            *digit = BASE62[usize::from(divide(&mut random))];
        }
        let mut text = String::with_capacity(PREFIX.len() + DIGITS);
        text.push_str(PREFIX);
        text.extend(digits.iter().map(|digit| char::from(*digit)));
        Self(text)
    }

    /// The token itself.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is kept of it.
    pub fn sum(&self) -> Checksum {
        Checksum::of(self.0.as_bytes())
    }
}

impl fmt::Debug for TokenSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Divides a large number by 62 and gives the remainder.
fn divide(number: &mut [u8; 32]) -> u8 {
    let mut remainder = 0_u16;
    for byte in number {
        let part = remainder * 256 + u16::from(*byte);
        // Both are below 256: the remainder was below 62.
        *byte = (part / 62) as u8;
        remainder = part % 62;
    }
    remainder as u8
}

/// A client token as it is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClientToken {
    /// Its public name.
    pub id: TokenId,
    /// The client it stands for. Several tokens may stand for one: so tokens are exchanged.
    pub name: String,
    /// The sum of the token.
    pub sum: Checksum,
    /// What it allows.
    pub rights: BTreeSet<Right>,
    /// The models that may be named with it.
    pub models: Option<ModelList>,
    /// The plan of the client's users.
    pub plan: Option<PlanName>,
    /// The session keeper that the client is bound to.
    pub keeper: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// When it ends because somebody said so; may lie ahead, while clients change over.
    pub revoked_at: Option<Timestamp>,
}

impl ClientToken {
    /// The public name of the token with this sum.
    pub fn id_of(sum: &Checksum) -> TokenId {
        TokenId::new(sum.short())
    }

    /// From when on it opens nothing any more.
    pub fn ends_at(&self) -> Option<Timestamp> {
        self.expires_at.into_iter().chain(self.revoked_at).min()
    }

    /// Whether it opens nothing any more.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.ends_at().is_some_and(|end| end <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_its_bytes_in_base_62() {
        let zero = TokenSecret::of([0; 32]);
        assert_eq!(zero.expose(), format!("kg_{}", "0".repeat(43)));
        let mut one = [0; 32];
        one[31] = 63;
        assert!(TokenSecret::of(one).expose().ends_with("011"), "63 = 1 × 62 + 1");
        let most = TokenSecret::of([255; 32]);
        assert_eq!(most.expose().len(), 46);
        assert_ne!(&most.expose()[3..4], "0", "all the digits are needed");
        assert!(most.expose()[3..].bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert_eq!(format!("{most:?}"), "***");
    }

    #[test]
    fn it_ends_at_the_first_of_its_ends() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let token = |expires: Option<i64>, revoked: Option<i64>| ClientToken {
            id: TokenId::from("a"),
            name: "shop".to_owned(),
            sum: Checksum::ZERO,
            rights: BTreeSet::new(),
            models: None,
            plan: None,
            keeper: None,
            created_at: at(0),
            expires_at: expires.map(at),
            revoked_at: revoked.map(at),
        };
        assert!(!token(None, None).is_over(at(1_000)));
        assert!(token(Some(10), None).is_over(at(10)) && !token(Some(10), None).is_over(at(9)));
        assert!(token(Some(10), Some(5)).is_over(at(5)));
        assert_eq!(token(Some(10), Some(50)).ends_at(), Some(at(10)));
    }
}
