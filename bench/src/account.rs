//! What a process used, by the kernel's own account.

use std::fs;
use std::io;

/// The kernel reports CPU time to user space in hundredths of a second on every architecture.
const MICROSECONDS_PER_TICK: u64 = 10_000;

/// User and system time of `pids` together since they started, in µs.
///
/// # Errors
/// When one of them is gone.
pub fn cpu_us(pids: &[u32]) -> io::Result<u64> {
    pids.iter().map(|pid| cpu_ticks(*pid)).sum::<io::Result<u64>>().map(|ticks| ticks * MICROSECONDS_PER_TICK)
}

/// The most memory `pids` ever had resident, summed, in KiB.
///
/// # Errors
/// When one of them is gone.
pub fn peak_kib(pids: &[u32]) -> io::Result<u64> {
    pids.iter().map(|pid| memory_kib(*pid, "VmHWM:")).sum()
}

/// The memory that a process has resident, in KiB.
///
/// # Errors
/// When it is gone.
pub fn resident_kib(pid: u32) -> io::Result<u64> {
    memory_kib(pid, "VmRSS:")
}

fn cpu_ticks(pid: u32) -> io::Result<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    ticks_of(&stat).ok_or_else(|| io::Error::other("unreadable /proc stat"))
}

/// `utime` and `stime`, the 14th and 15th field. The 2nd, the name, is in parentheses and may hold
/// spaces and parentheses itself.
fn ticks_of(stat: &str) -> Option<u64> {
    let mut after_name = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: u64 = after_name.next()?.parse().ok()?;
    let system: u64 = after_name.next()?.parse().ok()?;
    Some(user + system)
}

fn memory_kib(pid: u32, field: &str) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    line.and_then(|value| value.split_whitespace().next()?.parse().ok())
        .ok_or_else(|| io::Error::other("unreadable /proc status"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let stat = "7 (a) b (c)) S 1 7 7 0 -1 4194304 100 0 0 0 250 30 0 0 20 0 9 0 100 1000 200";
        assert_eq!(ticks_of(stat), Some(280));
    }

    #[test]
    fn this_process_has_an_account() {
        let this = [std::process::id()];
        assert!(cpu_us(&this).is_ok());
        let resident = resident_kib(this[0]).unwrap();
        assert!((1..=peak_kib(&this).unwrap()).contains(&resident));
    }
}
