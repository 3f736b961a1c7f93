//! `keygate keys doctor`: what is wrong with the keys, or could go wrong, and what to do about it.

mod ages;
mod configured;
mod finding;
mod learned;
mod secrecy;

use keygate_actors::clock;
use keygate_config::{Loaded, ProviderConfig, read_key_homes};
use keygate_provider::Adapter;
use serde_json::{Value, json};

use super::configured::{chosen, read};
use super::list::status_path;
use super::words::counted;
use crate::cli::{DoctorKeys, Source};
use crate::commands::database::Failure;
use crate::commands::gateway::Gateway;
use crate::commands::print;
use crate::exit::Exit;
use crate::wiring;
use finding::{Finding, Severity};

/// What no command can find out.
const NOT_SEEN: &str = "Whether a key may do more than it should (other APIs, any address) is told by no call that is \
                        free: restrict keys in the provider's console, and replace them regularly.";

pub(super) fn run(arguments: &DoctorKeys, catalogue: &'static [Adapter]) -> Result<Exit, Failure> {
    let loaded = read(arguments.site.config.as_deref(), catalogue)?;
    let providers = chosen(&loaded, arguments.provider.as_deref(), catalogue)?;
    let (statuses, not_asked) = statuses(arguments, &providers)?;
    let mut findings = secrecy::findings(&secrets_of(arguments, &loaded, &providers)?, &loaded.warnings);
    for provider in &providers {
        findings.extend(configured::findings(provider));
    }
    findings.extend(statuses.iter().flat_map(learned::findings));
    let (old, not_known) = old_keys(&loaded, &providers, &statuses);
    findings.extend(old);
    findings.sort_by_key(|finding| finding.severity);
    let notes: Vec<String> = not_asked.into_iter().chain(not_known).chain([NOT_SEEN.to_owned()]).collect();
    print::line(&if arguments.json { as_json(&findings, &notes) } else { as_text(&findings, &notes) });
    let is_well = findings.iter().all(|finding| finding.severity == Severity::Advice);
    Ok(if is_well { Exit::Done } else { Exit::Wrong })
}

/// Keys that are in use for too long, as the gateway knows it or its database, and a sentence where neither could
/// be asked.
fn old_keys(
    loaded: &Loaded,
    providers: &[&ProviderConfig],
    statuses: &[Value],
) -> (Vec<Finding>, Option<String>) {
    let Some(longest) = loaded.config.alerts.rotate_after else { return (Vec::new(), None) };
    let ages = if statuses.is_empty() {
        ages::in_database(loaded, providers)
    } else {
        Ok(statuses.iter().flat_map(ages::of_status).collect())
    };
    match ages {
        Ok(ages) => (ages::findings(ages, longest, clock::now().wall), None),
        Err(why) => (
            Vec::new(),
            Some(format!("Since when keys are in use is not known without a gateway: {}", why.text)),
        ),
    }
}

/// What a running gateway tells of the pools, and a sentence where none could be asked.
fn statuses(
    arguments: &DoctorKeys,
    providers: &[&ProviderConfig],
) -> Result<(Vec<Value>, Option<String>), Failure> {
    let asked = Gateway::find(&arguments.site.gateway()).and_then(|gateway| {
        let names = providers.iter().map(|provider| provider.adapter.name.as_str());
        names.map(|name| gateway.get(&status_path(name))).collect::<Result<Vec<_>, _>>()
    });
    match asked {
        Ok(statuses) => Ok((statuses, None)),
        Err(none) if arguments.site.url.is_some() => Err(none.into()),
        Err(none) if none.is_nobody_there => {
            let note = "No gateway runs with this configuration, so what one learns (projects, limits, bad keys) was \
                        not looked at; `keygate keys check` tries every key.";
            Ok((Vec::new(), Some(note.to_owned())))
        }
        Err(none) => {
            Ok((Vec::new(), Some(format!("What the gateway learned was not looked at: {}", none.text))))
        }
    }
}

/// The files that hold secrets.
fn secrets_of(
    arguments: &DoctorKeys,
    loaded: &Loaded,
    providers: &[&ProviderConfig],
) -> Result<Vec<secrecy::SecretFile>, Failure> {
    let source = Source { config: arguments.site.config.clone(), bind: None, allow_empty: true };
    let mut paths = Vec::new();
    for provider in providers {
        let homes = read_key_homes(wiring::request(&source), &provider.adapter)?;
        paths.push(homes.dotenv);
        paths.extend(homes.files);
    }
    paths.extend(loaded.file.clone().filter(|_| secrecy::has_literals(&loaded.warnings)));
    paths.sort();
    paths.dedup();
    Ok(paths.into_iter().filter_map(secrecy::SecretFile::at).collect())
}

fn as_text(findings: &[Finding], notes: &[String]) -> String {
    let mut lines: Vec<String> = findings.iter().map(Finding::as_text).collect();
    let of = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let (warnings, advice) = (of(Severity::Warning), of(Severity::Advice));
    lines.push(if findings.is_empty() {
        "Nothing was found.".to_owned()
    } else {
        format!("{}, {} of advice.", counted(warnings, "warning"), counted(advice, "piece"))
    });
    lines.extend(notes.iter().map(|note| format!("Note: {note}")));
    lines.join("\n")
}

fn as_json(findings: &[Finding], notes: &[String]) -> String {
    let findings: Vec<Value> = findings.iter().map(Finding::as_json).collect();
    format!("{:#}", json!({ "findings": findings, "notes": notes }))
}
