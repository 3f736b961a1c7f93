//! How the system schedules the threads that actors live on.

/// Asks the system not to interrupt whoever wakes this thread.
///
/// A worker that leaves a message would otherwise be switched out at once for the actor, one
/// message at a time: four switches a request, which cost more than everything else the gateway
/// does. Undisturbed, it goes on with its other connections, and the actor finds several messages
/// when its turn comes (*measured* at 16 connections on one core: 69 µs of CPU a request become
/// 51). `SCHED_BATCH` (sched(7)) is exactly that wish, needs no privilege and keeps the thread's
/// share. Where the system refuses, all works as before.
#[cfg(target_os = "linux")]
pub(crate) fn do_not_interrupt_askers() {
    use thread_priority::unix::{
        NormalThreadSchedulePolicy, ThreadSchedulePolicy, set_thread_priority_and_policy, thread_native_id,
    };
    use thread_priority::{ThreadPriority, ThreadPriorityValue};

    let policy = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Batch);
    let unchanged = ThreadPriorityValue::try_from(NICENESS_ZERO).map(ThreadPriority::Crossplatform);
    let _ = unchanged.map(|priority| set_thread_priority_and_policy(thread_native_id(), priority, policy));
}

/// The library's number for a nice value of 0 on its scale from 0 to 99.
#[cfg(target_os = "linux")]
const NICENESS_ZERO: u8 = 48;

/// Other systems have no such wish.
#[cfg(not(target_os = "linux"))]
pub(crate) fn do_not_interrupt_askers() {}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use thread_priority::unix::{NormalThreadSchedulePolicy, ThreadSchedulePolicy, thread_schedule_policy};

    use super::*;

    /// The nice value of the calling thread (proc(5), field 19 of `stat`).
    fn niceness() -> Option<i32> {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").ok()?;
        let (_, after_name) = stat.rsplit_once(") ")?;
        after_name.split(' ').nth(16)?.parse().ok()
    }

    #[test]
    fn the_thread_keeps_its_share() {
        let seen = std::thread::spawn(|| {
            let before = niceness();
            do_not_interrupt_askers();
            (before, niceness(), thread_schedule_policy().unwrap())
        });
        let (before, after, policy) = seen.join().unwrap();
        assert_eq!(policy, ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Batch));
        assert!(before != Some(0) || after == Some(0), "nice {before:?} became {after:?}");
    }
}
