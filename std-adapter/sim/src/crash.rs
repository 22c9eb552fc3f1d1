//! Ends that no test survives: a loop without a point, a wait in the host, an abort, a stack overflow. They print
//! the run.
//!
//! On Unix. The watchdog counts the processor time of the simulating thread, and on Linux how often in a row it
//! finds that thread asleep. So neither a machine under load nor a stopped process makes a false alarm.

mod frames;
#[cfg(unix)]
mod report;
#[cfg(unix)]
mod signals;
#[cfg(unix)]
mod thread;
#[cfg(unix)]
mod watch;

pub(crate) use self::frames::place_in;
#[cfg(unix)]
pub(crate) use self::{
    report::{beat, chip_runs, run_begins},
    watch::Watch,
};

/// Where a simulation is: a context, and the label of its last point.
pub(crate) type Place = (&'static str, &'static str);

#[cfg(not(unix))]
pub(crate) fn beat() {}

#[cfg(not(unix))]
pub(crate) fn run_begins(_seed: Option<u64>) {}

#[cfg(not(unix))]
pub(crate) fn chip_runs(_runs: bool) {}

/// Does nothing.
#[cfg(not(unix))]
pub(crate) struct Watch;

#[cfg(not(unix))]
impl Watch {
    pub(crate) fn begin(_test: Option<&str>, _place: fn() -> Option<Place>) -> Self {
        Self
    }
}
