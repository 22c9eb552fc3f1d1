//! The host as a port: the clock, the threads' names, where they park, and how panics are caught.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use corepool::{ContextId, Panic, Parker, Port};

use crate::{
    clock,
    panic::{catch_panic, report},
    spin::{blocked, parker::own_parker, worker::SPINS},
};

/// The name of the current thread for the pool. No two threads of the process ever have the same.
pub(super) fn context() -> ContextId {
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    thread_local! {
        static CONTEXT: ContextId = ContextId::new(NEXT.fetch_add(1, Ordering::Relaxed))
            .unwrap_or(ContextId::MAX);
    }
    CONTEXT.with(|context| *context)
}

/// The host as a port: threads park, the clock is `std::time::Instant`, panics are caught.
///
/// [`run_workers`](crate::run_workers) installs it.
///
/// A caller that is blocked looks for its result for some fifty microseconds, and then parks. Where many jobs are
/// queued, it may learn of its result one or two tenths of a millisecond late.
///
/// The port reports the panic of a job or callback whose outcome no party looks at. The report goes to standard
/// error, or, with the feature `log`, to the `log` facade.
#[derive(Clone, Copy, Debug, Default)]
pub struct HostPort;

// SAFETY: `context` gives each thread a name of its own.
unsafe impl Port for HostPort {
    fn context(&self) -> ContextId {
        context()
    }

    fn now(&self) -> Option<Duration> {
        Some(clock::now())
    }

    fn with_parker(&self, f: &mut dyn FnMut(&dyn Parker)) {
        f(&own_parker());
    }

    fn spin(&self, round: u32, queued: &dyn Fn() -> usize) -> bool {
        blocked::looks_again(round, SPINS, queued)
    }

    /// The host's workers are threads: they are sure to come.
    fn blocked_callers_run_jobs(&self) -> bool {
        false
    }

    fn catch_panic(&self, f: &mut dyn FnMut()) -> Result<(), Panic> {
        catch_panic(f)
    }

    fn unobserved_failure(&self, panic: Panic) {
        report(panic);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_that_is_blocked_on_the_hosts_port_spins_as_by_default() {
        assert!(HostPort.spin(127, &|| 0));
        assert!(!HostPort.spin(128, &|| 0));
    }

    /// Not even one that blocks before its threads have joined.
    #[test]
    fn no_blocked_caller_runs_jobs_on_the_hosts_port() {
        assert!(!HostPort.blocked_callers_run_jobs());
    }

    #[test]
    fn the_hosts_clock_is_the_one_that_sleeps_go_by() {
        while clock::now() == Duration::ZERO {}
        let before = clock::now();
        let told = HostPort.now().unwrap();
        assert!(before <= told && told <= clock::now());
    }
}
