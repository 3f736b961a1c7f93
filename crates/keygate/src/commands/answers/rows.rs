//! The rows of a file, each with the line it begins at.

use std::path::Path;

use serde_json::{Map, Value};
use serde_saphyr::{Location, Spanned};

/// Largest file that is read, in bytes.
pub(super) const MAX_FILE_BYTES: u64 = 64 * 1024 * 1024;

/// What is written between the phrases of a cell.
const BETWEEN_PHRASES: char = '|';

/// One row, or why it cannot be read.
pub(super) struct Row {
    pub(super) line: u64,
    pub(super) content: Result<Value, String>,
}

/// The rows of a file, by its ending.
///
/// # Errors
/// Why there are none at all, with the line where that is known.
pub(super) fn read(path: &Path, text: &str) -> Result<Vec<Row>, (Option<u64>, String)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    match ending.to_ascii_lowercase().as_str() {
        "yaml" | "yml" | "json" => of_yaml(text),
        "csv" => of_csv(text),
        _ => Err((None, "is neither .yaml nor .csv".to_owned())),
    }
}

fn of_yaml(text: &str) -> Result<Vec<Row>, (Option<u64>, String)> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let options = serde_saphyr::options! { with_snippet: false, emit_comments: false };
    let rows: Vec<Spanned<Value>> = serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let line = error.location().as_ref().map(Location::line);
        (
            line,
            "is not readable as a YAML list of rows: check indentation, quotes and colons around here"
                .to_owned(),
        )
    })?;
    Ok(rows.into_iter().map(|row| Row { line: row.referenced.line(), content: Ok(row.value) }).collect())
}

fn of_csv(text: &str) -> Result<Vec<Row>, (Option<u64>, String)> {
    let mut reader =
        csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(text.as_bytes());
    let names = reader.headers().map_err(|error| (Some(1), error.to_string()))?.clone();
    if !["match", "reply"].iter().all(|needed| names.iter().any(|name| name == *needed)) {
        let what = "must begin with a line of names: id,match,language,reply,provider,model,enabled (match and reply at \
                    least)";
        return Err((Some(1), what.to_owned()));
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| (line_of(&error), "is not readable CSV".to_owned()))?;
        let line = record.position().map_or(0, csv::Position::line);
        rows.push(Row { line, content: of_record(&names, &record) });
    }
    Ok(rows)
}

fn of_record(names: &csv::StringRecord, record: &csv::StringRecord) -> Result<Value, String> {
    if record.len() > names.len() {
        return Err(format!(
            "has {} cells where the first line names {}: put quotes around what contains a comma",
            record.len(),
            names.len()
        ));
    }
    let mut row = Map::new();
    for (name, cell) in names.iter().zip(record).filter(|(_, cell)| !cell.is_empty()) {
        let value = if name == "match" {
            let phrases = cell.split(BETWEEN_PHRASES).map(str::trim).filter(|phrase| !phrase.is_empty());
            phrases.map(Value::from).collect()
        } else {
            Value::from(cell)
        };
        row.insert(name.to_owned(), value);
    }
    Ok(Value::Object(row))
}

fn line_of(error: &csv::Error) -> Option<u64> {
    error.position().map(csv::Position::line)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rows(name: &str, text: &str) -> Vec<(u64, Result<Value, String>)> {
        let rows = read(Path::new(name), text).unwrap_or_else(|(line, what)| panic!("{line:?} {what}"));
        rows.into_iter().map(|row| (row.line, row.content)).collect()
    }

    #[test]
    fn rows_of_yaml_know_their_lines() {
        let text =
            "# answers\n- match: hours\n  reply: From 8 to 5.\n\n- match: [a, b]\n  enabled: no\n- 7\n";
        let expected = [
            (2, Ok(json!({"match": "hours", "reply": "From 8 to 5."}))),
            (5, Ok(json!({"match": ["a", "b"], "enabled": false}))),
            (7, Ok(json!(7))),
        ];
        assert_eq!(rows("x.yaml", text), expected);
        assert_eq!(rows("x.yml", ""), []);
        let broken = read(Path::new("x.yaml"), "- match: a\n  reply: [\n").err().unwrap();
        assert!(broken.0.is_some() && broken.1.contains("YAML"), "{broken:?}");
        assert!(read(Path::new("x.yaml"), "match: a\n").is_err());
    }

    #[test]
    fn rows_of_csv_know_their_lines_and_what_is_wrong_with_one_is_its_own() {
        let text = "match,reply,language\nhours|open,\"From 8,\nto 5.\",en\nprice,cheap,en,x\n,nothing,\n";
        let rows = rows("x.csv", text);
        assert_eq!(
            rows[0],
            (2, Ok(json!({"match": ["hours", "open"], "reply": "From 8,\nto 5.", "language": "en"})))
        );
        assert_eq!((rows[1].0, rows[1].1.is_err()), (4, true));
        assert_eq!(rows[2], (5, Ok(json!({"reply": "nothing"}))));
        assert!(read(Path::new("x.csv"), "a,b\n1,2\n").is_err());
        assert!(read(Path::new("x.txt"), "").is_err());
    }
}
