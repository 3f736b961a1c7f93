//! `multipart/form-data` (RFC 7578), as the SDKs of `OpenAI` send what may come with a file: its fields, read where
//! they lie.

use memchr::memmem::Finder;

/// Most parts looked at.
const MOST_PARTS: usize = 64;

/// Longest head of a part, in bytes.
const MOST_HEAD_BYTES: usize = 4096;

/// Longest field that is read, in bytes.
const MOST_FIELD_BYTES: usize = 4096;

/// The longest boundary that RFC 2046 allows, in bytes.
const MOST_BOUNDARY_BYTES: usize = 70;

/// What separates the parts of a form, if a content type says that its body is one.
pub(super) fn boundary(content_type: &str) -> Option<String> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let parameter = |one: &str| {
        let (name, value) = one.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"').to_owned())
    };
    let boundary = parameters.split(';').find_map(parameter)?;
    (1..=MOST_BOUNDARY_BYTES).contains(&boundary.len()).then_some(boundary)
}

/// The fields of a form that are short texts, by their names, whatever comes between them. A file is leapt over.
pub(super) fn fields<'a>(body: &'a [u8], boundary: &str) -> Vec<(&'a str, &'a str)> {
    let delimiter = format!("\r\n--{boundary}");
    let finder = Finder::new(delimiter.as_bytes());
    // The first delimiter has no line before it.
    let mut rest = match body.strip_prefix(&delimiter.as_bytes()[2..]) {
        Some(rest) => rest,
        None => behind(&finder, body, delimiter.len()),
    };
    let mut fields = Vec::new();
    for _ in 0..MOST_PARTS {
        let Some(part) = rest.strip_prefix(b"\r\n") else { break };
        let end = finder.find(part).unwrap_or(part.len());
        fields.extend(field(&part[..end]));
        rest = behind(&finder, part, delimiter.len());
    }
    fields
}

fn behind<'a>(finder: &Finder<'_>, bytes: &'a [u8], length: usize) -> &'a [u8] {
    finder.find(bytes).and_then(|at| bytes.get(at + length..)).unwrap_or_default()
}

/// A part, unless it is a file.
fn field(part: &[u8]) -> Option<(&str, &str)> {
    let within = &part[..part.len().min(MOST_HEAD_BYTES)];
    let head_end = memchr::memmem::find(within, b"\r\n\r\n")?;
    let (head, value) = (std::str::from_utf8(&part[..head_end]).ok()?, &part[head_end + 4..]);
    let disposition = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("content-disposition").then_some(value)
    })?;
    let parameter = |wanted: &str| {
        disposition.split(';').find_map(|one| {
            let (name, value) = one.split_once('=')?;
            name.trim().eq_ignore_ascii_case(wanted).then(|| value.trim().trim_matches('"'))
        })
    };
    let is_file = parameter("filename").is_some() || parameter("filename*").is_some();
    let value = Some(value).filter(|value| !is_file && value.len() <= MOST_FIELD_BYTES)?;
    Some((parameter("name")?, std::str::from_utf8(value).ok()?))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("multipart/form-data; boundary=abc", Some("abc"))]
    #[case("Multipart/Form-Data; charset=utf-8; BOUNDARY=\"a b\"", Some("a b"))]
    #[case("multipart/form-data", None)]
    #[case("multipart/form-data; boundary=", None)]
    #[case("multipart/related; boundary=abc", None)]
    #[case("application/json", None)]
    fn a_boundary_is_found(#[case] content_type: &str, #[case] expected: Option<&str>) {
        assert_eq!(boundary(content_type).as_deref(), expected);
    }

    fn part(disposition: &str, value: &str) -> String {
        format!("--x\r\nContent-Disposition: form-data; {disposition}\r\n\r\n{value}\r\n")
    }

    #[test]
    fn fields_are_found_on_both_sides_of_a_file() {
        let file = "name=\"input\"; filename=\"model\"\r\nContent-Type: video/mp4\r\nx-y: z";
        let parts = [
            part("name=\"prompt\"", "a \"cat\"\r\n--y\r\n"),
            part(file, &"\0\r\n--\r\n-".repeat(10_000)),
            part("name=model", "gemini-x"),
            part("name=\"long\"", &"x".repeat(MOST_FIELD_BYTES + 1)),
            part("filename*=utf-8''a; name=\"model\"", "not this"),
        ];
        let body = format!("{}--x--\r\n", parts.concat());
        let expected = [("prompt", "a \"cat\"\r\n--y\r\n"), ("model", "gemini-x")];
        assert_eq!(fields(body.as_bytes(), "x"), expected);
        assert_eq!(fields(format!("preamble\r\n{body}").as_bytes(), "x"), expected);
    }

    #[rstest]
    #[case("")]
    #[case("--x")]
    #[case("--x--")]
    #[case("--x\r\n")]
    #[case("--x\r\nno head\r\n--x--")]
    #[case("--y\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n--y--")]
    fn what_is_no_form_has_no_fields(#[case] body: &str) {
        assert_eq!(fields(body.as_bytes(), "x"), []);
    }

    #[test]
    fn what_is_looked_at_is_bounded() {
        let body = part("name=\"a\"", "b").repeat(1000);
        assert_eq!(fields(body.as_bytes(), "x").len(), MOST_PARTS);
        let endless = format!("--x\r\nContent-Disposition: form-data; name=\"{}", "a".repeat(100_000));
        assert_eq!(fields(endless.as_bytes(), "x"), []);
    }
}
