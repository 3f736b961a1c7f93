//! The files a configuration is read from: where they are, and how they are named to people.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use crate::watch::FileMarks;

/// The largest file that is read, in bytes; thousands of keys take less than one MiB.
const MAX_FILE_BYTES: u64 = 16 * 1024 * 1024;

/// The names under which a configuration file is looked for in the working directory.
const USUAL_NAMES: [&str; 2] = ["keygate.yaml", "config/keygate.yaml"];

/// Where files are.
#[derive(Debug)]
pub(crate) struct Files {
    /// What relative paths of the command line start from.
    pub(crate) working_dir: PathBuf,
    /// The configuration file, if there is one.
    pub(crate) config: Option<PathBuf>,
    /// What was looked at, and how it was just before.
    marks: RefCell<FileMarks>,
}

impl Files {
    /// Takes the configuration file that was named, else the usual one, else none.
    pub(crate) fn find(working_dir: PathBuf, named: Option<&Path>) -> Self {
        let marks = RefCell::new(FileMarks::default());
        let usual = || {
            USUAL_NAMES.iter().map(|name| working_dir.join(name)).find(|path| marks.borrow_mut().note(path))
        };
        let config = named.map(|path| working_dir.join(path)).or_else(usual);
        Self { working_dir, config, marks }
    }

    /// Reads a text file of a sane size.
    pub(crate) fn read_text(&self, path: &Path) -> Result<String, String> {
        self.exists(path);
        let size = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
        if size > MAX_FILE_BYTES {
            return Err("it is larger than 16 MiB".to_owned());
        }
        std::fs::read_to_string(path).map_err(|error| error.to_string())
    }

    /// Whether there is such a file.
    pub(crate) fn exists(&self, path: &Path) -> bool {
        self.marks.borrow_mut().note(path)
    }

    /// Everything that was looked at, whether it was there or not.
    pub(crate) fn marks(&self) -> FileMarks {
        self.marks.borrow().clone()
    }

    /// The folder that `file:` paths start from.
    pub(crate) fn config_folder(&self) -> &Path {
        self.config.as_deref().and_then(Path::parent).unwrap_or(&self.working_dir)
    }

    /// A path as people know it: relative to the working directory where it is below it.
    pub(crate) fn shown(&self, path: &Path) -> PathBuf {
        path.strip_prefix(&self.working_dir).unwrap_or(path).to_owned()
    }
}
