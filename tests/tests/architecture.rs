//! The shape of the house, checked: who may depend on whom, who may know which library, how long a file may be.
//!
//! The rules are those of `docs/architecture.md` (floors, invariants ). A rule that is only written down
//! is broken by the first hurried change; here the change fails, and says which rule it broke.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "helpers of tests report by panicking, as tests do"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

/// Every crate of the house and the floor it lives on. An edge points down, from a higher floor to a lower one.
const FLOORS: &[(&str, u8)] = &[
    ("keygate-domain", 0),
    ("keygate-provider", 0),
    ("keygate-alerts", 1),
    ("keygate-keeper", 1),
    ("keygate-limits", 1),
    ("keygate-planner", 1),
    ("keygate-pool", 1),
    ("keygate-provider-anam", 1),
    ("keygate-provider-google", 1),
    ("keygate-config", 2),
    ("keygate-notify", 2),
    ("keygate-storage", 2),
    ("keygate-telemetry", 2),
    ("keygate-upstream", 2),
    ("keygate-actors", 3),
    ("keygate-journey", 4),
    ("keygate-http", 5),
    ("keygate", 6),
    ("keygate-simulator", SIDE),
    ("acme-provider", OUTSIDE),
    ("keygate-bench", OUTSIDE),
    ("keygate-tests", OUTSIDE),
];

/// Beside the house: simulated providers. They know nothing of the house.
const SIDE: u8 = 0;
/// Above the roof: what looks at the house from outside.
const OUTSIDE: u8 = 7;

/// Edges within one floor that are meant.
const SAME_FLOOR: &[(&str, &str)] = &[
    // The contract of a provider is spoken in the words of the domain.
    ("keygate-provider", "keygate-domain"),
    // A plan is the real machines on another clock.
    ("keygate-planner", "keygate-limits"),
    ("keygate-planner", "keygate-pool"),
    // What is worth an alert is read off what a pool shows of itself.
    ("keygate-alerts", "keygate-pool"),
    // Alerts and calls to bots leave the house by the one HTTP client there is.
    ("keygate-notify", "keygate-upstream"),
    // So do metrics that are sent by OTLP over HTTP.
    ("keygate-telemetry", "keygate-upstream"),
];

/// Who may start simulated providers: the binary for `keygate demo`, and what tests and measures.
const USERS_OF_THE_SIMULATOR: &[&str] = &["keygate", "keygate-tests", "keygate-bench"];

/// each of these libraries is known to one crate of the house.
const ONE_KNOWS: &[(&str, &str)] = &[
    ("actix-web", "keygate-http"),
    ("actix", "keygate-actors"),
    ("lettre", "keygate-notify"),
    ("reqwest", "keygate-upstream"),
    ("tokio-tungstenite", "keygate-upstream"),
    ("figment", "keygate-config"),
    ("sqlx", "keygate-storage"),
    ("opentelemetry", "keygate-telemetry"),
    ("opentelemetry_sdk", "keygate-telemetry"),
    ("opentelemetry-otlp", "keygate-telemetry"),
    ("opentelemetry-proto", "keygate-telemetry"),
    ("tracing-opentelemetry", "keygate-telemetry"),
];

/// Exceptions from A-2, each with its reason. An exception nobody uses fails too.
const ALSO_KNOWS: &[(&str, &str, &str)] = &[
    (
        "keygate-bench",
        "actix-web",
        "the bare floor the gateway is measured against is actix-web without function",
    ),
    ("keygate-bench", "reqwest", "the bare floor forwards with the gateway's own client library"),
    ("keygate-simulator", "tokio-tungstenite", "the simulated providers have WebSockets of their own"),
    ("keygate-tests", "reqwest", "the harness is a client of the gateway"),
    ("keygate-tests", "tokio-tungstenite", "the tests are clients of WebSockets, and their far side"),
    ("keygate-tests", "opentelemetry-proto", "the tests receive the exported spans over a real socket"),
];

/// what would let a crate of floor 0 or 1 do I/O, read a clock, log, spawn or draw a random number.
const NOT_BELOW_FLOOR_TWO: &[&str] = &[
    "actix",
    "actix-rt",
    "actix-web",
    "fastrand",
    "figment",
    "getrandom",
    "hyper",
    "log",
    "mio",
    "rand",
    "redis",
    "reqwest",
    "socket2",
    "sqlx",
    "tokio",
    "tracing",
];

/// The most lines of code a file may have, tests beside it not counted.
const LONGEST_FILE: usize = 400;

#[test]
fn every_crate_has_a_floor_and_every_floor_its_crates() {
    let house = House::read();
    let placed: BTreeSet<&str> = FLOORS.iter().map(|(name, _)| *name).collect();
    let built: BTreeSet<&str> = house.members().map(|package| package.name.as_str()).collect();
    assert_eq!(built, placed, "left: members of the workspace, right: crates with a floor in this test");
}

#[test]
fn dependencies_point_down() {
    let house = House::read();
    let wrong = house.edges().filter(|edge| !points_down(edge)).map(|edge| edge.to_string());
    assert_none(wrong, "these edges of the workspace do not point to a lower floor");
}

#[test]
fn only_the_binary_and_what_tests_it_start_simulated_providers() {
    let house = House::read();
    let wrong = house
        .edges()
        .filter(|edge| edge.to == "keygate-simulator" && edge.kind != DependencyKind::Development)
        .filter(|edge| !USERS_OF_THE_SIMULATOR.contains(&edge.from))
        .map(|edge| edge.to_string());
    assert_none(wrong, "the simulator is no part of the gateway");
}

#[test]
fn one_crate_knows_each_great_library() {
    let house = House::read();
    let knowers: BTreeMap<&str, &str> = ONE_KNOWS.iter().copied().collect();
    let wrong = house
        .outside_edges()
        .filter(|edge| edge.kind != DependencyKind::Development)
        .filter(|edge| knowers.get(edge.to).is_some_and(|knower| *knower != edge.from))
        .filter(|edge| !ALSO_KNOWS.iter().any(|(from, to, _)| *from == edge.from && *to == edge.to))
        .map(|edge| edge.to_string());
    assert_none(wrong, "A-2: these crates know a library that belongs to another crate");
}

#[test]
fn no_exception_outlives_its_use() {
    let house = House::read();
    let used: BTreeSet<(&str, &str)> = house.outside_edges().map(|edge| (edge.from, edge.to)).collect();
    let unused = ALSO_KNOWS.iter().filter(|(from, to, _)| !used.contains(&(*from, *to)));
    assert_none(unused.map(|(from, to, _)| format!("{from} -> {to}")), "strike these exceptions from A-2");
}

#[test]
fn the_lowest_floors_cannot_touch_the_world() {
    let house = House::read();
    let wrong = house
        .outside_edges()
        .filter(|edge| edge.kind != DependencyKind::Development && edge.from != "keygate-simulator")
        .filter(|edge| floor(edge.from) < Some(2) && NOT_BELOW_FLOOR_TWO.contains(&edge.to))
        .map(|edge| edge.to_string());
    assert_none(wrong, "A-1: floors 0 and 1 are handed everything they need");
}

#[test]
fn no_file_is_longer_than_one_thought() {
    let house = House::read();
    let crates = house.metadata.workspace_root.join("crates");
    let long = source_files(crates.as_std_path())
        .into_iter()
        .map(|path| (lines_of_code(&fs::read_to_string(&path).unwrap()), path))
        .filter(|(lines, _)| *lines > LONGEST_FILE)
        .map(|(lines, path)| format!("{} has {lines}", path.display()));
    assert_none(long, &format!("files of more than {LONGEST_FILE} lines of code hold more than one thought"));
}

#[test]
fn tests_comments_and_blank_lines_are_not_code() {
    let text =
        "//! doc\n\nuse a;\n/* block\n   of comment */\nfn f() {} // why\n\n#[cfg(test)]\nmod tests {\n}\n";
    assert_eq!(lines_of_code(text), 2);
    assert_eq!(lines_of_code("#[cfg(test)]\nuse a;\nfn f() {}\n"), 3, "only a module of tests ends the code");
}

/// One dependency of a crate of the workspace.
struct Edge<'a> {
    from: &'a str,
    to: &'a str,
    kind: DependencyKind,
}

impl std::fmt::Display for Edge<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} -> {} ({})", self.from, self.to, self.kind)
    }
}

/// What cargo knows about the workspace.
struct House {
    metadata: Metadata,
}

impl House {
    fn read() -> Self {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        let metadata = MetadataCommand::new().manifest_path(manifest).no_deps().exec();
        Self { metadata: metadata.expect("cargo metadata reads the workspace") }
    }

    fn members(&self) -> impl Iterator<Item = &Package> {
        self.metadata.packages.iter()
    }

    fn all_edges(&self) -> impl Iterator<Item = Edge<'_>> {
        self.members().flat_map(|package| {
            let from = package.name.as_str();
            package.dependencies.iter().map(move |to| Edge { from, to: &to.name, kind: to.kind })
        })
    }

    fn edges(&self) -> impl Iterator<Item = Edge<'_>> {
        self.all_edges().filter(|edge| floor(edge.to).is_some())
    }

    fn outside_edges(&self) -> impl Iterator<Item = Edge<'_>> {
        self.all_edges().filter(|edge| floor(edge.to).is_none())
    }
}

#[test]
fn the_way_of_a_request_is_the_same_in_code_and_in_the_document() {
    let document = fs::read_to_string(house().join("docs/architecture.md")).unwrap();
    let section = document.split("## 5. ").nth(1).and_then(|rest| rest.split("\n## ").next()).unwrap();
    let steps: Vec<String> = section
        .lines()
        .filter_map(|line| line.split_once(". ").filter(|(number, _)| number.parse::<u8>().is_ok()))
        .map(|(number, step)| format!("// {number} {step}"))
        .collect();
    assert_eq!(steps.len(), 12, "{steps:?}");
    let on_the_way = ["crates/http/src/proxy.rs", "crates/journey/src"].map(|path| house().join(path));
    let code: Vec<String> = on_the_way
        .iter()
        .flat_map(|path| if path.is_dir() { source_files(path) } else { vec![path.clone()] })
        .flat_map(|file| {
            fs::read_to_string(file).unwrap().lines().map(|l| l.trim().to_owned()).collect::<Vec<_>>()
        })
        .collect();
    assert_none(
        steps.into_iter().filter(|step| !code.contains(step)),
        "steps that no comment in the code names",
    );
}

#[test]
fn every_log_line_has_an_event_and_the_document_lists_it() {
    let document = fs::read_to_string(house().join("docs/observability.md")).unwrap();
    let section = document.split("## Logs").nth(1).and_then(|rest| rest.split("\n## ").next()).unwrap();
    let row = |line: &str| line.strip_prefix("| `")?.split('`').next().map(str::to_owned);
    let documented: BTreeSet<String> = section.lines().filter_map(row).collect();
    let mut coded = BTreeSet::new();
    let mut nameless = Vec::new();
    let quiet = ["simulator", "telemetry/src/spans"];
    for file in source_files(&house().join("crates")) {
        let path = file.display().to_string();
        if quiet.iter().any(|part| path.contains(part)) {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        let code = text.split("\n#[cfg(test)]\nmod ").next().unwrap_or_default();
        for line in log_lines(code) {
            match line.strip_prefix("event = \"").and_then(|rest| rest.split('"').next()) {
                Some(event) => drop(coded.insert(event.to_owned())),
                None => nameless.push(format!("{path}: {}", line.lines().next().unwrap_or_default())),
            }
        }
    }
    assert_none(nameless.into_iter(), "log lines that do not begin with `event = \"…\"`");
    assert_eq!(coded, documented, "left: events in the code, right: events in docs/observability.md");
}

/// What stands behind the opening bracket of each macro that logs.
fn log_lines(code: &str) -> impl Iterator<Item = &str> {
    let macros = ["trace!(", "debug!(", "info!(", "warn!(", "error!("];
    macros.into_iter().flat_map(move |name| {
        code.match_indices(name)
            .filter(move |(at, _)| {
                let before = code[..*at].chars().next_back();
                before.is_none_or(|c| !c.is_alphanumeric() && c != '_')
            })
            .map(move |(at, _)| code[at + name.len()..].trim_start())
    })
}

fn house() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn floor(name: &str) -> Option<u8> {
    FLOORS.iter().find(|(crate_name, _)| *crate_name == name).map(|(_, floor)| *floor)
}

fn points_down(edge: &Edge<'_>) -> bool {
    // Tests of any floor may stand a simulated provider in front of it.
    let simulated = edge.to == "keygate-simulator" && edge.kind == DependencyKind::Development;
    simulated || floor(edge.from) > floor(edge.to) || SAME_FLOOR.contains(&(edge.from, edge.to))
}

/// The `.rs` files under `folder` that are not tests through and through.
fn source_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if is_test_material(&path) {
            continue;
        }
        if path.is_dir() {
            found.extend(source_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn is_test_material(path: &Path) -> bool {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    matches!(&*stem, "tests" | "benches" | "fixtures" | "golden" | "snapshots")
}

/// Lines that are neither blank nor comment, up to the tests at the end of the file.
fn lines_of_code(text: &str) -> usize {
    let mut in_comment = false;
    let code = text.split("\n#[cfg(test)]\nmod ").next().unwrap_or_default();
    code.lines()
        .map(str::trim)
        .filter(|line| {
            let opens = line.starts_with("/*");
            let counts = !(in_comment || opens || line.is_empty() || line.starts_with("//"));
            in_comment = (in_comment || opens) && !line.contains("*/");
            counts
        })
        .count()
}

fn assert_none(found: impl Iterator<Item = String>, what: &str) {
    let found: Vec<String> = found.collect();
    assert!(found.is_empty(), "{what}:\n  {}", found.join("\n  "));
}
