//! `keygate answers import`.

use std::collections::BTreeMap;
use std::path::Path;

use keygate_domain::StoredAnswer;
use keygate_provider::Adapter;
use serde_json::json;

use super::{Failure, row, rows, settings, with_storage};
use crate::cli::ImportAnswers;
use crate::commands::print;
use crate::exit::Exit;

/// What an import did, or would do.
#[derive(Default)]
struct Report {
    added: usize,
    changed: usize,
    unchanged: usize,
    broken: Vec<Broken>,
}

/// A row that is not imported.
struct Broken {
    line: u64,
    what: String,
}

pub(super) fn run(arguments: &ImportAnswers, catalogue: &[Adapter]) -> Result<Exit, Failure> {
    let settings = settings(&arguments.database)?;
    let (answers, broken) = read(&arguments.file, catalogue)?;
    let mut report = Report { broken, ..Report::default() };
    with_storage(&settings, true, async |storage| {
        let known: BTreeMap<String, StoredAnswer> =
            storage.answers().await?.into_iter().map(|answer| (answer.id.clone(), answer)).collect();
        let mut news = Vec::new();
        for answer in answers {
            match known.get(&answer.id) {
                Some(same) if *same == answer => report.unchanged += 1,
                Some(_) => {
                    report.changed += 1;
                    news.push(answer);
                }
                None => {
                    report.added += 1;
                    news.push(answer);
                }
            }
        }
        if !arguments.dry_run {
            storage.put_answers(&news).await?;
        }
        Ok(())
    })?;
    report.tell(arguments);
    if !settings.answers.enabled {
        print::remark("note: answers.enabled is false, so nobody is told any of them");
    }
    Ok(if report.broken.is_empty() { Exit::Done } else { Exit::Usage })
}

/// The answers of a file, and the rows of it that are none.
fn read(path: &Path, catalogue: &[Adapter]) -> Result<(Vec<StoredAnswer>, Vec<Broken>), Failure> {
    let failed = |what: String| Failure::usage(format!("{}: {what}", path.display()));
    let size = std::fs::metadata(path).map_err(|error| failed(format!("cannot be read: {error}")))?.len();
    if size > rows::MAX_FILE_BYTES {
        return Err(failed(format!("is larger than {} MiB", rows::MAX_FILE_BYTES >> 20)));
    }
    let bytes = std::fs::read(path).map_err(|error| failed(format!("cannot be read: {error}")))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = valid.split(|byte| *byte == b'\n').count();
        Failure::usage(format!("{}:{line}: is no UTF-8: save the file as UTF-8", path.display()))
    })?;
    let rows = rows::read(path, &text).map_err(|(line, what)| {
        let line = line.map(|line| format!(":{line}")).unwrap_or_default();
        Failure::usage(format!("{}{line}: {what}", path.display()))
    })?;
    let (mut answers, mut broken) = (Vec::new(), Vec::new());
    let mut lines: BTreeMap<String, u64> = BTreeMap::new();
    for rows::Row { line, content } in rows {
        let answer =
            content.and_then(|content| row::read(&content, catalogue)).and_then(|answer| {
                match lines.get(&answer.id) {
                    Some(first) => Err(format!("is the same answer as in line {first} ({})", answer.id)),
                    None => Ok(answer),
                }
            });
        match answer {
            Ok(answer) => {
                lines.insert(answer.id.clone(), line);
                answers.push(answer);
            }
            Err(what) => broken.push(Broken { line, what }),
        }
    }
    Ok((answers, broken))
}

impl Report {
    fn tell(&self, arguments: &ImportAnswers) {
        let file = arguments.file.display();
        if arguments.database.json {
            let broken: Vec<_> =
                self.broken.iter().map(|row| json!({ "line": row.line, "what": row.what })).collect();
            let told = json!({
                "file": file.to_string(),
                "dry_run": arguments.dry_run,
                "added": self.added,
                "changed": self.changed,
                "unchanged": self.unchanged,
                "broken": broken,
            });
            return print::line(&format!("{told:#}"));
        }
        for Broken { line, what } in &self.broken {
            print::remark(&format!("{file}:{line}: {what}"));
        }
        let did = if arguments.dry_run { "would import" } else { "imported" };
        let Self { added, changed, unchanged, broken } = self;
        print::line(&format!(
            "{did} {}: {added} new, {changed} changed; {unchanged} unchanged, {} broken",
            added + changed,
            broken.len()
        ));
    }
}
