//! What the process takes, as Linux tells it. Elsewhere nothing of it is told.

use std::fs;

use keygate_telemetry::metrics::{Page, table};

/// Linux counts the time of processors in hundredths of a second, on every architecture.
const TICKS_PER_SECOND: f64 = 100.0;

pub(super) fn tell(page: &mut Page) {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    if let Some(kibibytes) = field(&status, "VmRSS:") {
        page.count(&table::PROCESS_MEMORY, &[], kibibytes * 1024);
    }
    if let Some(threads) = field(&status, "Threads:") {
        page.count(&table::PROCESS_THREADS, &[], threads);
    }
    if let Some(ticks) = fs::read_to_string("/proc/self/stat").ok().as_deref().and_then(ticks) {
        page.tell(&table::PROCESS_CPU, &[], ticks as f64 / TICKS_PER_SECOND);
    }
    if let Ok(files) = fs::read_dir("/proc/self/fd") {
        page.count(&table::PROCESS_FILES, &[], files.count() as u64);
    }
}

/// A field of `/proc/self/status`, without its unit.
fn field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Time used by users and system, from `/proc/self/stat`. Its second field may hold anything, blanks too.
fn ticks(stat: &str) -> Option<u64> {
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |place: usize| fields.get(place)?.parse::<u64>().ok();
    Some(number(11)? + number(12)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_linux_tells_is_understood() {
        let status = "Name:\tkeygate\nVmRSS:\t   52340 kB\nThreads:\t11\n";
        assert_eq!((field(status, "VmRSS:"), field(status, "Threads:")), (Some(52340), Some(11)));
        let stat = "7 (a ) name) S 1 7 7 0 -1 4194560 1 2 3 4 150 25 0 0 20 0 11 0 99 1 2";
        assert_eq!(ticks(stat), Some(175));
        assert_eq!((field("", "VmRSS:"), ticks("")), (None, None));
    }
}
