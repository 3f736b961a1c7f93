//! What `keygate --version` tells: the version, the commit and the compiler.
//!
//! The commit is `KEYGATE_COMMIT`, where whoever builds says it (an image is built without `.git`), else the one
//! that is checked out here. A source archive has neither, and builds without.

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=KEYGATE_COMMIT");
    let given = env::var("KEYGATE_COMMIT").ok().map(|commit| commit.trim().to_owned());
    let commit = given.filter(|commit| !commit.is_empty()).or_else(checked_out);
    let compiler = env::var("RUSTC").ok().and_then(|rustc| told(&rustc, &["--version"]));
    // `rustc 1.95.0 (abc 2026-04-01)`: the first two words tell enough.
    let compiler = compiler.map(|text| text.split(' ').take(2).collect::<Vec<_>>().join(" "));
    let commit = commit.map(|commit| commit.chars().take(12).collect());
    let facts: Vec<String> = [commit, compiler].into_iter().flatten().collect();
    let version = env!("CARGO_PKG_VERSION");
    let facts = if facts.is_empty() { String::new() } else { format!(" ({})", facts.join(", ")) };
    println!("cargo::rustc-env=KEYGATE_VERSION={version}{facts}");
}

/// The commit of this repository. An archive that is unpacked inside of another one is not of that one's commit.
fn checked_out() -> Option<String> {
    let top = git(&["rev-parse", "--show-toplevel"])?;
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().ok()?;
    if Path::new(&top).canonicalize().ok()? != here {
        return None;
    }
    // Each commit and each checkout adds a line to it.
    let log = git(&["rev-parse", "--git-path", "logs/HEAD"])?;
    let log = Path::new(env!("CARGO_MANIFEST_DIR")).join(log);
    if log.is_file() {
        println!("cargo::rerun-if-changed={}", log.display());
    }
    git(&["rev-parse", "--short=7", "HEAD"])
}

fn git(arguments: &[&str]) -> Option<String> {
    told("git", &[&["-C", env!("CARGO_MANIFEST_DIR")], arguments].concat())
}

/// The first line of what a program prints; `None` where there is none, or it fails.
fn told(program: &str, arguments: &[&str]) -> Option<String> {
    let output =
        Command::new(program).args(arguments).output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines().next().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty())
}
