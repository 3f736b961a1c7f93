//! `keygate tokens create`.

use std::collections::BTreeSet;

use jiff::Timestamp;
use keygate_actors::{audit_entry, clock};
use keygate_config::{DatabaseSettings, nearest};
use keygate_domain::{AuditAction, ClientToken, ModelList, PlanName, Right, TokenSecret};
use keygate_storage::Storage;
use serde_json::json;

use crate::cli::CreateToken;
use crate::commands::database::{Failure, open, settings, wait_for, whoever_runs_this};
use crate::commands::{print, span};

/// Longest name of a client, in characters, as in the YAML file.
const LONGEST_NAME: usize = 64;

pub(super) fn run(arguments: &CreateToken) -> Result<(), Failure> {
    let settings = settings(&arguments.database)?;
    let now = clock::now().wall;
    let (secret, mut token) = token(arguments, now)?;
    token.plan = known("plan", arguments.plan.as_deref(), &settings.plans)?.map(PlanName::from);
    token.keeper =
        known("session keeper", arguments.keeper.as_deref(), &settings.keepers)?.map(str::to_owned);
    wait_for(async {
        let storage = open(&settings, true).await?;
        let known = known_models(&storage, &settings).await?;
        check_models(&token, &known, arguments.any_model)?;
        let entry = audit_entry(&whoever_runs_this(), AuditAction::TokenCreated, &in_words(&token));
        storage.add_token(&token, &entry).await?;
        storage.close().await;
        Ok(())
    })?;
    if arguments.database.json {
        let told = json!({"id": token.id.as_str(), "name": token.name, "token": secret.expose()});
        print::line(&told.to_string());
    } else {
        print::line(secret.expose());
    }
    print::remark(&format!(
        "The token {} of {}. It is shown this once and kept as a sum only; a running gateway knows it within two \
         seconds.",
        token.id, token.name
    ));
    Ok(())
}

fn token(arguments: &CreateToken, now: Timestamp) -> Result<(TokenSecret, ClientToken), Failure> {
    let name = name(&arguments.name)?;
    let rights = rights(&arguments.scopes)?;
    let models = models(&arguments.models)?;
    let expires_at = arguments.expires.as_deref().map(|span| span::after(now, span));
    let expires_at = expires_at.transpose().map_err(Failure::usage)?;
    if expires_at.is_some_and(|end| end <= now) {
        return Err(Failure::usage(
            "A token that has expired already opens nothing: give --expires a longer span.",
        ));
    }
    let mut random = [0; 32];
    getrandom::fill(&mut random)
        .map_err(|error| Failure::internal(format!("the system has no randomness: {error}")))?;
    let secret = TokenSecret::of(random);
    let sum = secret.sum();
    let token = ClientToken {
        id: ClientToken::id_of(&sum),
        name,
        sum,
        rights,
        models,
        plan: None,
        keeper: None,
        created_at: now,
        expires_at,
        revoked_at: None,
    };
    Ok((secret, token))
}

fn name(text: &str) -> Result<String, Failure> {
    let name = text.trim();
    let is_name = (1..=LONGEST_NAME).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    if is_name {
        Ok(name.to_owned())
    } else {
        Err(Failure::usage("--name takes 1 to 64 characters of one line."))
    }
}

fn rights(names: &[String]) -> Result<BTreeSet<Right>, Failure> {
    if names.is_empty() {
        return Ok(Right::ALL.into_iter().filter(|right| *right != Right::Admin).collect());
    }
    let known = || Right::ALL.iter().map(|right| right.as_str());
    let right = |name: &String| {
        Right::of_name(name.trim()).ok_or_else(|| {
            let meant = meant(nearest(name, known()));
            let all = known().collect::<Vec<_>>().join(", ");
            Failure::usage(format!("There is no scope `{}`{meant} There are: {all}.", shown(name)))
        })
    };
    names.iter().map(right).collect()
}

fn models(names: &[String]) -> Result<Option<ModelList>, Failure> {
    if names.is_empty() {
        return Ok(None);
    }
    let list = ModelList::parse(names.iter().map(String::as_str));
    list.map(Some).map_err(|invalid| Failure::usage(format!("--models: {invalid}.")))
}

/// A name that was given, if the configuration has it.
fn known<'n>(what: &str, name: Option<&'n str>, all: &BTreeSet<String>) -> Result<Option<&'n str>, Failure> {
    let Some(name) = name.filter(|name| !all.contains(*name)) else { return Ok(name) };
    let shown = shown(name);
    if all.is_empty() {
        return Err(Failure::usage(format!("There is no {what} `{shown}`: none is configured.")));
    }
    let meant = meant(nearest(name, all.iter().map(String::as_str)));
    let all = all.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    Err(Failure::usage(format!("There is no {what} `{shown}`{meant} There are: {all}.")))
}

/// The models that the configuration names, and those that were asked for on this gateway.
async fn known_models(storage: &Storage, settings: &DatabaseSettings) -> Result<BTreeSet<String>, Failure> {
    let mut known = settings.models.clone();
    known.extend(storage.models_met().await?);
    Ok(known)
}

/// Nobody here has a list of all models. What differs from a known one by a few letters is most likely that;
/// what differs by a digit is another version, and what is like none may be new.
fn check_models(token: &ClientToken, known: &BTreeSet<String>, takes_any: bool) -> Result<(), Failure> {
    let names = token.models.iter().flat_map(ModelList::exact_names);
    for name in names.filter(|name| !takes_any && !known.contains(*name)) {
        if let Some(model) = almost(name, known) {
            return Err(Failure::usage(format!(
                "No model `{name}` is known here; did you mean `{model}`? With --any-model it is taken as it is."
            )));
        }
        print::remark(&format!("The model {name} has not been asked for here yet; it is taken as it is."));
    }
    Ok(())
}

fn almost<'k>(name: &str, known: &'k BTreeSet<String>) -> Option<&'k String> {
    let digits = |name: &str| name.chars().filter(char::is_ascii_digit).collect::<String>();
    // `nearest` takes one kind of dash for the other.
    let alike = |model: &str| model.replace('-', "_");
    let versions = known.iter().filter(|model| digits(model) == digits(name));
    let versions: Vec<(String, &String)> = versions.map(|model| (alike(model), model)).collect();
    let found = nearest(name, versions.iter().map(|(alike, _)| alike.as_str()))?;
    versions.iter().find(|(alike, _)| alike == found).map(|(_, model)| *model)
}

/// The end of a sentence about a name that nobody knows.
fn meant(nearest: Option<&str>) -> String {
    nearest.map_or_else(|| ".".to_owned(), |name| format!("; did you mean `{name}`?"))
}

/// A name as it may be repeated: a secret in its place must not come out.
fn shown(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if name.len() <= 24 && name.chars().all(is_plain) { name.to_owned() } else { "…".to_owned() }
}

fn in_words(token: &ClientToken) -> String {
    let scopes = token.rights.iter().map(|right| right.as_str()).collect::<Vec<_>>().join(",");
    let mut words = vec![format!("{} of {}: {scopes}", token.id, token.name)];
    words.extend(token.models.as_ref().map(|models| format!("models {models}")));
    words.extend(token.plan.as_ref().map(|plan| format!("plan {plan}")));
    words.extend(token.keeper.as_ref().map(|keeper| format!("keeper {keeper}")));
    words.extend(token.expires_at.map(|end| format!("expires {end:.0}")));
    words.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_models(names: &[&str]) -> ClientToken {
        let sum = TokenSecret::of([1; 32]).sum();
        ClientToken {
            id: ClientToken::id_of(&sum),
            name: "shop".to_owned(),
            sum,
            rights: BTreeSet::new(),
            models: Some(ModelList::parse(names.iter().copied()).unwrap()),
            plan: None,
            keeper: None,
            created_at: Timestamp::UNIX_EPOCH,
            expires_at: None,
            revoked_at: None,
        }
    }

    #[test]
    fn a_model_that_is_almost_a_known_one_is_asked_about() {
        let known = BTreeSet::from(["gemini-2.5-flash".to_owned()]);
        let check = |name: &str, takes_any| check_models(&with_models(&[name]), &known, takes_any).is_ok();
        assert!(check("gemini-2.5-flash", false));
        assert!(check("gemini-*", false), "a beginning is no name");
        assert!(check("gpt-oss", false) && check("gemini-3.8-flash", false), "they may be new");
        assert!(!check("gemini-2.5-flsh", false));
        assert!(check("gemini-2.5-flsh", true));
        let failure = check_models(&with_models(&["gemini-2.5-flsh"]), &known, false).err().unwrap();
        assert!(failure.text.contains("`gemini-2.5-flash`"), "{}", failure.text);
    }

    #[test]
    fn a_name_that_is_not_configured_is_refused_with_those_that_are() {
        let keepers = BTreeSet::from(["telegram".to_owned(), "zalo".to_owned()]);
        assert_eq!(known("session keeper", Some("zalo"), &keepers).ok(), Some(Some("zalo")));
        assert_eq!(known("session keeper", None, &keepers).ok(), Some(None));
        let told = |name, all| known("session keeper", Some(name), all).err().unwrap().text;
        let expected = "There is no session keeper `zalloo`; did you mean `zalo`? There are: telegram, zalo.";
        assert_eq!(told("zalloo", &keepers), expected);
        assert_eq!(told("zalo", &BTreeSet::new()), "There is no session keeper `zalo`: none is configured.");
    }

    #[test]
    fn without_scopes_it_is_everything_but_admin() {
        let rights = |names: &[&str]| rights(&names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>());
        let usual = rights(&[]).ok().unwrap();
        assert!(usual.len() == 7 && !usual.contains(&Right::Admin));
        assert_eq!(rights(&["chat", "admin"]).ok().unwrap(), [Right::Chat, Right::Admin].into());
        let failure = rights(&["chatt"]).err().unwrap();
        assert!(failure.text.contains("did you mean `chat`"), "{}", failure.text);
    }
}
