//! A file beside the database, for rows of the ledger that the database cannot take.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;

use keygate_domain::LedgerRow;

/// Rows handed out at once.
const AT_ONCE: usize = 1_000;

/// A file with a row a line, as JSON. One process writes to it at a time: whoever has the database's lock.
#[derive(Clone, Debug)]
pub struct Spool {
    path: PathBuf,
    most_bytes: u64,
}

impl Spool {
    /// The spool at `path`, which need not exist, and grows to `most_bytes` at most.
    pub fn at(path: PathBuf, most_bytes: u64) -> Self {
        Self { path, most_bytes }
    }

    /// Appends rows, and waits until the disk has them. Says how many there was room for. Blocks.
    ///
    /// # Errors
    /// What the operating system said.
    pub fn append(&self, rows: &[LedgerRow]) -> io::Result<usize> {
        let mut file = OpenOptions::new().create(true).append(true).open(&self.path)?;
        let mut room = self.most_bytes.saturating_sub(file.metadata()?.len());
        // Behind a line that was not finished begins another: no row may be swallowed by it.
        let mut text = if self.is_torn()? { vec![b'\n'] } else { Vec::new() };
        let mut appended = 0;
        for row in rows {
            let mut line = serde_json::to_vec(row)?;
            line.push(b'\n');
            let Some(left) = room.checked_sub(line.len() as u64) else { break };
            room = left;
            text.append(&mut line);
            appended += 1;
        }
        file.write_all(&text)?;
        file.sync_data()?;
        Ok(appended)
    }

    fn is_torn(&self) -> io::Result<bool> {
        let mut file = File::open(&self.path)?;
        if file.metadata()?.len() == 0 {
            return Ok(false);
        }
        file.seek(SeekFrom::End(-1))?;
        let mut last = [0];
        file.read_exact(&mut last)?;
        Ok(last != *b"\n")
    }

    /// What it holds, some rows at a time, and lines that are no rows, as a process leaves them that is
    /// killed while it writes. Blocks.
    ///
    /// # Errors
    /// What the operating system said.
    pub fn read(&self) -> io::Result<SpoolReader> {
        let lines = match File::open(&self.path) {
            Ok(file) => Some(BufReader::new(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        Ok(SpoolReader { lines, torn: 0 })
    }

    /// Forgets what it held. Blocks.
    ///
    /// # Errors
    /// What the operating system said.
    pub fn clear(&self) -> io::Result<()> {
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

/// Reads a spool from its beginning.
#[derive(Debug)]
pub struct SpoolReader {
    lines: Option<BufReader<File>>,
    torn: u64,
}

impl SpoolReader {
    /// The next rows; none at the end. Blocks.
    ///
    /// # Errors
    /// What the operating system said.
    pub fn next_rows(&mut self) -> io::Result<Vec<LedgerRow>> {
        let mut rows = Vec::new();
        let Some(lines) = &mut self.lines else { return Ok(rows) };
        let mut line = Vec::new();
        while rows.len() < AT_ONCE && lines.read_until(b'\n', &mut line)? > 0 {
            match serde_json::from_slice(&line) {
                Ok(row) => rows.push(row),
                Err(_) => self.torn += 1,
            }
            line.clear();
        }
        Ok(rows)
    }

    /// Lines so far that were no rows.
    pub fn torn(&self) -> u64 {
        self.torn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str) -> LedgerRow {
        LedgerRow { id: id.to_owned(), user: "Ann\n\"\0".to_owned(), ..LedgerRow::default() }
    }

    fn ids(spool: &Spool) -> (Vec<String>, u64) {
        let mut reader = spool.read().unwrap();
        let mut ids = Vec::new();
        loop {
            let rows = reader.next_rows().unwrap();
            if rows.is_empty() {
                return (ids, reader.torn());
            }
            ids.extend(rows.into_iter().map(|row| row.id));
        }
    }

    #[test]
    fn what_is_appended_is_read_in_its_order_until_it_is_cleared() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::at(folder.path().join("spool"), 1 << 20);
        assert_eq!(ids(&spool), (vec![], 0), "no file is an empty one");
        assert_eq!(spool.append(&[row("a"), row("b")]).unwrap(), 2);
        assert_eq!(spool.append(&[row("c")]).unwrap(), 1);
        assert_eq!(ids(&spool).0, ["a", "b", "c"]);
        spool.clear().unwrap();
        spool.clear().unwrap();
        assert_eq!(ids(&spool), (vec![], 0));
    }

    #[test]
    fn it_takes_as_much_as_it_has_room_for() {
        let folder = tempfile::tempdir().unwrap();
        let one = serde_json::to_vec(&row("a")).unwrap().len() as u64 + 1;
        let spool = Spool::at(folder.path().join("spool"), 2 * one);
        assert_eq!(spool.append(&[row("a"), row("b"), row("c")]).unwrap(), 2);
        assert_eq!(spool.append(&[row("c")]).unwrap(), 0);
        assert_eq!(ids(&spool).0, ["a", "b"]);
    }

    #[test]
    fn a_line_that_was_not_finished_is_counted_and_the_next_one_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spool");
        let spool = Spool::at(path.clone(), 1 << 20);
        spool.append(&[row("a")]).unwrap();
        let mut torn = std::fs::read(&path).unwrap();
        torn.extend_from_slice(b"{\"id\":\"b");
        std::fs::write(&path, torn).unwrap();
        spool.append(&[row("c"), row("d")]).unwrap();
        assert_eq!(ids(&spool), (["a", "c", "d"].map(str::to_owned).to_vec(), 1));
    }
}
