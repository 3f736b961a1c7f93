//! Noticing that a file of the configuration is another one than was read.
//!
//! Files are looked at again and again instead of being watched by inotify: a few `stat` calls a
//! second cost nothing, and they see what inotify on a file does not: an editor that writes a new
//! file and renames it, the link that Kubernetes swaps under a `ConfigMap`, a bind mount or a
//! network folder whose changes happen on another machine, and a file that is not there yet.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Files by path, and how each was: `None` is one that was not there.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FileMarks(BTreeMap<PathBuf, Option<Mark>>);

/// What tells a file from itself after a change. The time of the last change of its entry is
/// there for those who set the time of its contents by hand.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Mark {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl FileMarks {
    /// Notes how a file is, unless that was noted already. True if it is there.
    pub(crate) fn note(&mut self, path: &Path) -> bool {
        self.0.entry(path.to_owned()).or_insert_with(|| mark_of(path)).is_some()
    }

    /// The same files as they are now. Touches the disk.
    #[must_use]
    pub fn taken_again(&self) -> Self {
        Self(self.0.keys().map(|path| (path.clone(), mark_of(path))).collect())
    }

    /// Whether no file that both name differs.
    fn agrees_with(&self, other: &Self) -> bool {
        self.0.iter().all(|(path, mark)| other.0.get(path).is_none_or(|known| known == mark))
    }
}

fn mark_of(path: &Path) -> Option<Mark> {
    let facts = fs::metadata(path).ok()?;
    Some(Mark {
        device: facts.dev(),
        inode: facts.ino(),
        size: facts.size(),
        modified: (facts.mtime(), facts.mtime_nsec()),
        changed: (facts.ctime(), facts.ctime_nsec()),
    })
}

/// Decides when a change is worth reading, and when what was read is worth telling. Whoever holds
/// it looks at the files at an even pace.
#[derive(Clone, Debug)]
pub struct Watcher {
    /// The files as they were when they were read last.
    read: FileMarks,
    /// How they were at the last look, if that was otherwise.
    seen: Option<FileMarks>,
    /// How often what stands there now was found invalid.
    failures: u32,
}

/// What a look at the files says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Seen {
    /// They are as they were read.
    Unchanged,
    /// They differ, and may still be being written.
    Changing,
    /// They differ, and stood still since the last look: read them.
    Changed,
}

impl Watcher {
    /// How often files must be found invalid before it is told: whoever writes several of them, or
    /// one slowly, has time for one more look.
    const LOOKS_BEFORE_TELLING: u32 = 2;

    /// Watches what was read.
    pub fn new(read: FileMarks) -> Self {
        Self { read, seen: None, failures: 0 }
    }

    /// The files to look at: their marks when they were read.
    pub fn files(&self) -> &FileMarks {
        &self.read
    }

    /// Takes a look in.
    pub fn look(&mut self, now: FileMarks) -> Seen {
        if now == self.read {
            self.seen = None;
            self.failures = 0;
            return Seen::Unchanged;
        }
        if self.seen.as_ref() == Some(&now) {
            return Seen::Changed;
        }
        self.seen = Some(now);
        self.failures = 0;
        Seen::Changing
    }

    /// The files that had [changed](Seen::Changed) were read and are valid. False when they changed
    /// again meanwhile: then what was read may be half of something, and another look will tell.
    pub fn read_valid(&mut self, read: FileMarks) -> bool {
        let stood_still = self.seen.as_ref().is_none_or(|seen| read.agrees_with(seen));
        if stood_still {
            *self = Self::new(read);
        } else {
            self.seen = None;
        }
        stood_still
    }

    /// They were read and are not valid. True when that is to be told; otherwise another look
    /// will say that they changed, as long as they do.
    pub fn read_invalid(&mut self, read: FileMarks) -> bool {
        self.failures += 1;
        if self.failures < Self::LOOKS_BEFORE_TELLING {
            return false;
        }
        self.settle_for(read);
        true
    }

    /// Takes what was read as it is, valid or not: somebody asked for it and was told.
    pub fn settle_for(&mut self, read: FileMarks) {
        // Reading may have stopped before it came to a key file that counts all the same.
        let mut all = std::mem::take(&mut self.read).taken_again();
        all.0.extend(read.0);
        *self = Self::new(all);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, PathBuf, FileMarks) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        fs::write(&path, "one").unwrap();
        let mut marks = FileMarks::default();
        assert!(marks.note(&path));
        (folder, path, marks)
    }

    #[test]
    fn writing_replacing_removing_and_making_a_file_are_noticed() {
        let (folder, path, mut marks) = folder();
        assert_eq!(marks.taken_again(), marks);
        let missing = folder.path().join(".env");
        assert!(!marks.note(&missing));
        let mut last = marks.taken_again();
        let mut differs = |what: &str| {
            let now = marks.taken_again();
            assert_ne!(now, last, "{what}");
            last = now;
        };
        fs::write(&path, "longer").unwrap();
        differs("another size");
        let new = folder.path().join("new");
        fs::write(&new, "LONGER").unwrap();
        fs::rename(&new, &path).unwrap();
        differs("another file of the same size");
        fs::write(&missing, "").unwrap();
        differs("one that was missing");
        fs::remove_file(&path).unwrap();
        differs("one that is gone");
    }

    #[test]
    fn a_link_that_points_elsewhere_is_another_file() {
        let (folder, path, _) = folder();
        let (other, link) = (folder.path().join("other"), folder.path().join("link"));
        fs::write(&other, "two").unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let mut marks = FileMarks::default();
        marks.note(&link);
        fs::remove_file(&link).unwrap();
        std::os::unix::fs::symlink(&other, &link).unwrap();
        assert_ne!(marks.taken_again(), marks);
    }

    #[test]
    fn a_change_is_read_once_it_stands_still() {
        let (_folder, path, marks) = folder();
        let mut watcher = Watcher::new(marks);
        let look = |watcher: &mut Watcher| watcher.look(watcher.files().taken_again());
        assert_eq!(look(&mut watcher), Seen::Unchanged);
        fs::write(&path, "one\ntw").unwrap();
        assert_eq!(look(&mut watcher), Seen::Changing);
        fs::write(&path, "one\ntwo\n").unwrap();
        assert_eq!(look(&mut watcher), Seen::Changing, "still being written");
        assert_eq!(look(&mut watcher), Seen::Changed);
        let read = watcher.files().taken_again();
        assert!(watcher.read_valid(read));
        assert_eq!(look(&mut watcher), Seen::Unchanged);
    }

    #[test]
    fn what_changes_while_it_is_read_is_read_again() {
        let (_folder, path, marks) = folder();
        let mut watcher = Watcher::new(marks);
        fs::write(&path, "1").unwrap();
        watcher.look(watcher.files().taken_again());
        assert_eq!(watcher.look(watcher.files().taken_again()), Seen::Changed);
        fs::write(&path, "12").unwrap();
        let read = watcher.files().taken_again();
        assert!(!watcher.read_valid(read));
        assert_eq!(watcher.look(watcher.files().taken_again()), Seen::Changing);
        assert_eq!(watcher.look(watcher.files().taken_again()), Seen::Changed);
    }

    #[test]
    fn invalid_files_are_read_twice_before_it_is_told_and_told_once() {
        let (_folder, path, marks) = folder();
        let mut watcher = Watcher::new(marks);
        let look = |watcher: &mut Watcher| watcher.look(watcher.files().taken_again());
        fs::write(&path, "").unwrap();
        look(&mut watcher);
        assert_eq!(look(&mut watcher), Seen::Changed);
        // Reading stopped before it came to the key file.
        assert!(!watcher.read_invalid(FileMarks::default()));
        assert_eq!(look(&mut watcher), Seen::Changed, "another chance");
        assert!(watcher.read_invalid(FileMarks::default()));
        assert_eq!(look(&mut watcher), Seen::Unchanged);
        fs::write(&path, "good").unwrap();
        look(&mut watcher);
        assert_eq!(look(&mut watcher), Seen::Changed, "what failed is watched on");
    }
}
