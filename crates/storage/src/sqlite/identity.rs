//! Which file it is, whatever it is called.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// A file as it was found at its path.
#[derive(Debug)]
pub(crate) struct Identity {
    path: PathBuf,
    device_and_inode: Option<(u64, u64)>,
}

impl Identity {
    pub(crate) fn of(path: &Path) -> Self {
        Self { path: path.to_owned(), device_and_inode: device_and_inode(path) }
    }

    /// Whether that very file is at its path.
    pub(crate) fn is_there(&self) -> bool {
        self.device_and_inode.is_some() && device_and_inode(&self.path) == self.device_and_inode
    }
}

fn device_and_inode(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|facts| (facts.dev(), facts.ino()))
}
