#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]
//!
//! Threads on a host show what happened. A simulation shows what can happen: an interrupt between
//! any two steps, a core that stalls or hangs, a worker that comes back too late. A seed decides all
//! of it. A failing run prints its seed, the least schedule that fails in the same way, and a
//! picture of it.
//!
//! ```
//! use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
//!
//! use corepool::StaticPool;
//! use corepool_sim::Sim;
//!
//! // The application: a button's handler submits jobs, and an interrupt runs them.
//! static POOL: StaticPool<4, 32> = StaticPool::new();
//! static PRESSES: AtomicU32 = AtomicU32::new(0);
//! static REFUSED: AtomicU32 = AtomicU32::new(0);
//!
//! fn count() {
//!     PRESSES.fetch_add(1, SeqCst);
//! }
//!
//! fn button_handler() {
//!     if POOL.submit_detached(count).is_err() {
//!         REFUSED.fetch_add(1, SeqCst);
//!     }
//! }
//!
//! // The test: one core, and the button is pressed at any moment, up to three times.
//! let mut sim = Sim::new(1);
//! sim.pool(&POOL).reset(&PRESSES).reset(&REFUSED);
//! let worker = sim.interrupt("worker", 1, || {
//!     POOL.run_pending(usize::MAX);
//! });
//! sim.pends(&POOL, worker);
//! let button = sim.interrupt("button", 3, button_handler);
//! sim.spontaneous(button, 0..=3);
//! sim.everywhere(1); // first once at every point
//! sim.run(500, |chip| {
//!     let answer = POOL.submit(|| 6 * 7).unwrap();
//!     assert_eq!(answer.result().unwrap(), 42);
//!     chip.quiet();
//!     let known = PRESSES.load(SeqCst) + REFUSED.load(SeqCst);
//!     assert_eq!(known as usize, chip.fired(button));
//! });
//! ```
//!
//! # A run
//!
//! A run is a power-on reset of the chip. The statics that the test names are as at power-on, and
//! each core begins its task. The closure of [`Sim::run`] is the main program of core 0. Other cores
//! run workers or tasks.
//!
//! All contexts run on the test's thread, one at a time. At each *point* another context may take
//! over. There is a point before each public call of `corepool`, and around each job, poll and callback.
//! There is one at each wait, wake-up and critical section, and at each [`point!`]. With
//! [`Granularity::Atomics`], there is also one before each atomic access of the core. A handler runs on
//! the stack of the context that it interrupts. That context goes on when the handler has returned.
//! Other cores may go on before.
//!
//! When the main program has ended, the run goes on until the other contexts have come to rest.
//! Then all slots of the pools have to be free.
//!
//! # A failed run
//!
//! * A panic outside of a job: an assertion of the scenario, a handler or a task.
//! * A wait that nothing can end. The report says for each context where it waits.
//! * A handler that has to wait, and a critical section that is held at a wait or at an end.
//! * A run that does not end within 200,000 points.
//! * A slot that is lost, and a panic that no party observes.
//!
//! The count of runs begins with those of the plain order, and has the second runs of seeds in it. So it is no seed.
//!
//! The report shows the least schedule. Each of its *deviations* differs from the plain order, in
//! which a context goes on until it waits and nothing happens by itself. Without any one of them the
//! run passes, or fails in another way.
//!
//! Each row of the picture is a point. It shows the rows around each deviation, and the last rows. While a core
//! stalls or hangs, `▒` marks it, and the first row of each point that the application names is shown, too. `✗`
//! marks the step at which the run fails. The label `foreign` stands for the application's code that a
//! call runs: a job, a destructor, a callback or a waker. To see more, ask for all rows, or print in
//! the application's code and replay the least schedule. The first run's output comes first.
//!
//! A step of a schedule is `CONTEXT@LABEL#VISIT:ACTION`: see [`Action`]. These labels are of no row:
//!
//! | label | the decision |
//! |---|---|
//! | `chip@pace` | the time that each point of the run takes |
//! | `tick` | the time to the next tick of an interrupt of [`every`](Sim::every) |
//! | `time` | the time of a [`busy`] or [`sleep`] |
//! | `waiting`, `moment` | an interrupt fires while all contexts wait, after this time |
//! | `next core` | the core that goes on when the context has to wait |
//!
//! | variable | purpose |
//! |---|---|
//! | `COREPOOL_SIM_SEED` | runs the plain order and this seed only |
//! | `COREPOOL_SIM_REPLAY` | runs this schedule only; it survives small changes of the code |
//! | `COREPOOL_SIM_SCHEDULES` | the number of seeds to run, instead of the test's; 0 leaves the runs without a seed |
//! | `COREPOOL_SIM_MINUTES` | goes on with further seeds until each simulation has taken this many minutes |
//! | `COREPOOL_SIM_SHARDS` | shares the seeds of each test's first simulation among this many processes |
//! | `COREPOOL_SIM_ROWS=all` | the report shows all rows of the picture |
//! | `COREPOOL_SIM_PICTURES` | writes a failing run into this folder: as SVG, and as a trace that `ui.perfetto.dev` opens |
//! | `COREPOOL_SIM_REGRESSIONS` | the file of [`Sim::regressions`], for tests that name none |
//!
//! A crash ends the process: an abort, a bad access, a stack overflow, or a panic in a destructor during
//! another panic. On Unix it prints the test, the context, its last point, and the command that runs the same run
//! again. So does a loop without a point that takes more than a second of processor time, and it prints the place
//! of the loop as well. So does a context that blocks in the host for five seconds, on Linux.
//!
//! # Regressions
//!
//! With [`Sim::regressions`], a failure that is found goes to a file, as a line with the test's name and
//! the least schedule. The test runs the schedules of its lines before all others. A schedule that
//! fits the code no more fails the test, and the report names the file.
//!
//! # Runs that show too little
//!
//! A simulation that passes has to show something. It fails if no job ran, if an interrupt never fired or a fault
//! that the test allows never happened, or if a [`sometimes!`] never held.
//!
//! # Time
//!
//! The chip has one virtual clock. Each point takes 0.1 to 1 µs, [`busy`] takes the time that it
//! draws, and time jumps when every context waits. A timeout never passes while the context that it
//! waits for can go on, unless the test allows a [`stall`](Sim::stall). Contexts that only look, in
//! a loop, let time pass faster.
//!
//! With the feature `embassy-time`, the crate is the driver of `embassy-time`: timers of tasks expire
//! by the virtual clock, which advances by itself.
//!
//! # Statics
//!
//! A static that keeps its value from run to run makes runs differ: name it by [`Sim::reset`].
//! [`Sim::reset_any`] names one of a type that lends references, such as a `OnceLock`, and
//! [`Sim::reset_crates`] names all of a crate at once. The first 64 seeds run twice, and one of a
//! hundred after them. [`Sim::run`] also runs the first 64 in a second process. A difference fails the
//! test.
//!
//! On Linux, the report has the paths of the statics that have changed and that no call names. A pool
//! that simulated code uses and no call names fails the test, and the report has its path. The symbols of
//! the test's program say what lies where, so `strip` hides the statics.
//!
//! # Limits
//!
//! * Memory is sequentially consistent. The orderings of the core are proved by other means.
//! * A context is preempted at points only. Code without points runs as a whole.
//!   **An access of the application's own atomics is no point: a race between two of them is found only with a
//!   [`point!`] between them.**
//! * Runs take about ten times as long at `opt-level = 0`: set 1 in the workspace's `[profile.dev]`.
//! * Types, stack sizes and speeds are the host's. Drivers are not simulated.
//! * No `std::thread` and no `thread_local!` in simulated code. A thread that touches a pool fails the test. One that
//!   touches another static passes, and its runs do not repeat: let a [`task`](Sim::task) stand for it.
//! * No lock of the host is held at a point: the next context that wants it would wait for ever.
//! * A loop of the application that waits has a [`corepool::spin_loop`] or a [`point!`] in it.
//! * A seed is for one build. A schedule by names lives longer.
//!
//! # Where it goes
//!
//! Simulate a pool in a test program of its own. After a simulation it has the chip's port, which a plain test of the
//! same pool in the same program cannot use: such a test then passes or fails by the order of the tests.
//!
//! Into the `dev-dependencies` of the application, or of a package of tests. An application without
//! `std` names its points under `cfg(test)`, and its tests then stand in its own crate. The crate
//! defines the program's critical section, so nothing else in that program may: not
//! `critical-section/std`. It also turns on the feature `sim` of `corepool`, which costs every program
//! of the same build a branch at each atomic access.

mod asked;
mod chip;
mod choice;
mod crash;
#[cfg(feature = "embassy-time")]
mod embassy_time;
mod failed;
mod failure;
mod fibers;
mod full;
#[cfg_attr(not(target_os = "linux"), allow(dead_code))]
mod image;
mod lends_nothing;
mod machine;
mod one_at_a_time;
mod panics;
mod picture;
mod plan;
mod pools;
mod port;
mod reduce;
mod regressions;
mod runs;
mod schedule;
mod search;
mod second;
mod section;
mod shards;
mod sim;
mod sometimes;
mod speed;
mod statics;
#[cfg_attr(not(target_os = "linux"), allow(dead_code))]
mod symbols;
mod trace;

pub use crate::{
    chip::{Chip, at, busy, core, now, parker, raise, sleep, wake_at},
    failed::{Failed, FailedBy, FailedRun},
    failure::Cause,
    lends_nothing::LendsNothing,
    picture::{Picture, Rows},
    plan::{Interrupt, Returns, sometimes_late},
    pools::SimPool,
    port::TaskParker,
    runs::Report,
    schedule::{Action, Deviation, Granularity, NotASchedule, Schedule, Span},
    sim::{Hang, Sim},
};

#[doc(hidden)]
pub mod __private {
    pub use crate::sometimes::{SOMETIMES, Sometimes};
    pub use linkme::{self, distributed_slice};
}
