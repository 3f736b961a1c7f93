//! The audit trail: who did what, each row sealed with the one before it.
//!
//! A row's sum is that of its fields and of the row before, so that whoever changes, takes out or
//! adds one in the middle breaks every row behind it. What is cut off at the end shows by the head,
//! which is kept apart.

use std::fmt;

use crate::Checksum;

/// What was done. The names are what `keygate audit list` shows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum AuditAction {
    /// A client token was made.
    TokenCreated,
    /// A client token was revoked.
    TokenRevoked,
    /// Keys were reset.
    KeysReset,
    /// A session keeper may ask its bot again.
    KeeperCleared,
    /// A key was taken out of use.
    KeyDisabled,
    /// A key was brought back.
    KeyEnabled,
    /// Another configuration was put in force.
    ConfigReloaded,
    /// A configuration that was to be put in force was refused.
    ConfigRefused,
    /// A token that nobody knows was shown.
    LoginFailed,
    /// A known token was shown where an operator's is needed.
    AdminRefused,
    /// More happened than could be written down.
    EntriesLost,
}

impl AuditAction {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TokenCreated => "token.created",
            Self::TokenRevoked => "token.revoked",
            Self::KeysReset => "keys.reset",
            Self::KeeperCleared => "session_keeper.cleared",
            Self::KeyDisabled => "key.disabled",
            Self::KeyEnabled => "key.enabled",
            Self::ConfigReloaded => "config.reloaded",
            Self::ConfigRefused => "config.refused",
            Self::LoginFailed => "login.failed",
            Self::AdminRefused => "admin.refused",
            Self::EntriesLost => "audit.lost",
        }
    }
}

/// Something that was done, before it has its place in the trail.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuditEntry {
    /// Names this event alone: what is written twice because nobody knew whether the first time
    /// succeeded is one row.
    pub id: String,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// Who: a client, `admin`, `cli:` with a user of the system, `file` or `signal`.
    pub who: String,
    /// What; an [`AuditAction`] by its name, which a later version may not know any more.
    pub action: String,
    /// What exactly.
    pub details: String,
    /// From which address.
    pub peer: Option<String>,
    /// In which request.
    pub request_id: Option<String>,
    /// How often: failed logins of one address within a minute are one entry.
    pub count: i64,
}

impl AuditEntry {
    /// Longest of a field, in characters: others' words end up in here.
    const LONGEST: usize = 400;

    /// An entry of one event.
    pub fn new(id: impl Into<String>, at_ms: i64, who: &str, action: AuditAction, details: &str) -> Self {
        Self {
            id: id.into(),
            at_ms,
            who: bounded(who),
            action: action.as_str().to_owned(),
            details: bounded(details),
            peer: None,
            request_id: None,
            count: 1,
        }
    }

    /// The same, asked for by a request from `peer`.
    #[must_use]
    pub fn by_request(self, peer: impl fmt::Display, request_id: &str) -> Self {
        Self { peer: Some(peer.to_string()), request_id: Some(bounded(request_id)), ..self }
    }
}

/// In one line, and not longer than anybody reads.
fn bounded(text: &str) -> String {
    text.chars().take(AuditEntry::LONGEST).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// An entry in its place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuditRow {
    /// Its number; the first is 1.
    pub number: i64,
    /// What happened.
    pub entry: AuditEntry,
    /// The sum over all of this and the row before.
    pub hash: Checksum,
}

/// The last row, as it is kept apart from the rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AuditHead {
    /// Its number; 0 before the first.
    pub number: i64,
    /// Its sum.
    pub hash: Checksum,
}

impl AuditHead {
    /// Before the first row.
    pub const NONE: Self = Self { number: 0, hash: Checksum::ZERO };

    /// The row that `entry` becomes behind this one.
    pub fn followed_by(&self, entry: AuditEntry) -> AuditRow {
        let number = self.number + 1;
        let hash = seal(&self.hash, number, &entry);
        AuditRow { number, entry, hash }
    }
}

impl AuditRow {
    /// The head once this is the last row.
    pub fn as_head(&self) -> AuditHead {
        AuditHead { number: self.number, hash: self.hash }
    }
}

/// Which rows of a trail are asked for, the newest first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AuditPage {
    /// Only rows with smaller numbers.
    pub before: i64,
    /// Only what happened since, in milliseconds since 1970.
    pub since_ms: i64,
    /// So many at most.
    pub most: i64,
}

fn seal(previous: &Checksum, number: i64, entry: &AuditEntry) -> Checksum {
    let AuditEntry { id, at_ms, who, action, details, peer, request_id, count } = entry;
    let (number, at_ms, count) = (number.to_be_bytes(), at_ms.to_be_bytes(), count.to_be_bytes());
    // An absent field is not an empty one.
    let optional = |field: &Option<String>| {
        field.as_ref().map_or_else(Vec::new, |text| [b"=", text.as_bytes()].concat())
    };
    let (peer, request_id) = (optional(peer), optional(request_id));
    Checksum::of_parts([
        previous.0.as_slice(),
        &number,
        id.as_bytes(),
        &at_ms,
        who.as_bytes(),
        action.as_bytes(),
        details.as_bytes(),
        &peer,
        &request_id,
        &count,
    ])
}

/// Where the trail is broken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AuditBreak {
    /// A row is not there.
    #[error("row {0} is missing")]
    Missing(i64),
    /// A row, or the one before it, is not what was written.
    #[error("row {0} was changed, or a row before it")]
    Changed(i64),
    /// The end is not the one that is kept apart.
    #[error("the trail ends with row {0}, and that is not the end that was kept")]
    OtherEnd(i64),
}

/// Goes along a trail, row by row.
#[derive(Clone, Copy, Debug)]
pub struct AuditChain {
    last: AuditHead,
}

impl Default for AuditChain {
    fn default() -> Self {
        Self { last: AuditHead::NONE }
    }
}

impl AuditChain {
    /// Takes the next row, in the order of numbers.
    ///
    /// # Errors
    /// When it does not follow the last.
    pub fn take(&mut self, row: &AuditRow) -> Result<(), AuditBreak> {
        let expected = self.last.number + 1;
        if row.number != expected {
            return Err(AuditBreak::Missing(expected));
        }
        if row.hash != seal(&self.last.hash, row.number, &row.entry) {
            return Err(AuditBreak::Changed(row.number));
        }
        self.last = row.as_head();
        Ok(())
    }

    /// The last row that was taken.
    pub fn last(&self) -> AuditHead {
        self.last
    }

    /// Whether the end is the one that was kept.
    ///
    /// # Errors
    /// When rows are missing at the end, or the end is another.
    pub fn ends_with(&self, kept: &AuditHead) -> Result<(), AuditBreak> {
        if self.last.number < kept.number {
            return Err(AuditBreak::Missing(self.last.number + 1));
        }
        if self.last == *kept { Ok(()) } else { Err(AuditBreak::OtherEnd(self.last.number)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(number: i64) -> AuditEntry {
        let entry = AuditEntry::new(
            format!("e{number}"),
            number * 1000,
            "admin",
            AuditAction::KeysReset,
            "google, all keys",
        );
        if number % 2 == 0 { entry } else { entry.by_request("192.0.2.1", "r-1") }
    }

    fn trail(rows: i64) -> (Vec<AuditRow>, AuditHead) {
        let mut head = AuditHead::NONE;
        let rows = (1..=rows).map(|number| {
            let row = head.followed_by(entry(number));
            head = row.as_head();
            row
        });
        let rows: Vec<_> = rows.collect();
        (rows, head)
    }

    fn verify(rows: &[AuditRow], head: &AuditHead) -> Result<(), AuditBreak> {
        let mut chain = AuditChain::default();
        rows.iter().try_for_each(|row| chain.take(row))?;
        chain.ends_with(head)
    }

    #[test]
    fn a_whole_trail_holds() {
        for length in [0, 1, 5] {
            let (rows, head) = trail(length);
            assert_eq!(verify(&rows, &head), Ok(()));
        }
    }

    #[test]
    fn whatever_is_changed_shows() {
        let changes: [fn(&mut AuditEntry); 8] = [
            |entry| entry.id.push('x'),
            |entry| entry.at_ms += 1,
            |entry| entry.who = "nobody".to_owned(),
            |entry| entry.action.push('s'),
            |entry| entry.details.clear(),
            |entry| entry.peer = None,
            |entry| entry.request_id = Some(String::new()),
            |entry| entry.count = 2,
        ];
        for change in changes {
            let (mut rows, head) = trail(5);
            change(&mut rows[2].entry);
            assert_eq!(verify(&rows, &head), Err(AuditBreak::Changed(3)));
            // Sealed anew, the row behind it gives it away.
            rows[2] = rows[1].as_head().followed_by(rows[2].entry.clone());
            assert_eq!(verify(&rows, &head), Err(AuditBreak::Changed(4)));
        }
    }

    #[test]
    fn what_is_taken_out_is_missed() {
        let (mut rows, head) = trail(5);
        rows.remove(2);
        assert_eq!(verify(&rows, &head), Err(AuditBreak::Missing(3)));
        let (rows, head) = trail(5);
        assert_eq!(verify(&rows[..3], &head), Err(AuditBreak::Missing(4)), "cut off at the end");
        assert_eq!(verify(&[], &head), Err(AuditBreak::Missing(1)));
    }

    #[test]
    fn another_end_is_not_the_one_that_was_kept() {
        let (rows, mut head) = trail(5);
        head.hash = Checksum::of(b"another");
        assert_eq!(verify(&rows, &head), Err(AuditBreak::OtherEnd(5)));
        let (_, earlier) = trail(4);
        assert_eq!(verify(&rows, &earlier), Err(AuditBreak::OtherEnd(5)));
    }

    #[test]
    fn strangers_words_are_one_short_line() {
        let details = format!("{}\n{}", "a", "b".repeat(1000));
        let entry = AuditEntry::new("e", 0, "admin", AuditAction::LoginFailed, &details);
        assert_eq!(entry.details.chars().count(), 400);
        assert!(entry.details.starts_with("a b"));
    }
}
