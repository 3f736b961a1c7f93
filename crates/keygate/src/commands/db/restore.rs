//! `keygate db restore`.

use std::fs::File;
use std::io::BufReader;

use keygate_storage::Storage;

use super::{Progress, in_words, on_database};
use crate::cli::DbFile;
use crate::exit::Exit;

pub(super) fn run(arguments: &DbFile) -> Exit {
    on_database(&arguments.database, async |place| {
        let backup = BufReader::new(File::open(&arguments.file)?);
        let progress = Progress::new();
        let restored = Storage::restore(&place, backup, |rows| progress.show(rows)).await;
        progress.clear();
        let done = format!("{place} is restored from {}", arguments.file.display());
        Ok(in_words(&restored?, &arguments.database, &done))
    })
}
