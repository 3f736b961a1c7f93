//! Variables that would set something if they were spelled right.

use std::collections::BTreeMap;

use crate::elsewhere::settings;
use crate::environment::Environment;
use crate::layers::PREFIX;
use crate::problem::Findings;

/// What every variable of the gateway's own begins with.
const OWN: &str = "KEYGATE_";

/// Warns of variables that lack an underscore, such as `KEYGATE_SERVER__BIND`. Others of that beginning may be
/// somebody else's: Kubernetes sets `KEYGATE_PORT` beside a service of that name.
pub(crate) fn warn(environment: &Environment, findings: &mut Findings) {
    let unread: Vec<_> =
        environment.starting_with(OWN).filter(|(name, _)| !name.starts_with(PREFIX)).collect();
    if unread.is_empty() {
        return;
    }
    let known: BTreeMap<String, String> = settings()
        .into_iter()
        .map(|path| path.join("__").to_ascii_uppercase())
        .map(|name| (name.replace("__", "_"), name))
        .collect();
    for (name, variable) in unread {
        if let Some(meant) = known.get(&name[OWN.len()..].replace("__", "_")) {
            let text = format!(
                "{name} sets nothing; did you mean {PREFIX}{meant}? Two underscores stand behind KEYGATE and between \
                 names"
            );
            findings.warn(variable.place.clone(), text);
        }
    }
}
