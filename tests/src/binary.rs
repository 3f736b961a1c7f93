//! Finds the built `keygate`, and builds it when it is missing or older than its sources.
//!
//! Cargo builds the binary of another package for nobody's tests, so a test could otherwise judge
//! yesterday's program without noticing.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::SystemTime;

/// The path of the binary under test: `KEYGATE_BIN`, else `keygate` in the folder cargo built these tests in.
///
/// # Panics
/// When it cannot be built.
pub fn keygate_binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| env::var_os("KEYGATE_BIN").map_or_else(fresh_binary, PathBuf::from))
}

fn fresh_binary() -> PathBuf {
    let binary = build_folder().join(format!("keygate{}", env::consts::EXE_SUFFIX));
    if is_stale(&binary) {
        build();
    }
    assert!(binary.is_file(), "{} is missing: run `cargo build --workspace --all-targets`", binary.display());
    binary
}

/// `target/debug`: a test runs from `target/debug/deps`.
fn build_folder() -> PathBuf {
    let me = env::current_exe().expect("a running test has a path");
    let folder = me.parent().expect("a file is in a folder");
    let folder =
        if folder.ends_with("deps") { folder.parent().expect("deps is in a folder") } else { folder };
    folder.to_path_buf()
}

/// Whether a file the binary was made of is newer, or is gone. Cargo lists them in `keygate.d` beside it.
fn is_stale(binary: &Path) -> bool {
    let (Some(built), Ok(list)) = (modified(binary), fs::read_to_string(binary.with_extension("d"))) else {
        return true;
    };
    let sources = list.split_once(": ").map_or("", |(_, sources)| sources.trim_end()).replace("\\ ", "\0");
    // A commit changes what `--version` tells, and nothing that is tested.
    sources.split(' ').filter(|source| !source.ends_with("logs/HEAD")).any(|source| {
        let written = modified(Path::new(&source.replace('\0', " ")));
        written.is_none_or(|written| written > built)
    })
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|facts| facts.modified()).ok()
}

fn build() {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--package", "keygate", "--bin", "keygate"]);
    let built = command.current_dir(env!("CARGO_MANIFEST_DIR")).status();
    assert!(built.is_ok_and(|status| status.success()), "`cargo build --package keygate` failed");
}
