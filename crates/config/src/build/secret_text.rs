//! A secret that is one text, wherever it is.

use keygate_domain::ApiKey;

use super::Judge;
use crate::key_reader::speakable_variable;
use crate::problem::Place;
use crate::schema::{Reference, SecretText};

/// Longest secret, in bytes.
const LONGEST: usize = 8192;

/// The secret; `None` if it cannot be read, which is a problem then. `setting` says what it is for.
pub(super) fn read(text: &SecretText, setting: &str, place: &Place, judge: &mut Judge<'_>) -> Option<ApiKey> {
    let found = match &text.0 {
        Reference::Literal(secret) => {
            let warning = format!("{setting} is in plain text; move it to .env and refer to it by env:NAME");
            judge.findings.warn(place.clone(), warning);
            Ok(secret.expose().to_owned())
        }
        Reference::Variable(name) => {
            let variable = judge.sources.environment.filled(name);
            variable.map(|variable| variable.value.clone()).ok_or_else(|| {
                let what = format!("{}, which {setting} names, is not set", speakable_variable(name));
                (what, "set it in the environment or in .env")
            })
        }
        Reference::File(path) => {
            let path = judge.sources.files.config_folder().join(path);
            judge.sources.files.read_text(&path).map_err(|unreadable| {
                let usual = "paths start from the folder of the configuration file; correct the path";
                let what = format!("the file of {setting} cannot be read: {}", unreadable.why);
                (what, unreadable.remedy.unwrap_or(usual))
            })
        }
    };
    let checked = found.and_then(|secret| match secret.trim() {
        "" => Err((format!("{setting} is empty"), "give it a value")),
        secret if secret.len() > LONGEST => Err((format!("{setting} is too long"), "check the file")),
        secret if secret.chars().any(char::is_control) => {
            Err((format!("{setting} holds a line break"), "write it in one line"))
        }
        secret => Ok(ApiKey::new(secret)),
    });
    checked.map_err(|(what, remedy)| judge.findings.problem(place.clone(), what, remedy)).ok()
}
