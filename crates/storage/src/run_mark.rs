//! A file that is there while a gateway runs: who finds one knows that the last did not end as it should.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;

/// Longer than any mark is.
const MOST_BYTES: u64 = 256;

/// The mark of a gateway that runs. Cheap to clone.
#[derive(Clone, Debug)]
pub struct RunMark {
    path: PathBuf,
    /// Kept open: what is written late does not bring back a mark that was removed.
    file: Arc<File>,
}

/// What a gateway said of itself last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sign {
    /// All that ended before this moment is written down.
    pub written: Timestamp,
    /// It lived at this moment.
    pub alive: Timestamp,
    /// Attempts that were under way then.
    pub under_way: u64,
}

impl RunMark {
    /// What a gateway left that did not remove its mark. Blocks.
    ///
    /// # Errors
    /// What the operating system said.
    pub fn left_at(path: &Path) -> io::Result<Option<Sign>> {
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let touched = Timestamp::try_from(file.metadata()?.modified()?).unwrap_or(Timestamp::UNIX_EPOCH);
        let mut text = Vec::new();
        file.take(MOST_BYTES).read_to_end(&mut text)?;
        // A machine that lost its power may have lost what was in it; that it is there says enough.
        let torn = Sign { written: touched, alive: touched, under_way: 0 };
        Ok(Some(Sign::read(&String::from_utf8_lossy(&text)).unwrap_or(torn)))
    }

    /// Makes a mark. Blocks.
    ///
    /// # Errors
    /// What the operating system said.
    pub fn make(path: &Path, sign: Sign) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
        let mark = Self { path: path.to_owned(), file: Arc::new(file) };
        mark.write(sign)?;
        Ok(mark)
    }

    /// Says something new. The disk need not have it at once: a process that is killed leaves what it wrote. Blocks.
    ///
    /// # Errors
    /// What the operating system said.
    pub fn write(&self, sign: Sign) -> io::Result<()> {
        // Always as long as before: one write is all it takes.
        let Sign { written, alive, under_way } = sign;
        let (written, alive) = (written.as_millisecond(), alive.as_millisecond());
        let text = format!("written {written:>16} alive {alive:>16} under_way {under_way:>10}\n");
        self.file.write_all_at(text.as_bytes(), 0)
    }

    /// The gateway ends as it should. Blocks.
    ///
    /// # Errors
    /// What the operating system said.
    pub fn remove(&self) -> io::Result<()> {
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

impl Sign {
    fn read(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let mut number = |name: &str| -> Option<i64> {
            (words.next()? == name).then(|| words.next()?.parse().ok()).flatten()
        };
        let written = Timestamp::from_millisecond(number("written")?).ok()?;
        let alive = Timestamp::from_millisecond(number("alive")?).ok()?;
        Some(Self { written, alive, under_way: number("under_way")?.try_into().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sign(under_way: u64) -> Sign {
        let at = |text: &str| text.parse().unwrap();
        Sign { written: at("2026-11-21T10:00:00.5Z"), alive: at("2026-11-21T10:00:01Z"), under_way }
    }

    #[test]
    fn a_mark_says_what_was_said_last_until_it_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keygate.db.running");
        assert_eq!(RunMark::left_at(&path).unwrap(), None);
        let mark = RunMark::make(&path, sign(0)).unwrap();
        mark.write(sign(12_345)).unwrap();
        assert_eq!(RunMark::left_at(&path).unwrap(), Some(sign(12_345)));
        mark.write(sign(3)).unwrap();
        assert_eq!(RunMark::left_at(&path).unwrap(), Some(sign(3)), "nothing of before is left over");
        mark.remove().unwrap();
        mark.write(sign(4)).unwrap();
        mark.remove().unwrap();
        assert_eq!(RunMark::left_at(&path).unwrap(), None, "a late word does not bring it back");
    }

    #[test]
    fn one_that_cannot_be_read_is_one_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("running");
        std::fs::write(&path, [0; 300]).unwrap();
        let left = RunMark::left_at(&path).unwrap().unwrap();
        assert_eq!((left.written, left.under_way), (left.alive, 0));
        assert!(left.alive > Timestamp::UNIX_EPOCH);
    }
}
