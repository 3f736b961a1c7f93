//! The files a configuration is read from: where they are, and how they are named to people.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::watch::FileMarks;

/// The largest file that is read, in bytes; thousands of keys take less than one MiB.
const MAX_FILE_BYTES: u64 = 16 * 1024 * 1024;

/// The names under which a configuration file is looked for in the working directory.
const USUAL_NAMES: [&str; 2] = ["keygate.yaml", "config/keygate.yaml"];

/// Why a file cannot be read, and what to do where that is no question of its path.
pub(crate) struct Unreadable {
    pub(crate) why: String,
    pub(crate) remedy: Option<&'static str>,
}

/// Where files are.
pub(crate) struct Files {
    /// What relative paths of the command line start from.
    pub(crate) working_dir: PathBuf,
    /// The configuration file, if there is one.
    pub(crate) config: Option<PathBuf>,
    /// Texts in the place of files, by the path behind links. They hold secrets.
    pub(crate) drafts: BTreeMap<PathBuf, String>,
    /// What was looked at, and how it was just before.
    marks: RefCell<FileMarks>,
}

impl Unreadable {
    fn of_path(error: &std::io::Error) -> Self {
        Self { why: error.to_string(), remedy: None }
    }

    fn of_content(why: impl Into<String>, remedy: &'static str) -> Self {
        Self { why: why.into(), remedy: Some(remedy) }
    }
}

impl Files {
    /// Takes the configuration file that was named, else the usual one, else none.
    pub(crate) fn find(working_dir: PathBuf, named: Option<&Path>) -> Self {
        let marks = RefCell::new(FileMarks::default());
        let usual = || {
            USUAL_NAMES.iter().map(|name| working_dir.join(name)).find(|path| marks.borrow_mut().note(path))
        };
        let config = named.map(|path| working_dir.join(path)).or_else(usual);
        Self { working_dir, config, drafts: BTreeMap::new(), marks }
    }

    /// Reads a text file of a sane size.
    pub(crate) fn read_text(&self, path: &Path) -> Result<String, Unreadable> {
        self.exists(path);
        if let Some(draft) = self.draft(path) {
            return Ok(draft.clone());
        }
        let facts = std::fs::metadata(path).map_err(|error| Unreadable::of_path(&error))?;
        if facts.is_dir() {
            return Err(Unreadable::of_content("it is a folder", "name a file in it"));
        }
        if facts.len() > MAX_FILE_BYTES {
            return Err(Unreadable::of_content("it is larger than 16 MiB", "is it the file that is meant?"));
        }
        let bytes = std::fs::read(path).map_err(|error| Unreadable::of_path(&error))?;
        String::from_utf8(bytes).map_err(|error| {
            let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = good.split(|byte| *byte == b'\n').count();
            Unreadable::of_content(format!("line {line} is no text in UTF-8"), "save it as UTF-8")
        })
    }

    /// Whether there is such a file.
    pub(crate) fn exists(&self, path: &Path) -> bool {
        self.marks.borrow_mut().note(path) || self.draft(path).is_some()
    }

    /// Whether it is a file, and no folder or device.
    pub(crate) fn is_file(&self, path: &Path) -> bool {
        path.is_file() || self.draft(path).is_some()
    }

    fn draft(&self, path: &Path) -> Option<&String> {
        if self.drafts.is_empty() {
            return None;
        }
        let behind_links = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        self.drafts.get(&behind_links)
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
