//! A traffic that was: requests from a file, read line by line as often as they are needed.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use keygate_domain::{ModelName, UserId};
use keygate_planner::{Arrival, Traffic};
use serde_json::Value;

/// A file of requests in the order of time. It is read once to see that it is sound, and again for every
/// run; only the names of users and models are kept.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    reader: LineReader,
    starts: Timestamp,
    ends: Timestamp,
    names: Names,
}

/// The fields of a line, by their names.
const FIELDS: [&str; 5] = ["time", "user", "model", "input_tokens", "output_tokens"];
const MOST_USERS: usize = 1_000_000;
const MOST_MODELS: usize = 1024;

#[derive(Clone, Debug)]
struct LineReader {
    /// The columns of [`FIELDS`]; `None` for JSON lines.
    columns: Option<[Option<usize>; 5]>,
    usual: (u64, u64),
    any_model: String,
}

#[derive(Debug, Default)]
struct Names {
    users: Vec<Arc<str>>,
    models: Vec<ModelName>,
    user_at: BTreeMap<Arc<str>, u32>,
    model_at: BTreeMap<ModelName, u16>,
}

/// What a line says.
struct Entry {
    at: Timestamp,
    user: String,
    model: String,
    input_tokens: u64,
    output_tokens: u64,
}

impl Log {
    /// Reads the file through. What a line does not tell is as given.
    pub(super) fn open(path: &Path, input: u64, output: u64, any_model: &str) -> Result<Self, String> {
        let mut lines = lines(path)?;
        let (mut number, first) = lines.next().ok_or_else(|| format!("{}: no line in it", path.display()))?;
        let first = first.map_err(|error| unreadable(path, &error.to_string()))?;
        let is_json = first.trim_start().starts_with('{');
        let columns =
            if is_json { None } else { Some(columns(&first).map_err(|what| at(path, number, &what))?) };
        let reader = LineReader { columns, usual: (input, output), any_model: any_model.to_owned() };
        let mut names = Names::default();
        let mut period: Option<(Timestamp, Timestamp)> = None;
        let entries = is_json.then_some((number, Ok(first))).into_iter().chain(lines);
        for (line, text) in entries {
            number = line;
            let text = text.map_err(|error| unreadable(path, &error.to_string()))?;
            let entry = reader.entry(&text).map_err(|what| at(path, number, &what))?;
            let (starts, last) = period.unwrap_or((entry.at, entry.at));
            if entry.at < last {
                let what = "is earlier than the line before: sort the file by time";
                return Err(at(path, number, what));
            }
            period = Some((starts, entry.at));
            names.note(&entry).map_err(|what| at(path, number, &what))?;
        }
        let (starts, ends) = period.ok_or_else(|| format!("{}: no request in it", path.display()))?;
        Ok(Self { path: path.to_owned(), reader, starts, ends, names })
    }

    /// When the first request came.
    pub(super) fn starts(&self) -> Timestamp {
        self.starts
    }

    /// From the first request to just behind the last one.
    pub(super) fn span(&self) -> Duration {
        since(self.starts, self.ends) + Duration::from_secs(1)
    }
}

impl Traffic for Log {
    fn users(&self) -> &[Arc<str>] {
        &self.names.users
    }

    fn models(&self) -> &[ModelName] {
        &self.names.models
    }

    /// A file that is not any more what it was ends early.
    fn arrivals(&self) -> Box<dyn Iterator<Item = Arrival> + '_> {
        let Ok(lines) = lines(&self.path) else { return Box::new(std::iter::empty()) };
        let header = usize::from(self.reader.columns.is_some());
        let entries = lines.skip(header).map_while(|(_, text)| self.reader.entry(&text.ok()?).ok());
        Box::new(entries.map_while(|entry| {
            Some(Arrival {
                at: since(self.starts, entry.at),
                user: *self.names.user_at.get(entry.user.as_str())?,
                model: *self.names.model_at.get(entry.model.as_str())?,
                input_tokens: entry.input_tokens,
                output_tokens: entry.output_tokens,
            })
        }))
    }
}

impl Names {
    fn note(&mut self, entry: &Entry) -> Result<(), String> {
        if !self.user_at.contains_key(entry.user.as_str()) {
            if self.users.len() == MOST_USERS {
                return Err(format!("more than {MOST_USERS} users"));
            }
            let name: Arc<str> = entry.user.as_str().into();
            self.user_at.insert(Arc::clone(&name), self.users.len() as u32);
            self.users.push(name);
        }
        if !self.model_at.contains_key(entry.model.as_str()) {
            if self.models.len() == MOST_MODELS {
                return Err(format!("more than {MOST_MODELS} models"));
            }
            let name = ModelName::from(entry.model.as_str());
            self.model_at.insert(name.clone(), self.models.len() as u16);
            self.models.push(name);
        }
        Ok(())
    }
}

impl LineReader {
    fn entry(&self, text: &str) -> Result<Entry, String> {
        let [time, user, model, input, output] = match &self.columns {
            Some(columns) => of_csv(text, columns)?,
            None => of_json(text)?,
        };
        let tokens = |told: Option<String>, name: &str, usual: u64| match told {
            Some(text) => text.parse().map_err(|_| format!("{name} {text:?} is not a number")),
            None => Ok(usual),
        };
        let time = time.ok_or("has no time")?;
        let user = user.unwrap_or_default();
        if user.len() > UserId::MAX_BYTES {
            return Err(format!("has a user of more than {} bytes", UserId::MAX_BYTES));
        }
        Ok(Entry {
            at: moment(&time).ok_or_else(|| format!("time {time:?} is neither RFC 3339 nor Unix seconds"))?,
            user,
            model: model.unwrap_or_else(|| self.any_model.clone()),
            input_tokens: tokens(input, FIELDS[3], self.usual.0)?,
            output_tokens: tokens(output, FIELDS[4], self.usual.1)?,
        })
    }
}

type Texts = [Option<String>; 5];

/// Every line with something in it, and its number.
fn lines(path: &Path) -> Result<impl Iterator<Item = (usize, std::io::Result<String>)> + use<>, String> {
    let file = File::open(path).map_err(|error| unreadable(path, &error.to_string()))?;
    let lines = (1..).zip(BufReader::new(file).lines());
    Ok(lines.filter(|(_, text)| text.as_ref().map_or(true, |text| !text.trim().is_empty())))
}

fn columns(header: &str) -> Result<[Option<usize>; 5], String> {
    let names = cells(header)?;
    let found = FIELDS.map(|field| names.iter().position(|name| name.trim() == field));
    if found[0].is_none() {
        return Err(format!("the header names no column `time`; the columns are {}", FIELDS.join(", ")));
    }
    Ok(found)
}

fn of_csv(text: &str, columns: &[Option<usize>; 5]) -> Result<Texts, String> {
    let mut cells = cells(text)?;
    let mut take = |column: &Option<usize>| {
        let cell = cells.get_mut((*column)?)?;
        Some(std::mem::take(cell).trim().to_owned()).filter(|cell| !cell.is_empty())
    };
    Ok([take(&columns[0]), take(&columns[1]), take(&columns[2]), take(&columns[3]), take(&columns[4])])
}

/// The cells of a line of CSV (RFC 4180, each record on a line of its own).
fn cells(text: &str) -> Result<Vec<String>, String> {
    let mut cells = vec![String::new()];
    let mut is_quoted = false;
    let mut letters = text.trim_end_matches(['\r', '\n']).trim_start_matches('\u{feff}').chars().peekable();
    while let Some(letter) = letters.next() {
        let Some(cell) = cells.last_mut() else { break };
        match letter {
            '"' if is_quoted && letters.next_if_eq(&'"').is_some() => cell.push('"'),
            '"' if is_quoted || cell.trim().is_empty() => is_quoted = !is_quoted,
            ',' if !is_quoted => cells.push(String::new()),
            _ => cell.push(letter),
        }
    }
    if is_quoted { Err("has a quote without its end".to_owned()) } else { Ok(cells) }
}

fn of_json(text: &str) -> Result<Texts, String> {
    let line: Value = serde_json::from_str(text).map_err(|error| format!("is not JSON: {error}"))?;
    Ok(FIELDS.map(|field| match &line[field] {
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }))
}

fn moment(text: &str) -> Option<Timestamp> {
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Some(moment);
    }
    let seconds = text.parse::<f64>().ok().filter(|seconds| seconds.is_finite())?;
    Timestamp::UNIX_EPOCH.checked_add(SignedDuration::try_from_secs_f64(seconds).ok()?).ok()
}

fn since(start: Timestamp, at: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(start)).unwrap_or(Duration::ZERO)
}

fn at(path: &Path, line: usize, what: &str) -> String {
    format!("{}:{line}: {what}", path.display())
}

fn unreadable(path: &Path, error: &str) -> String {
    format!("{}: cannot be read: {error}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The log, and the folder it is read from again.
    fn opened(text: &str) -> Result<(Log, tempfile::TempDir), String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        std::fs::write(&path, text).unwrap();
        Log::open(&path, 500, 300, "any").map(|log| (log, folder))
    }

    #[test]
    fn csv_and_json_lines_say_the_same() {
        let csv = "user,time,input_tokens,model,more\n\"ada, \"\"L\"\"\",2026-03-01T00:00:00Z,7,flash,x\n\
                   bob,1772323202.5,,pro,\n";
        let json = "{\"time\":\"2026-03-01T00:00:00Z\",\"user\":\"ada, \\\"L\\\"\",\"model\":\"flash\",\
                    \"input_tokens\":7}\n\n{\"time\":1772323202.5,\"user\":\"bob\",\"model\":\"pro\"}\n";
        for text in [csv, json] {
            let (log, _folder) = opened(text).unwrap();
            let arrivals: Vec<Arrival> = log.arrivals().collect();
            assert_eq!(log.arrivals().collect::<Vec<_>>(), arrivals, "it is read for every run");
            assert_eq!(log.users()[0].as_ref(), "ada, \"L\"");
            assert_eq!((arrivals[0].input_tokens, arrivals[0].output_tokens, arrivals[1].model), (7, 300, 1));
            assert_eq!(arrivals[1].at, Duration::from_millis(2_500));
            assert_eq!(log.span(), Duration::from_millis(3_500));
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (text, says) in [
            ("", "no line"),
            ("time\n", "no request"),
            ("when,user\n1,ada\n", ":1: the header names no column `time`"),
            ("time\n5\n4\n", ":3: is earlier than the line before"),
            ("time\n5\nnoon\n", ":3: time \"noon\" is neither"),
            ("time,user\n5,\"ada\n", ":2: has a quote without its end"),
            ("time,input_tokens\n5,many\n", ":2: input_tokens \"many\" is not a number"),
            ("{\"time\":5}\n{\"user\":\"ada\"}\n", ":2: has no time"),
            ("{\"time\":5}\n{\n", ":2: is not JSON"),
        ] {
            let problem = opened(text).map(drop).unwrap_err();
            assert!(problem.contains(says), "{problem} does not say {says}");
        }
        assert!(Log::open(Path::new("/nowhere/at/all"), 1, 1, "any").unwrap_err().contains("cannot be read"));
    }
}
