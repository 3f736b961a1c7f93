//! `keygate db backup`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use keygate_storage::{BackupError, Storage};

use super::{Progress, in_words, on_database};
use crate::cli::DbFile;
use crate::exit::Exit;

pub(super) fn run(arguments: &DbFile) -> Exit {
    on_database(&arguments.database, async |place| {
        let storage = Storage::visit(&place).await?;
        let (partial, file) = beside(&arguments.file)?;
        let progress = Progress::new();
        let mut out = BufWriter::new(file);
        let written = storage.back_up(&mut out, |rows| progress.show(rows)).await;
        progress.clear();
        storage.close().await;
        let kept = match written {
            Ok(counted) => keep(out, &partial, &arguments.file).map(|()| counted).map_err(BackupError::from),
            Err(error) => Err(error),
        };
        if kept.is_err() {
            // What is there may be half of it; that it cannot be removed is no worse.
            let _ = fs::remove_file(&partial);
        }
        let done = format!("{place} is backed up to {}", arguments.file.display());
        Ok(in_words(&kept?, &arguments.database, &done))
    })
}

/// A new file beside the one that is wanted, for nobody but its owner: who looks at the wanted one
/// sees an earlier backup or all of this one.
fn beside(wanted: &Path) -> io::Result<(PathBuf, File)> {
    let mut name = wanted.as_os_str().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    let partial = PathBuf::from(name);
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&partial)?;
    Ok((partial, file))
}

fn keep(out: BufWriter<File>, partial: &Path, wanted: &Path) -> io::Result<()> {
    out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    fs::rename(partial, wanted)
}
