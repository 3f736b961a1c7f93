//! Time that runs faster for the real binary, by `libfaketime`: nothing in the gateway knows of it.

use std::fs;
use std::path::PathBuf;

/// Where Debian and its kin keep libraries, a folder per architecture.
const LIBRARIES: &str = "/usr/lib";
const LIBRARY: &str = "faketime/libfaketimeMT.so.1";

/// The environment in which a program's clocks and timers run `speed` times as fast as real ones, beginning with
/// the real time. Goes with a simulator of the same speed.
///
/// # Panics
/// When the library is not installed.
pub fn time_lapse(speed: u32) -> [(&'static str, String); 2] {
    [("LD_PRELOAD", library().display().to_string()), ("FAKETIME", format!("+0 x{speed}"))]
}

fn library() -> PathBuf {
    let folders = fs::read_dir(LIBRARIES).into_iter().flatten().flatten();
    let mut libraries = folders.map(|folder| folder.path().join(LIBRARY));
    let found = libraries.find(|library| library.exists());
    found
        .unwrap_or_else(|| panic!("{LIBRARY} is in no folder of {LIBRARIES}: install the package `faketime`"))
}
