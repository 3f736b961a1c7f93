//! The files a configuration is read from: where they are, and how they are named to people.

use std::path::{Path, PathBuf};

/// The largest file that is read, in bytes; thousands of keys take less than one MiB.
const MAX_FILE_BYTES: u64 = 16 * 1024 * 1024;

/// Reads a text file of a sane size.
pub(crate) fn read_text(path: &Path) -> Result<String, String> {
    let size = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    if size > MAX_FILE_BYTES {
        return Err("it is larger than 16 MiB".to_owned());
    }
    std::fs::read_to_string(path).map_err(|error| error.to_string())
}

/// The names under which a configuration file is looked for in the working directory.
const USUAL_NAMES: [&str; 2] = ["keygate.yaml", "config/keygate.yaml"];

/// Where files are.
#[derive(Debug)]
pub(crate) struct Files {
    /// What relative paths of the command line start from.
    pub(crate) working_dir: PathBuf,
    /// The configuration file, if there is one.
    pub(crate) config: Option<PathBuf>,
}

impl Files {
    /// Takes the configuration file that was named, else the usual one, else none.
    pub(crate) fn find(working_dir: PathBuf, named: Option<&Path>) -> Self {
        let usual = || USUAL_NAMES.iter().map(|name| working_dir.join(name)).find(|path| path.exists());
        let config = named.map(|path| working_dir.join(path)).or_else(usual);
        Self { working_dir, config }
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
