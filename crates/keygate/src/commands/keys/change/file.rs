//! A file of secrets that is changed as a whole or not at all.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use keygate_config::KeyHome;
use keygate_domain::ApiKey;

use crate::commands::database::Failure;

/// Who may read a file of secrets that was not there before: its owner.
const OWNER_ONLY: u32 = 0o600;

/// A place that holds keys, and the file around it.
pub(super) struct Edited {
    home: KeyHome,
    /// Where the file is, behind links.
    path: PathBuf,
    /// As it was read; `None` if it is not there.
    before: Option<String>,
    after: String,
}

/// A file that was written.
pub(super) struct Edit {
    pub(super) home: KeyHome,
    pub(super) is_new: bool,
}

impl Edited {
    /// Reads the file; one that is not there is empty.
    pub(super) fn open(home: KeyHome) -> Result<Self, Failure> {
        let path = fs::canonicalize(home.path()).unwrap_or_else(|_| home.path().to_owned());
        let before = read(&path).map_err(|error| cannot("read", &path, &error))?;
        let after = before.clone().unwrap_or_default();
        Ok(Self { home, path, before, after })
    }

    /// The keys that are in it.
    pub(super) fn keys(&self) -> Vec<ApiKey> {
        self.home.keys(&self.after)
    }

    /// Puts exactly these keys in it; nothing is written yet.
    pub(super) fn hold(&mut self, keys: &[ApiKey]) {
        if self.keys() != keys {
            self.after = self.home.holding(&self.after, keys);
        }
    }

    /// Where the file is, and the text that it would have.
    pub(super) fn draft(&self) -> (PathBuf, String) {
        (self.path.clone(), self.after.clone())
    }

    /// Writes it; `None` where there is nothing to change.
    pub(super) fn save(self) -> Result<Option<Edit>, Failure> {
        let Self { home, path, before, after } = self;
        if before.as_deref().unwrap_or_default() == after {
            return Ok(None);
        }
        let is_new = before.is_none();
        // Somebody else may have been at it since it was read.
        let now = read(&path).map_err(|error| cannot("read", &path, &error))?;
        if now != before {
            let text = format!(
                "{} was changed by somebody else meanwhile. Nothing was changed; try again.",
                path.display()
            );
            return Err(Failure::wrong(text));
        }
        replace(&path, &after).map_err(|error| cannot("written", &path, &error))?;
        Ok(Some(Edit { home, is_new }))
    }
}

fn read(path: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> Failure {
    let shown = path.display();
    Failure::wrong(format!(
        "{shown} cannot be {what}: {error}. Nothing was changed; run this as who owns the file and its folder."
    ))
}

/// Puts a new file in the place of the old one: whoever reads it sees the old text or the new one, also when the
/// machine stops in between. It keeps its permissions and its owner.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
    let beside = folder.join(format!(".{name}.{}.new", std::process::id()));
    let written = write(&beside, path, text).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        // What is left of it holds secrets.
        let _ = fs::remove_file(&beside);
    }
    written?;
    File::open(folder)?.sync_all()
}

fn write(beside: &Path, path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(OWNER_ONLY).open(beside)?;
    match fs::metadata(path) {
        Ok(old) => {
            let new = file.metadata()?;
            if (new.uid(), new.gid()) != (old.uid(), old.gid()) {
                std::os::unix::fs::fchown(&file, Some(old.uid()), Some(old.gid()))?;
            }
            file.set_permissions(Permissions::from_mode(old.mode() & 0o7777))?;
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home(folder: &Path) -> KeyHome {
        KeyHome::Variable { dotenv: folder.join(".env"), name: "KEYS".to_owned() }
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_new_file_is_its_owners_and_an_old_one_keeps_its_permissions() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".env");
        let save = |keys: &[&str]| {
            let mut edited = Edited::open(home(folder.path())).map_err(|f| f.text).unwrap();
            edited.hold(&keys.iter().map(|key| ApiKey::new(*key)).collect::<Vec<_>>());
            edited.save().map_err(|f| f.text).unwrap().map(|edit| edit.is_new)
        };
        assert_eq!((save(&["a"]), mode(&path)), (Some(true), 0o600));
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        assert_eq!((save(&["a", "b"]), mode(&path)), (Some(false), 0o640));
        assert_eq!(save(&["a", "b"]), None, "nothing to change");
        assert_eq!(fs::read_to_string(&path).unwrap(), "KEYS=a,b\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_link_stays_one_and_what_somebody_else_wrote_is_not_lost() {
        let folder = tempfile::tempdir().unwrap();
        let (path, real) = (folder.path().join(".env"), folder.path().join("real"));
        fs::write(&real, "A=1\n").unwrap();
        std::os::unix::fs::symlink(&real, &path).unwrap();
        let mut edited = Edited::open(home(folder.path())).map_err(|f| f.text).unwrap();
        edited.hold(&[ApiKey::new("a")]);
        assert!(edited.save().map_err(|f| f.text).unwrap().is_some());
        assert!(fs::symlink_metadata(&path).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&real).unwrap(), "A=1\nKEYS=a\n");

        let mut edited = Edited::open(home(folder.path())).map_err(|f| f.text).unwrap();
        edited.hold(&[]);
        fs::write(&real, "B=2\n").unwrap();
        let told = edited.save().map(|_| ()).map_err(|f| f.text).unwrap_err();
        assert!(told.contains("try again"), "{told}");
        assert_eq!(fs::read_to_string(&real).unwrap(), "B=2\n");
    }
}
