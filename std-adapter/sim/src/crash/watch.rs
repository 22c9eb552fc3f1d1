//! The watchdog: it sees a simulation that comes to no point any more, in a loop or asleep in the host.

use std::{
    backtrace::Backtrace,
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::{
    Place, frames,
    report::{self, write},
    signals,
    thread::Watched,
};

/// The processor time after which a loop without a point is reported.
const PATIENCE: Duration = Duration::from_secs(1);
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// A thread that sleeps at this many looks in a row is reported: after five seconds. A process that is stopped has no
/// looks.
const MOST_ASLEEP: u32 = 25;
/// The processor time that the backtrace may take.
const FOR_BACKTRACE: Duration = Duration::from_secs(2);
/// The time of the wall that it may take, if the thread does not compute.
const AT_MOST: Duration = Duration::from_secs(30);

/// The thread sleeps, and does not loop.
static IS_ASLEEP: AtomicBool = AtomicBool::new(false);

/// The watchdog of one simulation.
pub(crate) struct Watch {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    /// The name of the test, which reports borrow.
    _test: Box<str>,
}

impl Watch {
    /// Watches the calling thread. `place` says, on that thread, where the simulation is. It takes no lock
    /// and no memory.
    pub(crate) fn begin(test: Option<&str>, place: fn() -> Option<Place>) -> Self {
        signals::listen();
        let test: Box<str> = test.unwrap_or("NAME").into();
        // SAFETY: the `Watch` keeps the text. The caller is the only simulation.
        unsafe { report::begins(&test, place) };
        let is_over = Arc::new(AtomicBool::new(false));
        let over = is_over.clone();
        let watched = Watched::this();
        let watch = thread::Builder::new().name("corepool-sim watchdog".into());
        let begun = Arc::new(Barrier::new(2));
        let begins = begun.clone();
        // Without a watchdog the simulation is as good.
        let thread = watch.spawn(move || {
            begins.wait();
            watch_over(&watched, &over);
        });
        let thread = thread.ok();
        if thread.is_some() {
            // A thread that begins takes memory, and the first run may never give the allocator back.
            begun.wait();
        }
        Self {
            is_over,
            thread,
            _test: test,
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        report::ends();
        self.is_over.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // It holds the clock of this thread, which must not end before.
            let _ = thread.join();
        }
    }
}

fn watch_over(watched: &Watched, is_over: &AtomicBool) {
    let (mut beats, mut since, mut asleep) = (report::beats(), watched.time(), 0);
    while !is_over.load(Relaxed) {
        thread::park_timeout(LOOK_EVERY);
        let now = report::beats();
        if now != beats {
            (beats, since, asleep) = (now, watched.time(), 0);
            continue;
        }
        // The search sleeps while it waits for other processes.
        asleep = match report::does_chip_run() && watched.sleeps() {
            true => asleep + 1,
            false => 0,
        };
        let loops = watched.time().saturating_sub(since) > PATIENCE;
        if (loops || asleep > MOST_ASLEEP) && !is_over.load(Relaxed) {
            IS_ASLEEP.store(!loops, Relaxed);
            report_standstill(watched);
        }
    }
}

/// Reports that no point comes any more, and ends the process.
///
/// The thread may be inside the allocator, or hold another lock. So the report takes no memory and no lock, but for
/// the backtrace, which the thread itself takes last. If it does not come, the process ends without.
fn report_standstill(watched: &Watched) -> ! {
    let (fault, cure) = match IS_ASLEEP.load(Relaxed) {
        false => (
            "a loop without a point",
            "Put `corepool::spin_loop()` or `point!()` into it.\n",
        ),
        true => (
            "a context blocks in the host",
            "All contexts are on one thread, so no other one can end the wait. Give each lock of the host back before \
             a point. Wait by a future of the pool, a critical section, or `corepool_sim::sleep`.\n",
        ),
    };
    for part in ["\ncorepool-sim: ", fault, ", in the test "] {
        write(part);
    }
    report::write_test();
    write(". ");
    write(cure);
    report::write_command();
    let (computed, began) = (watched.time(), Instant::now());
    watched.interrupt(report_place);
    while watched.time().saturating_sub(computed) < FOR_BACKTRACE && began.elapsed() < AT_MOST {
        thread::sleep(LOOK_EVERY);
    }
    write(
        "\n  no backtrace in time: the thread may be in the allocator, or hold a lock that a backtrace needs\n",
    );
    // SAFETY: the call has no precondition.
    unsafe { libc::_exit(101) }
}

/// The thread itself says where it is. The process ends, so what it was in the midst of does not matter.
extern "C" fn report_place(_signal: i32) {
    report::write_place(match IS_ASLEEP.load(Relaxed) {
        true => " blocks in the host since the point `",
        false => " loops since the point `",
    });
    // The allocator, or another lock, may stop this thread here for ever.
    write(&frames::of_application(
        &Backtrace::force_capture().to_string(),
    ));
    // SAFETY: the call has no precondition.
    unsafe { libc::_exit(101) };
}
