//! One gateway a database.
//!
//! Two on one file would overwrite each other's memory of the same keys. The lock is on a file
//! beside the database, so that commands and a shell can still read and write the database itself;
//! the system takes it back when the process ends, however it ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::StorageError;

/// Held as long as the database is in use.
#[derive(Debug)]
pub(crate) struct Lock(File);

impl Lock {
    /// Takes the lock of the database at `path`.
    pub(crate) fn take(path: &Path) -> Result<Self, StorageError> {
        let not_writable =
            |source| StorageError::NotWritable { database: path.display().to_string(), source };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.open(beside(path)).map_err(not_writable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StorageError::InUse {
                    database: path.display().to_string(),
                    holder: read_id(&mut file).map(|id| format!("process {id}")),
                });
            }
            Err(TryLockError::Error(source)) => return Err(not_writable(source)),
        }
        write_id(&mut file).map_err(not_writable)?;
        Ok(Self(file))
    }
}

impl Drop for Lock {
    /// Gives it back by name: a lock belongs to what was opened, and a process that is being started
    /// at this moment has a copy of that (until its `exec`), which closing ours would wait for; see
    /// flock(2).
    fn drop(&mut self) {
        // What fails here is given back with the last copy.
        let _ = self.0.unlock();
    }
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}

fn write_id(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

fn read_id(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_is_given_back_can_be_taken_while_a_child_still_has_a_copy_of_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("keygate.db");
        let lock = Lock::take(&database).unwrap();
        let copy = lock.0.try_clone().unwrap();
        assert!(matches!(Lock::take(&database), Err(StorageError::InUse { .. })));
        drop(lock);
        Lock::take(&database).unwrap();
        drop(copy);
    }
}
