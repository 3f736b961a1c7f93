//! Where secrets stand, and who can read them.

use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use keygate_config::{Warning, WarningKind};

use super::finding::{Finding, Severity};

/// A file with keys in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct SecretFile {
    path: PathBuf,
    mode: u32,
}

impl SecretFile {
    /// The file, if it is there.
    pub(super) fn at(path: PathBuf) -> Option<Self> {
        let mode = std::fs::metadata(&path).ok()?.mode();
        Some(Self { path, mode })
    }
}

pub(super) fn has_literals(warnings: &[Warning]) -> bool {
    warnings.iter().any(|warning| matches!(warning.kind, WarningKind::LiteralKey(_)))
}

/// What the configuration warns of, and files that everybody can read.
pub(super) fn findings(files: &[SecretFile], warnings: &[Warning]) -> Vec<Finding> {
    let open = files.iter().filter(|file| file.mode & 0o004 != 0).map(|file| Finding {
        severity: Severity::Warning,
        kind: "world_readable",
        provider: None,
        what: format!("every user of this machine can read {}", file.path.display()),
        why: "it holds keys, and who has a key can spend its quota and its money",
        remedy: format!("chmod o-rwx {}", file.path.display()),
    });
    open.chain(warnings.iter().filter_map(configured)).collect()
}

fn configured(warning: &Warning) -> Option<Finding> {
    let (severity, kind, why, remedy) = match warning.kind {
        WarningKind::DuplicateKey => (
            Severity::Warning,
            "duplicate",
            "the same key twice is one key: the pool is smaller than it looks",
            "remove one of the two".to_owned(),
        ),
        WarningKind::LiteralKey(provider) => (
            Severity::Warning,
            "literal",
            "a configuration file is shown, copied and committed; a secret in it goes along",
            format!(
                "move the key to .env (`keygate keys add {provider} -`), and replace it at the provider if others saw \
                 the file"
            ),
        ),
        WarningKind::Other => return None,
    };
    Some(Finding { severity, kind, provider: None, what: warning.to_string(), why, remedy })
}

#[cfg(test)]
mod tests {
    use keygate_config::Place;
    use keygate_domain::ProviderName;

    use super::*;

    #[test]
    fn files_that_others_read_and_what_the_configuration_warns_of_are_found() {
        let file = |mode| SecretFile { path: ".env".into(), mode };
        let warning = |kind| Warning { place: Place::Default, text: "the key".to_owned(), kind };
        let kinds = |files: &[SecretFile], warnings: &[Warning]| {
            findings(files, warnings).iter().map(|finding| finding.kind).collect::<Vec<_>>()
        };
        assert_eq!(kinds(&[file(0o100_644)], &[]), ["world_readable"]);
        assert_eq!(kinds(&[file(0o100_640), file(0o100_600)], &[]), [""; 0]);
        let literal = WarningKind::LiteralKey(ProviderName::new("google"));
        let warnings = [WarningKind::DuplicateKey, literal, WarningKind::Other].map(warning);
        assert_eq!(kinds(&[], &warnings), ["duplicate", "literal"]);
        let told = findings(&[], &[warning(literal)])[0].as_text();
        assert!(told.contains("`keygate keys add google -`"), "{told}");
    }
}
