//! Who takes part in the demonstration.

use keygate_simulator::{
    AnamConfig, AnamKey, AnamOrganization, GoogleConfig, GoogleKey, GoogleProject, GoogleRow, KeyState,
    ModelLimits, Population,
};

/// The model of the demonstration.
pub(super) const MODEL: &str = "gemini-2.5-flash";

/// A key of the demonstration, and where it belongs.
pub(super) struct DemoKey {
    pub(super) provider: &'static str,
    pub(super) secret: &'static str,
    pub(super) label: &'static str,
    pub(super) group: &'static str,
}

/// The keys in the order of the pools.
pub(super) const KEYS: [DemoKey; 5] = [
    DemoKey { provider: "google", secret: "demo-google-expired", label: "expired", group: "projects/old" },
    DemoKey { provider: "google", secret: "demo-google-limited", label: "limited", group: "projects/small" },
    DemoKey { provider: "google", secret: "demo-google-healthy", label: "healthy", group: "projects/large" },
    DemoKey { provider: "anam", secret: "demo-anam-studio", label: "studio", group: "org-studio" },
    DemoKey { provider: "anam", secret: "demo-anam-backup", label: "backup", group: "org-backup" },
];

/// An expired key, a project with room for two requests a minute, a healthy one; two avatar
/// organisations with one concurrent session each.
pub(super) fn of_demo() -> Population {
    let mut population = Population::empty();
    population.google =
        GoogleConfig { projects: KEYS.iter().filter(|k| k.provider == "google").map(project).collect() };
    population.anam = AnamConfig {
        organizations: KEYS.iter().filter(|k| k.provider == "anam").map(organization).collect(),
    };
    population
}

fn project(key: &DemoKey) -> GoogleProject {
    let state =
        if key.label == "expired" { KeyState::Google(GoogleRow::KeyExpired) } else { KeyState::Valid };
    let limits = if key.label == "limited" { vec![two_a_minute()] } else { Vec::new() };
    GoogleProject {
        keys: vec![GoogleKey { state, label: Some(key.label.to_owned()), ..GoogleKey::new(key.secret) }],
        limits,
        ..GoogleProject::named(key.group.trim_start_matches("projects/"))
    }
}

fn two_a_minute() -> ModelLimits {
    ModelLimits { model: MODEL.to_owned(), requests_per_minute: Some(2), ..ModelLimits::default() }
}

fn organization(key: &DemoKey) -> AnamOrganization {
    AnamOrganization {
        keys: vec![AnamKey { label: Some(key.label.to_owned()), ..AnamKey::new(key.secret) }],
        concurrent_sessions: Some(1),
        ..AnamOrganization::named(key.group)
    }
}
