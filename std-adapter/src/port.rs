//! The host's port: clock, identity, parking, panics.

use std::{
    sync::{
        Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU8, AtomicUsize, Ordering},
    },
    task::{Wake, Waker},
    thread,
    time::{Duration, Instant},
};

use corepool::{ContextId, Panic, Parker, Port};

use crate::panic::{Payload, caught, discard, from_payload, message};

/// The time since the first look at the clock.
pub(crate) fn now() -> Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}

/// Nobody has woken the thread since its last sleep, and it does not sleep.
const AWAKE: u8 = 0;
/// It sleeps, or is about to.
const ASLEEP: u8 = 1;
/// It was woken: its sleep ends, or its next one does not begin.
const WOKEN: u8 = 2;

/// Where a thread sleeps.
#[derive(Default)]
struct Bed {
    /// `AWAKE`, `ASLEEP` or `WOKEN`. Only the thread itself makes it one of the first two, under the lock if `ASLEEP`.
    state: AtomicU8,
    lock: Mutex<()>,
    woken: Condvar,
}

impl Bed {
    fn lock(&self) -> MutexGuard<'_, ()> {
        self.lock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the thread's sleep if it was woken. Whether it was.
    fn rise(&self) -> bool {
        // Acquire: pairs with the Release of `wake_by_ref`. AcqRel: the next waker sees what was done before.
        let risen = self
            .state
            .compare_exchange(WOKEN, AWAKE, Ordering::AcqRel, Ordering::Acquire);
        risen.is_ok()
    }

    fn sleep(&self, deadline: Option<Duration>) {
        if self.rise() {
            return;
        }
        let mut lock = self.lock();
        // Acquire: as in `rise`, if it was woken meanwhile.
        let asleep =
            self.state
                .compare_exchange(AWAKE, ASLEEP, Ordering::AcqRel, Ordering::Acquire);
        if asleep.is_err() {
            self.rise();
            return;
        }
        loop {
            lock = match deadline.map(|deadline| deadline.saturating_sub(now())) {
                None => {
                    let woken = self.woken.wait(lock);
                    woken.unwrap_or_else(PoisonError::into_inner)
                }
                Some(Duration::ZERO) => {
                    // Acquire: as in `rise`. Who wakes the thread now need not end a sleep.
                    self.state.swap(AWAKE, Ordering::AcqRel);
                    return;
                }
                Some(left) => {
                    let woken = self.woken.wait_timeout(lock, left);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
            };
            if self.rise() {
                return;
            }
        }
    }
}

impl Wake for Bed {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Release: pairs with the Acquire of `rise`. A thread that was woken before is up or will be: no need to
        // wake it twice.
        if self.state.swap(WOKEN, Ordering::AcqRel) == ASLEEP {
            // The thread has the lock from when it says that it sleeps until it does.
            drop(self.lock());
            self.woken.notify_one();
        }
    }
}

/// Parks the thread that calls.
///
/// It sleeps on a lock of its own. So nobody who uses [`std::thread::park`] on the same thread can end its sleep,
/// and nobody loses the token of that to it.
#[derive(Clone, Default)]
pub struct ThreadParker {
    bed: Arc<Bed>,
}

impl ThreadParker {
    /// A parker for one thread, such as the current one.
    ///
    /// * **Context**: any thread.
    /// * **Cost**: O(1), with heap.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether both are of the same thread.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.bed, &other.bed)
    }
}

impl std::fmt::Debug for ThreadParker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ThreadParker").finish_non_exhaustive()
    }
}

impl Parker for ThreadParker {
    fn waker(&self) -> Waker {
        self.bed.clone().into()
    }

    fn park(&self, deadline: Option<Duration>) {
        self.bed.sleep(deadline);
    }
}

thread_local! {
    static PARKER: ThreadParker = ThreadParker::new();
}

/// The name of the current thread, for the pool: never given twice.
pub(crate) fn context() -> ContextId {
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    thread_local! {
        static CONTEXT: ContextId = ContextId::new(NEXT.fetch_add(1, Ordering::Relaxed))
            .unwrap_or(ContextId::MAX);
    }
    CONTEXT.with(|context| *context)
}

/// The current thread's parker: whoever has a waker of it wakes the thread, whatever it waits for.
pub(crate) fn own_parker() -> ThreadParker {
    // While the thread's locals are being destroyed, one made for the occasion serves as well.
    PARKER.try_with(ThreadParker::clone).unwrap_or_default()
}

/// Calls `f` with the current thread's parker.
pub(crate) fn with_parker(f: &mut dyn FnMut(&dyn Parker)) {
    f(&own_parker());
}

/// Calls `f` and catches its panic.
pub(crate) fn catch_panic(f: &mut dyn FnMut()) -> Result<(), Panic> {
    caught(f).map_err(from_payload)
}

/// Says that a panic went unobserved. The payload and the logger are foreign code: neither panics out of here.
pub(crate) fn report(panic: Panic) {
    match panic.into_payload::<Payload>() {
        Ok(payload) => {
            if let Err(panic) = caught(|| say(message(&payload))) {
                discard(panic);
            }
            discard(payload);
        }
        Err(panic) => discard(panic),
    }
}

fn say(message: &str) {
    #[cfg(feature = "log")]
    log::error!("a job or callback panicked, and nobody asked: {message}");
    #[cfg(not(feature = "log"))]
    {
        use std::io::Write as _;
        // `eprintln!` panics where standard error is full or closed. There is nobody else to tell then.
        let _ = writeln!(
            std::io::stderr(),
            "corepool: a job or callback panicked, and nobody asked: {message}"
        );
    }
}

/// The host as a port: threads park, the clock is `std::time::Instant`, panics are caught.
///
/// A thread that waits for a job looks for its end for some microseconds before it sleeps. If at
/// least 64 other jobs are queued then, it sleeps once for a moment, so that it keeps no core from
/// them. It may learn that the job has ended one or two tenths of a millisecond late. A wait with a
/// time limit does not do so.
///
/// [`run_workers`](crate::run_workers) installs it. A job or callback that panics and whose outcome
/// nobody looks at is reported on standard error, or through the `log` facade with feature `log`.
#[derive(Clone, Copy, Debug, Default)]
pub struct HostPort;

// SAFETY: each thread has a number of its own.
unsafe impl Port for HostPort {
    fn context(&self) -> ContextId {
        context()
    }

    fn now(&self) -> Option<Duration> {
        Some(now())
    }

    fn with_parker(&self, f: &mut dyn FnMut(&dyn Parker)) {
        with_parker(f);
    }

    fn spin(&self, round: u32, queued: &dyn Fn() -> usize) -> bool {
        wait(round, SPINS, queued)
    }

    /// On the host, workers are threads, and sure to come.
    fn lends_blocked_callers(&self) -> bool {
        false
    }

    fn catch_panic(&self, f: &mut dyn FnMut()) -> Result<(), Panic> {
        catch_panic(f)
    }

    fn unobserved_failure(&self, panic: Panic) {
        report(panic);
    }
}

/// How often a worker looks again before it parks, by default: for some ten microseconds on its core, and
/// then for some hundreds, in which it is awake for what comes next.
pub(crate) const SPINS: u32 = 1050;

/// How often a thread looks again at most that waits for a job: for some fifty microseconds, of the order of
/// what it takes to park and be woken.
const WAITS: u32 = 128;

/// How many of these looks keep the core. What takes longer than they do may be waiting for it.
const WAITS_ON_CORE: u32 = 10;

/// In which round a thread that waits sleeps once, if so many jobs are queued: by then the job that it waits
/// for has taken some microseconds, and so may they, so that nobody is idle if it comes too late.
const SLEEPS: u32 = 32;
const MANY: usize = 64;

/// For how long, in addition to what it takes until a thread that sleeps gets a core.
const NAP: Duration = Duration::from_micros(100);

/// Pauses before a thread that waits for a job looks for the `round`-th time again, counted from 0, instead
/// of parking, while `queued` jobs are queued. False after `spins` times, or [`WAITS`].
///
/// One that takes result after result of a queue of long jobs would keep a core all the time, or have each
/// job's worker wake it, which costs the worker more. If it still waits after its sleep, and for as many,
/// that takes longer, and it parks.
pub(crate) fn wait(round: u32, spins: u32, queued: impl Fn() -> usize) -> bool {
    const SLEPT: u32 = SLEEPS + 1;
    match round {
        _ if round >= spins.min(WAITS) => return false,
        SLEEPS if queued() >= MANY => thread::sleep(NAP),
        SLEPT if queued() >= MANY => return false,
        _ => pause(round < WAITS_ON_CORE),
    }
    true
}

/// Pauses, for a moment, or for as long as others take who wait for the core.
pub(crate) fn pause(keeps_core: bool) {
    if keeps_core {
        std::hint::spin_loop();
    } else {
        thread::yield_now();
    }
}

#[cfg(test)]
mod tests {
    use corepool::Worker as _;

    use super::*;
    use crate::ThreadWorker;

    const SOON: Duration = Duration::from_millis(1);

    #[test]
    fn a_wake_ends_the_sleep_that_comes_next() {
        let parker = ThreadParker::new();
        parker.waker().wake();
        parker.waker().wake();
        parker.park(None);
        // Both are used up: this sleep has its time.
        let end = now() + SOON;
        parker.park(Some(end));
        assert!(now() >= end);
    }

    #[test]
    fn a_wake_ends_the_sleep_that_goes_on() {
        let (parker, other) = (ThreadParker::new(), ThreadParker::new());
        let (own, others) = (parker.waker(), other.waker());
        let thread = thread::spawn(move || {
            for _ in 0..1_000 {
                other.park(None);
                own.wake_by_ref();
            }
        });
        for _ in 0..1_000 {
            others.wake_by_ref();
            parker.park(None);
        }
        thread.join().unwrap();
    }

    #[test]
    fn a_wake_after_a_sleep_that_had_its_time_ends_the_next() {
        let parker = ThreadParker::new();
        parker.park(Some(now() + SOON));
        parker.waker().wake();
        parker.park(None);
    }

    #[test]
    fn a_sleep_leaves_the_threads_own_token_alone() {
        let parker = ThreadParker::new();
        thread::current().unpark();
        let end = now() + SOON;
        parker.park(Some(end));
        assert!(now() >= end, "the token is not for this sleep");
        // It is for this one, which would go on for ever without it.
        thread::park();
    }

    #[test]
    fn a_thread_asks_twice_how_many_jobs_are_queued_and_only_if_it_has_waited() {
        let asked = std::cell::Cell::new(0);
        let queued = || {
            asked.set(asked.get() + 1);
            0
        };
        for round in 0..SLEEPS {
            assert!(wait(round, SPINS, queued));
        }
        assert_eq!(asked.get(), 0);
        for round in SLEEPS..WAITS {
            assert!(wait(round, SPINS, queued));
        }
        assert_eq!(asked.get(), 2);
    }

    #[test]
    fn a_thread_that_waits_for_a_job_parks_sooner_than_a_worker() {
        assert!(!wait(WAITS, SPINS, || 0));
        assert!(ThreadWorker::default().spin(WAITS));
        assert!(!ThreadWorker::default().spin(SPINS));
    }

    #[test]
    fn the_hosts_port_waits_for_a_job_like_a_pool_with_default_options() {
        assert!(HostPort.spin(WAITS - 1, &|| 0));
        assert!(!HostPort.spin(WAITS, &|| 0));
    }

    /// Not even one that blocks before its threads have joined.
    #[test]
    fn no_blocked_caller_runs_jobs_on_the_hosts_port() {
        assert!(!HostPort.lends_blocked_callers());
    }

    #[test]
    fn the_hosts_clock_is_the_one_that_sleeps_go_by() {
        while now() == Duration::ZERO {}
        let before = now();
        let told = HostPort.now().unwrap();
        assert!(before <= told && told <= now());
    }

    #[test]
    fn a_thread_sleeps_once_where_many_jobs_are_queued_and_then_parks() {
        let start = Instant::now();
        assert!(wait(SLEEPS, SPINS, || MANY));
        assert!(start.elapsed() >= NAP);
        assert!(!wait(SLEEPS + 1, SPINS, || MANY));
        assert!(!wait(SLEEPS, SLEEPS, || MANY), "it parks instead");
    }
}
