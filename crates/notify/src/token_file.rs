//! Where the tokens of an official account are kept. Each refresh token is good for one use: the next one must
//! be on the disk before anything is done with it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use keygate_domain::ApiKey;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The tokens of an account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tokens {
    /// What the bot works with.
    pub access_token: ApiKey,
    /// What the next ones are got with, once.
    pub refresh_token: ApiKey,
    /// Until when the access token is good.
    pub expires_at: Timestamp,
    /// Since when it is.
    pub obtained_at: Timestamp,
}

impl Tokens {
    /// How long until four fifths of its time are over: then it is renewed.
    pub fn good_for(&self, now: Timestamp) -> Duration {
        let whole = self.expires_at.duration_since(self.obtained_at);
        let renew_at = self.obtained_at.saturating_add(whole * 4 / 5).unwrap_or(self.expires_at);
        Duration::try_from(renew_at.duration_since(now)).unwrap_or(Duration::ZERO)
    }
}

/// The tokens as they stand in the file.
#[derive(Serialize, Deserialize)]
struct Kept {
    access_token: String,
    refresh_token: String,
    expires_at: Timestamp,
    obtained_at: Timestamp,
}

/// Why the file is of no use.
#[derive(Debug, Error)]
pub enum TokenFileTrouble {
    /// It cannot be read.
    #[error("the token file {0} cannot be read: {1}")]
    Unreadable(String, io::Error),
    /// It holds something else.
    #[error("the token file {0} does not hold what keygate wrote; move it away to begin with refresh_token")]
    Foreign(String),
    /// It cannot be written.
    #[error("the token file {0} cannot be written: {1}")]
    Unwritable(String, io::Error),
}

/// The file of one account; only its owner can read it.
#[derive(Clone, Debug)]
pub struct TokenFile {
    path: PathBuf,
}

impl TokenFile {
    /// The file at this path, which need not be there yet.
    pub fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// The tokens that were kept, if any were.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn read(&self) -> Result<Option<Tokens>, TokenFileTrouble> {
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(TokenFileTrouble::Unreadable(self.shown(), error)),
        };
        let kept: Kept =
            serde_json::from_str(&text).map_err(|_error| TokenFileTrouble::Foreign(self.shown()))?;
        Ok(Some(Tokens {
            access_token: ApiKey::new(kept.access_token),
            refresh_token: ApiKey::new(kept.refresh_token),
            expires_at: kept.expires_at,
            obtained_at: kept.obtained_at,
        }))
    }

    /// Makes sure that tokens can be kept, before one is used up for others.
    ///
    /// # Errors
    /// When they cannot.
    pub fn prepare(&self) -> Result<NewTokens<'_>, TokenFileTrouble> {
        let beside = self.beside();
        let file = Self::create(&beside).map_err(|error| self.unwritable(error))?;
        Ok(NewTokens { of: self, beside, file, holds_tokens: false })
    }

    fn create(beside: &Path) -> io::Result<File> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(beside)?;
        // A disk that is full says so here, not when there is something to lose.
        file.write_all(&[b' '; 8192])?;
        file.sync_all()?;
        Ok(file)
    }

    fn beside(&self) -> PathBuf {
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(".new");
        self.path.with_file_name(name)
    }

    fn shown(&self) -> String {
        self.path.display().to_string()
    }

    fn unwritable(&self, error: io::Error) -> TokenFileTrouble {
        TokenFileTrouble::Unwritable(self.shown(), error)
    }
}

/// Room on the disk for tokens to come.
#[derive(Debug)]
pub struct NewTokens<'a> {
    of: &'a TokenFile,
    beside: PathBuf,
    file: File,
    holds_tokens: bool,
}

impl Drop for NewTokens<'_> {
    fn drop(&mut self) {
        if !self.holds_tokens {
            // What is left there is blank, and the next room is made in the same place.
            let _ = fs::remove_file(&self.beside);
        }
    }
}

impl NewTokens<'_> {
    /// Keeps them: when this returns they are on the disk, in the place of the former ones.
    ///
    /// # Errors
    /// When the disk does not take them after all.
    pub fn keep(mut self, tokens: &Tokens) -> Result<(), TokenFileTrouble> {
        self.put(tokens).map_err(|error| self.of.unwritable(error))
    }

    fn put(&mut self, tokens: &Tokens) -> io::Result<()> {
        let kept = Kept {
            access_token: tokens.access_token.expose().to_owned(),
            refresh_token: tokens.refresh_token.expose().to_owned(),
            expires_at: tokens.expires_at,
            obtained_at: tokens.obtained_at,
        };
        let text = serde_json::to_vec(&kept).map_err(io::Error::other)?;
        io::Seek::rewind(&mut self.file)?;
        self.file.write_all(&text)?;
        // From here on it is worth keeping, wherever it comes to lie.
        self.holds_tokens = true;
        self.file.set_len(u64::try_from(text.len()).unwrap_or_default())?;
        self.file.sync_all()?;
        fs::rename(&self.beside, &self.of.path)?;
        let folder = self.of.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }
}

/// When a token that is good for so many seconds from now ends.
pub(crate) fn expiry(now: Timestamp, seconds: i64) -> Timestamp {
    now.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn tokens(name: &str) -> Tokens {
        let obtained_at = Timestamp::from_second(1_000).unwrap();
        Tokens {
            access_token: ApiKey::new(format!("access-{name}")),
            refresh_token: ApiKey::new(format!("refresh-{name}")),
            expires_at: expiry(obtained_at, 90_000),
            obtained_at,
        }
    }

    #[test]
    fn what_was_kept_is_read_again_and_only_by_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let file = TokenFile::at(folder.path().join("tokens.json"));
        assert!(file.read().unwrap().is_none());
        for name in ["one", "two"] {
            file.prepare().unwrap().keep(&tokens(name)).unwrap();
            assert_eq!(file.read().unwrap(), Some(tokens(name)));
        }
        let mode = fs::metadata(folder.path().join("tokens.json")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn room_that_is_not_used_leaves_the_former_tokens() {
        let folder = tempfile::tempdir().unwrap();
        let file = TokenFile::at(folder.path().join("tokens.json"));
        file.prepare().unwrap().keep(&tokens("one")).unwrap();
        drop(file.prepare().unwrap());
        assert_eq!(file.read().unwrap(), Some(tokens("one")));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_somebody_else_wrote_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.json");
        fs::write(&path, "{}").unwrap();
        let trouble = TokenFile::at(path).read().unwrap_err();
        assert!(trouble.to_string().contains("does not hold what keygate wrote"), "{trouble}");
        let nowhere = TokenFile::at(folder.path().join("no/such/folder/tokens.json"));
        assert!(nowhere.prepare().is_err());
    }

    #[test]
    fn a_token_is_renewed_when_four_fifths_of_its_time_are_over() {
        let one = tokens("one");
        assert_eq!(one.good_for(one.obtained_at), Duration::from_hours(20));
        assert_eq!(one.good_for(one.expires_at), Duration::ZERO);
    }
}
