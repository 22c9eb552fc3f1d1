//! Ports that say what they are asked for, and a clock that a test can read.

use std::{
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    task::Waker,
    time::Duration,
};

use corepool::{ContextId, Panic, Parker, Port};
use corepool_std::{HostPort, PanicExt};

use crate::{Gate, LONG, Recorder};

/// A clock on which time passes only for those who wait for it: it jumps to the end of their wait.
///
/// So a test knows how long a call has waited, to the nanosecond, however busy the machine is.
#[derive(Debug, Default)]
pub struct Clock(AtomicU64);

impl Clock {
    /// The time.
    pub fn now(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::SeqCst))
    }

    /// Has so much time pass.
    pub fn pass(&self, time: Duration) {
        self.reach(self.now() + time);
    }

    /// Has the time pass until `deadline`. False if that is never: [`LONG`] from now.
    pub fn reach(&self, deadline: Duration) -> bool {
        let is_near = deadline.saturating_sub(self.now()) < LONG / 2;
        if is_near {
            let nanos = u64::try_from(deadline.as_nanos()).unwrap_or(u64::MAX);
            self.0.fetch_max(nanos, Ordering::SeqCst);
        }
        is_near
    }
}

/// The host, as a pool under test has it: it keeps what it is told, and may have a clock of its own.
#[derive(Debug)]
pub struct TestPort {
    clock: Option<&'static Clock>,
    parking: Gate,
    reports: Recorder<String>,
}

impl TestPort {
    /// With this clock, or with the host's.
    pub fn new(clock: Option<&'static Clock>) -> Self {
        Self {
            clock,
            parking: Gate::new(),
            reports: Recorder::new(),
        }
    }

    /// Opened each time that a caller is about to park.
    pub fn parking(&self) -> &Gate {
        &self.parking
    }

    /// The texts of the panics that no party observed, since the last call.
    pub fn reports(&self) -> Vec<String> {
        self.reports.take()
    }
}

/// The text of a panic that no party observed.
pub(crate) fn text_of(panic: Panic) -> String {
    let payload = panic.payload().unwrap_or_else(|| Box::new("no payload"));
    match payload.downcast_ref::<&str>() {
        Some(text) => (*text).to_string(),
        None => payload
            .downcast_ref::<String>()
            .cloned()
            .unwrap_or_default(),
    }
}

/// A parker that tells of it, on a clock.
struct ClockedParker<'a> {
    parker: &'a dyn Parker,
    port: &'a TestPort,
}

impl Parker for ClockedParker<'_> {
    fn waker(&self) -> Waker {
        self.parker.waker()
    }

    fn park(&self, deadline: Option<Duration>) {
        self.port.parking.open();
        match (deadline, self.port.clock) {
            (Some(deadline), Some(clock)) if clock.reach(deadline) => {}
            (Some(_), Some(_)) => self.parker.park(None),
            (deadline, _) => self.parker.park(deadline),
        }
    }
}

// SAFETY: contexts and panics are those of the host's port.
unsafe impl Port for TestPort {
    fn context(&self) -> ContextId {
        HostPort.context()
    }

    fn now(&self) -> Option<Duration> {
        self.clock.map(Clock::now).or_else(|| HostPort.now())
    }

    fn with_parker(&self, f: &mut dyn FnMut(&dyn Parker)) {
        HostPort.with_parker(&mut |parker| f(&ClockedParker { parker, port: self }));
    }

    fn spin(&self, round: u32, queued: &dyn Fn() -> usize) -> bool {
        HostPort.spin(round, queued)
    }

    fn blocked_callers_run_jobs(&self) -> bool {
        HostPort.blocked_callers_run_jobs()
    }

    fn catch_panic(&self, f: &mut dyn FnMut()) -> Result<(), Panic> {
        HostPort.catch_panic(f)
    }

    fn unobserved_failure(&self, panic: Panic) {
        self.reports.note(text_of(panic));
    }
}

/// The host, which opens a gate each time before a caller parks.
#[derive(Debug)]
pub struct TellsOfParking {
    parking: LazyLock<Gate>,
    callers_run_jobs: bool,
}

impl TellsOfParking {
    /// `callers_run_jobs`: callers that block do the work if there is no worker.
    pub const fn new(callers_run_jobs: bool) -> Self {
        Self {
            parking: LazyLock::new(Gate::new),
            callers_run_jobs,
        }
    }

    /// Opened once for each time that a caller is about to park.
    pub fn parking(&self) -> &Gate {
        &self.parking
    }
}

struct TellingParker<'a>(&'a dyn Parker, &'a Gate);

impl Parker for TellingParker<'_> {
    fn waker(&self) -> Waker {
        self.0.waker()
    }

    fn park(&self, deadline: Option<Duration>) {
        self.1.open();
        self.0.park(deadline);
    }
}

// SAFETY: contexts are those of the host's port, and no panic is caught.
unsafe impl Port for TellsOfParking {
    fn context(&self) -> ContextId {
        HostPort.context()
    }

    fn now(&self) -> Option<Duration> {
        HostPort.now()
    }

    fn with_parker(&self, f: &mut dyn FnMut(&dyn Parker)) {
        HostPort.with_parker(&mut |parker| f(&TellingParker(parker, &self.parking)));
    }

    fn blocked_callers_run_jobs(&self) -> bool {
        self.callers_run_jobs
    }
}
