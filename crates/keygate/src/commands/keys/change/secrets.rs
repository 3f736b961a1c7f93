//! Keys as they are given: on the command line, or by stdin.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal as _, Read as _};

use keygate_domain::ApiKey;

use super::super::words::counted;
use crate::cli::KeyText;
use crate::commands::database::Failure;
use crate::commands::print;

/// The most that is read from stdin, in bytes: as much as a key file may hold.
const MOST_BYTES: u64 = 16 * 1024 * 1024;

/// No key of any provider is longer, in bytes.
const MAX_KEY_BYTES: usize = 4096;

/// The keys that are given, each once.
pub(super) fn read(given: &[KeyText]) -> Result<Vec<ApiKey>, Failure> {
    let (mut keys, mut ids) = (Vec::new(), BTreeSet::new());
    for text in given {
        let piped = if text.0 == "-" { Some(stdin()?) } else { None };
        let items = piped.as_deref().unwrap_or(&text.0).split([',', '\n', '\r']);
        for item in items.map(str::trim).filter(|item| !item.is_empty() && !item.starts_with('#')) {
            let key = checked(item, keys.len() + 1)?;
            if ids.insert(key.id().clone()) {
                keys.push(key);
            }
        }
    }
    if keys.is_empty() {
        return Err(Failure::usage("No key was given: name them, or send them to stdin and name -."));
    }
    Ok(keys)
}

fn stdin() -> Result<String, Failure> {
    if io::stdin().is_terminal() {
        print::remark("Type or paste the keys, one a line or a comma list, and end with Ctrl-D.");
    }
    let mut text = String::new();
    let read = io::stdin().lock().take(MOST_BYTES).read_to_string(&mut text);
    read.map_err(|error| Failure::usage(format!("stdin cannot be read: {error}")))?;
    Ok(text)
}

/// A key that fits into a variable and a line, or what is wrong with it, without the key.
fn checked(text: &str, number: usize) -> Result<ApiKey, Failure> {
    let wrong = |what: &str| Failure::usage(format!("Key {number} {what}. Nothing was changed."));
    if text.starts_with("env:") || text.starts_with("file:") {
        return Err(wrong("is a reference, not a key; write references under `keys` of the YAML file"));
    }
    if text.len() > MAX_KEY_BYTES {
        let longest = counted(MAX_KEY_BYTES, "character");
        return Err(wrong(&format!("is longer than any key ({longest})")));
    }
    if let Some((name, _)) = text.split_once('=').filter(|(name, _)| is_variable(name)) {
        return Err(wrong(&format!("begins with {name}=; give the value alone")));
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic() && !br#"'"\#"#.contains(&byte)) {
        return Err(wrong("holds a character that is in no key, such as a space or a quote"));
    }
    Ok(ApiKey::new(text))
}

/// Whether it looks like the name of a variable of the field, and like no key.
fn is_variable(name: &str) -> bool {
    name.contains('_')
        && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(texts: &[&str]) -> Result<Vec<ApiKey>, String> {
        let texts: Vec<KeyText> = texts.iter().map(|text| KeyText((*text).to_owned())).collect();
        read(&texts).map_err(|failure| failure.text)
    }

    #[test]
    fn keys_come_alone_and_in_lists_each_once() {
        let keys = given(&["k1, k2,,k1", "k3"]).unwrap();
        assert_eq!(keys, ["k1", "k2", "k3"].map(ApiKey::new));
    }

    #[test]
    fn what_is_no_key_is_refused_without_being_told() {
        for (text, what) in [
            ("se cret", "a space or a quote"),
            ("\"secret\"", "a space or a quote"),
            ("env:SECRET", "is a reference"),
            ("GEMINI_API_KEYS=secret", "give the value alone"),
            (",", "No key was given"),
        ] {
            let told = given(&[text]).unwrap_err();
            assert!(told.contains(what) && !told.to_lowercase().contains("secret"), "{text}: {told}");
        }
        assert_eq!(format!("{:?}", KeyText("secret".to_owned())), "***");
    }
}
