//! Reading `.env`: `NAME=value` lines. Nothing is expanded: a `$` is a `$`, so that no secret
//! can change its meaning.

use std::path::Path;

use crate::problem::{Findings, Place};

/// A line of `.env`.
#[derive(PartialEq, Eq)]
pub(crate) struct Assignment {
    pub(crate) line: u64,
    pub(crate) name: String,
    pub(crate) value: String,
}

/// Reads the lines; a line that is none is a problem.
pub(crate) fn parse(path: &Path, text: &str, findings: &mut Findings) -> Vec<Assignment> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut assignments = Vec::new();
    for (line, content) in (1..).zip(text.lines()) {
        let content = content.trim();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        match assignment(content) {
            Ok((name, value)) => assignments.push(Assignment { line, name, value }),
            Err((what, remedy)) => {
                findings.problem(Place::DotEnv { path: path.to_owned(), line }, what, remedy);
            }
        }
    }
    assignments
}

/// The text with `name` set to `value` where it is set last, or at the end. The line keeps what stands before the
/// value and behind it, its quotes and its end; every other line is as it was.
pub(crate) fn with_variable(text: &str, name: &str, value: &str) -> String {
    let sets_it = |line: &str| {
        let content = line.strip_prefix('\u{feff}').unwrap_or(line).trim();
        !content.starts_with('#') && assignment(content).is_ok_and(|(found, _)| found == name)
    };
    let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    if let Some(line) = lines.iter_mut().rev().find(|line| sets_it(line)) {
        *line = with_value(line, value);
        return lines.concat();
    }
    let end = line_end(text);
    let gap = if text.is_empty() || text.ends_with('\n') { "" } else { end };
    format!("{text}{gap}{name}={value}{end}")
}

/// How lines of a text end.
pub(crate) fn line_end(text: &str) -> &'static str {
    if text.contains("\r\n") { "\r\n" } else { "\n" }
}

fn with_value(line: &str, value: &str) -> String {
    // Whoever calls this has found an assignment in the line.
    let Some((before, rest)) = line.split_once('=') else { return line.to_owned() };
    let old = rest.trim_start_matches([' ', '\t']);
    let (indent, (quote, length)) = (&rest[..rest.len() - old.len()], extent(old));
    let behind = &old[length..];
    let gap = if behind.starts_with('#') { " " } else { "" };
    format!("{before}={indent}{quote}{value}{quote}{gap}{behind}")
}

/// The quote around the value that a text begins with, and how long it is, quotes included.
fn extent(text: &str) -> (&'static str, usize) {
    if let Some(rest) = text.strip_prefix('\'') {
        return ("'", 2 + rest.find('\'').unwrap_or(rest.len()));
    }
    if let Some(rest) = text.strip_prefix('"') {
        let mut is_escaped = false;
        let end = rest.find(|c| {
            let closes = c == '"' && !is_escaped;
            is_escaped = c == '\\' && !is_escaped;
            closes
        });
        return ("\"", 2 + end.unwrap_or(rest.len()));
    }
    let line = text.trim_end_matches(['\r', '\n']);
    let comment = line.find(" #").or_else(|| line.find("\t#")).unwrap_or(line.len());
    let end = if line.starts_with('#') { 0 } else { comment };
    ("", line[..end].trim_end().len())
}

fn assignment(content: &str) -> Result<(String, String), (&'static str, &'static str)> {
    let content = content.strip_prefix("export ").unwrap_or(content);
    let (name, value) = content
        .split_once('=')
        .ok_or(("the line is not NAME=value", "write NAME=value, or put # before it"))?;
    let name = name.trim();
    let is_name = !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'));
    if !is_name {
        return Err(("what stands before = is not a name", "use letters, digits and _ for names"));
    }
    let value = unquoted(value.trim())
        .ok_or(("a quote is opened and not closed on the line", "close it; a value ends with its line"))?;
    Ok((name.to_owned(), value))
}

/// The value without its quotes and without a comment after it; `None` if a quote stays open.
fn unquoted(value: &str) -> Option<String> {
    if let Some(rest) = value.strip_prefix('\'') {
        return rest.split_once('\'').map(|(inside, _)| inside.to_owned());
    }
    if let Some(rest) = value.strip_prefix('"') {
        return double_quoted(rest);
    }
    let comment = value.find(" #").or_else(|| value.find("\t#")).unwrap_or(value.len());
    let end = if value.starts_with('#') { 0 } else { comment };
    Some(value[..end].trim_end().to_owned())
}

fn double_quoted(rest: &str) -> Option<String> {
    let mut value = String::with_capacity(rest.len());
    let mut characters = rest.chars();
    loop {
        match characters.next()? {
            '"' => return Some(value),
            '\\' => match characters.next()? {
                'n' => value.push('\n'),
                't' => value.push('\t'),
                escaped @ ('"' | '\\' | '$') => value.push(escaped),
                other => value.extend(['\\', other]),
            },
            other => value.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("A=b", "A", "b")]
    #[case("export A = b ", "A", "b")]
    #[case("A=", "A", "")]
    #[case("A=k1, k2 ,k3 # three", "A", "k1, k2 ,k3")]
    #[case("A=b#c", "A", "b#c")]
    #[case("A='b # $c' # d", "A", "b # $c")]
    #[case(r#"A="b\n\"c\" \x""#, "A", "b\n\"c\" \\x")]
    #[case("A=x=y==", "A", "x=y==")]
    #[case("A=# nothing", "A", "")]
    #[case("\u{feff}A=b\r", "A", "b")]
    fn lines(#[case] text: &str, #[case] name: &str, #[case] value: &str) {
        let mut findings = Findings::default();
        let read = parse(Path::new(".env"), text, &mut findings);
        assert_eq!((read[0].name.as_str(), read[0].value.as_str()), (name, value));
        assert!(findings.into_result().is_ok());
    }

    #[rstest]
    #[case("", "A=new\n")]
    #[case("B=1", "B=1\nA=new\n")]
    #[case("A=old", "A=new")]
    #[case("  export A =  old # why\n", "  export A =  new # why\n")]
    #[case("A='o#d'\t# why\r\nB=1\r\n", "A='new'\t# why\r\nB=1\r\n")]
    #[case("A=\"o\\\"d\" # why\n", "A=\"new\" # why\n")]
    #[case("A=# why\n", "A=new # why\n")]
    #[case("\u{feff}A=\n", "\u{feff}A=new\n")]
    #[case("# A=1\nA=2\nA=3\nAA=4\n", "# A=1\nA=2\nA=new\nAA=4\n")]
    #[case("B=1\r\n", "B=1\r\nA=new\r\n")]
    fn a_value_is_changed_and_nothing_else(#[case] before: &str, #[case] after: &str) {
        assert_eq!(with_variable(before, "A", "new"), after);
        let read = parse(Path::new(".env"), after, &mut Findings::default());
        assert_eq!(read.iter().rev().find(|line| line.name == "A").unwrap().value, "new");
    }

    #[rstest]
    #[case("SECRET-WITHOUT-NAME")]
    #[case("=value")]
    #[case("A B=value")]
    #[case("A=\"open")]
    #[case("A='open")]
    fn broken_lines_are_told_without_their_content(#[case] line: &str) {
        let mut findings = Findings::default();
        parse(Path::new(".env"), &format!("# first\n\n{line}\nGOOD=1\n"), &mut findings);
        let told = findings.into_result().unwrap_err().to_string();
        assert!(told.contains(".env:3: "), "{told}");
        assert!(!told.contains("SECRET") && !told.contains("open\""), "{told}");
    }
}
