//! Where new keys go.

use keygate_config::{KeyHome, KeyHomes, Place, VariableHome};
use keygate_provider::Adapter;

/// The place that new keys go to, or why there is none.
///
/// The variable that was named; else the first that holds keys in `.env`, lists before numbered ones; else the
/// key file, where the provider's keys come from one; else the first variable that is read at all.
pub(super) fn choose(homes: &KeyHomes, adapter: &Adapter, named: Option<&str>) -> Result<KeyHome, String> {
    if let Some(name) = named {
        return variable(homes, adapter, name);
    }
    let is_in_dotenv = |home: &&VariableHome| matches!(home.set_in, Some(Place::DotEnv { .. }));
    let mut in_dotenv: Vec<&VariableHome> = homes.variables.iter().filter(is_in_dotenv).collect();
    in_dotenv.sort_by_key(|home| home.is_numbered);
    if let Some(home) = in_dotenv.first() {
        return variable(homes, adapter, &home.name);
    }
    if let Some(path) = homes.files.first() {
        return Ok(KeyHome::File(path.clone()));
    }
    let first = homes.variables.iter().find(|home| !home.is_numbered);
    match first {
        Some(home) => variable(homes, adapter, &home.name),
        None => Err(format!(
            "The configuration reads keys of {name} neither from variables nor from files: let \
             providers.{name}.keys_from_env be true, or name a variable or a file under providers.{name}.keys.",
            name = adapter.name
        )),
    }
}

fn variable(homes: &KeyHomes, adapter: &Adapter, name: &str) -> Result<KeyHome, String> {
    let home = homes.variables.iter().find(|home| home.name == name);
    if let Some(Place::Environment(_)) = home.and_then(|home| home.set_in.as_ref()) {
        return Err(format!(
            "{name} is set in the environment, which wins over {}: change it there, or unset it. Nothing was changed.",
            homes.dotenv.display()
        ));
    }
    if home.is_none() && !(homes.reads_well_known && is_numbered(adapter, name)) {
        let known: Vec<&str> = homes.variables.iter().map(|home| home.name.as_str()).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        return Err(format!(
            "The configuration reads no keys of {} from that variable; it reads {known}. Nothing was changed.",
            adapter.name
        ));
    }
    Ok(KeyHome::Variable { dotenv: homes.dotenv.clone(), name: name.to_owned() })
}

fn is_numbered(adapter: &Adapter, name: &str) -> bool {
    let digits = |prefix: &&str| name.strip_prefix(*prefix).map(str::as_bytes);
    let mut all = adapter.key_variables.numbered.iter().filter_map(digits);
    all.any(|digits| !digits.is_empty() && digits.iter().all(u8::is_ascii_digit))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOGLE: Adapter = keygate_provider_google::ADAPTER;

    fn homes(variables: &[(&str, Option<Place>)], files: &[&str]) -> KeyHomes {
        let variables = variables.iter().map(|(name, set_in)| VariableHome {
            name: (*name).to_owned(),
            set_in: set_in.clone(),
            is_numbered: name.ends_with('1'),
        });
        KeyHomes {
            dotenv: ".env".into(),
            variables: variables.collect(),
            files: files.iter().map(Into::into).collect(),
            reads_well_known: true,
        }
    }

    fn dotenv() -> Place {
        Place::DotEnv { path: ".env".into(), line: 1 }
    }

    fn environment(name: &str) -> Place {
        Place::Environment(name.to_owned())
    }

    fn chosen(homes: &KeyHomes, named: Option<&str>) -> Result<String, String> {
        choose(homes, &GOOGLE, named).map(|home| match home {
            KeyHome::Variable { name, .. } => name,
            KeyHome::File(path) => path.display().to_string(),
        })
    }

    #[test]
    fn keys_go_where_keys_are() {
        let lists = [("GEMINI_API_KEYS", None), ("GEMINI_KEYS", Some(dotenv()))];
        assert_eq!(chosen(&homes(&lists, &["keys.txt"]), None).as_deref(), Ok("GEMINI_KEYS"));
        let numbered = [("GEMINI_API_KEY_1", Some(dotenv())), ("GEMINI_KEYS", Some(dotenv()))];
        assert_eq!(chosen(&homes(&numbered, &[]), None).as_deref(), Ok("GEMINI_KEYS"));
        let unset = [("GEMINI_API_KEYS", None), ("GEMINI_KEYS", None)];
        assert_eq!(chosen(&homes(&unset, &["keys.txt"]), None).as_deref(), Ok("keys.txt"));
        assert_eq!(chosen(&homes(&unset, &[]), None).as_deref(), Ok("GEMINI_API_KEYS"));
        assert_eq!(chosen(&homes(&unset, &[]), Some("GEMINI_API_KEY_7")).as_deref(), Ok("GEMINI_API_KEY_7"));
    }

    #[test]
    fn what_would_have_no_effect_is_refused_with_its_reason() {
        let overridden = homes(&[("GEMINI_API_KEYS", Some(environment("GEMINI_API_KEYS")))], &[]);
        assert!(chosen(&overridden, None).unwrap_err().contains("in the environment"));
        let unread = chosen(&overridden, Some("MY_KEYS")).unwrap_err();
        assert!(unread.contains("GEMINI_API_KEYS") && !unread.contains("MY_KEYS"), "{unread}");
        assert!(chosen(&homes(&[], &[]), None).unwrap_err().contains("keys_from_env"));
    }
}
