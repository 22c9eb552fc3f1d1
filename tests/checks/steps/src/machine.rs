//! The machine that the pool runs on here: its threads are shuttle's, and its clock stands still
//! while anybody can go on.
//!
//! Sleep is what a port's contract says and no more: a thread that is parked goes on when its waker
//! was woken, or at its deadline, and never for no reason. Shuttle's own `park` returns when it
//! likes, which hides a wake-up that nobody sends. So each thread has a [`Bed`], and the scheduler
//! asks [`sleeps`] before it lets a thread on.

use std::{
    cell::RefCell,
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    task::Waker,
    time::Duration,
};

use corepool::{ContextId, Parker, Port, Worker};
use shuttle::{current::me, thread};

/// Until when a thread sleeps.
#[derive(Clone)]
enum Sleep {
    /// Until its waker has been woken, or until the deadline.
    Parked(Option<Duration>),
    /// Until the clock shows this, whoever wakes it.
    Until(Duration),
    /// Until the gate is open.
    AtGate(Gate),
}

/// Where a thread sleeps.
#[derive(Default)]
struct Bed {
    sleep: Option<Sleep>,
    /// The waker was woken since the thread last came back from its park.
    woken: bool,
    waker: Option<Waker>,
}

/// All that sleep, and the time.
#[derive(Default)]
struct House {
    /// By the threads' numbers.
    beds: Vec<Bed>,
    now: Duration,
}

thread_local! {
    // All threads of a shuttle execution, and its scheduler, are on one thread of the system.
    static HOUSE: RefCell<House> = RefCell::default();
}

fn with_bed<T>(thread: usize, f: impl FnOnce(&mut Bed) -> T) -> T {
    HOUSE.with_borrow_mut(|house| {
        if house.beds.len() <= thread {
            house.beds.resize_with(thread + 1, Bed::default);
        }
        f(&mut house.beds[thread])
    })
}

/// Empty beds, and the clock at 0: for a new execution.
pub fn start() {
    // Its wakers go last: they may be the last of their kind.
    let _old = HOUSE.take();
}

/// The time of the clock.
pub fn now() -> Duration {
    HOUSE.with_borrow(|house| house.now)
}

/// Puts the clock forward.
pub fn put_clock_to(moment: Duration) {
    HOUSE.with_borrow_mut(|house| house.now = house.now.max(moment));
}

/// Whether a thread sleeps, so that the scheduler must not let it on.
pub fn sleeps(thread: usize) -> bool {
    let now = now();
    with_bed(thread, |bed| match &bed.sleep {
        None => false,
        Some(Sleep::Parked(deadline)) => !bed.woken && deadline.is_none_or(|at| now < at),
        Some(Sleep::Until(moment)) => now < *moment,
        Some(Sleep::AtGate(gate)) => !gate.is_open(),
    })
}

/// When all sleep, time goes by: puts the clock to the first deadline. False if there is none.
pub fn pass_time() -> bool {
    HOUSE.with_borrow_mut(|house| {
        let deadlines = house.beds.iter().filter_map(|bed| match bed.sleep {
            Some(Sleep::Parked(deadline)) => deadline,
            Some(Sleep::Until(moment)) => Some(moment),
            _ => None,
        });
        let next = deadlines.filter(|&at| house.now < at).min();
        house.now = next.unwrap_or(house.now);
        next.is_some()
    })
}

/// Wakes each thread that is parked, for no reason, as a port may.
pub fn wake_all() {
    HOUSE.with_borrow_mut(|house| {
        for bed in &mut house.beds {
            bed.woken = true;
        }
    });
}

/// Whether a thread's waker was woken since it last came back from its park.
pub fn is_woken(thread: usize) -> bool {
    with_bed(thread, |bed| bed.woken)
}

/// Wakes a thread.
struct Unpark(usize);

impl std::task::Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // The waking thread can be stopped before it wakes.
        thread::yield_now();
        with_bed(self.0, |bed| bed.woken = true);
    }
}

/// A thread that sleeps by parking.
pub struct Sleeper;

impl Parker for Sleeper {
    fn waker(&self) -> Waker {
        let me = me().into();
        with_bed(me, |bed| {
            let waker = bed.waker.get_or_insert_with(|| Arc::new(Unpark(me)).into());
            waker.clone()
        })
    }

    fn park(&self, deadline: Option<Duration>) {
        let me = me().into();
        with_bed(me, |bed| bed.sleep = Some(Sleep::Parked(deadline)));
        // A scheduler that does not ask comes back too early.
        while {
            thread::yield_now();
            sleeps(me)
        } {}
        with_bed(me, |bed| (bed.sleep, bed.woken) = (None, false));
    }
}

impl Worker for Sleeper {}

/// Sleeps until the clock shows `moment`. That has nothing to do with parking.
pub fn sleep_until(moment: Duration) {
    let me = me().into();
    with_bed(me, |bed| bed.sleep = Some(Sleep::Until(moment)));
    while {
        thread::yield_now();
        sleeps(me)
    } {}
    with_bed(me, |bed| bed.sleep = None);
}

/// Holds back whoever comes, until it is opened. Sleep there has nothing to do with parking.
#[derive(Clone, Default)]
pub struct Gate(Arc<AtomicBool>);

impl Gate {
    /// Lets all through.
    pub fn open(&self) {
        self.0.store(true, SeqCst);
    }

    /// Whether it is open.
    pub fn is_open(&self) -> bool {
        self.0.load(SeqCst)
    }

    /// Sleeps until it is open.
    pub fn pass(&self) {
        let me = me().into();
        with_bed(me, |bed| bed.sleep = Some(Sleep::AtGate(self.clone())));
        while !self.is_open() {
            thread::yield_now();
        }
        with_bed(me, |bed| bed.sleep = None);
    }
}

/// The threads' names, clock and sleep.
pub struct Machine;

// SAFETY: each of shuttle's threads has a number of its own.
unsafe impl Port for Machine {
    fn context(&self) -> ContextId {
        NonZeroUsize::MIN.saturating_add(me().into())
    }

    fn now(&self) -> Option<Duration> {
        Some(now())
    }

    fn with_parker(&self, f: &mut dyn FnMut(&dyn Parker)) {
        f(&Sleeper);
    }

    fn blocked_callers_run_jobs(&self) -> bool {
        false
    }
}

/// The same, but callers that block are workers meanwhile, if the pool has none.
pub struct GuestMachine;

// SAFETY: as for `Machine`.
unsafe impl Port for GuestMachine {
    fn context(&self) -> ContextId {
        Machine.context()
    }

    fn now(&self) -> Option<Duration> {
        Machine.now()
    }

    fn with_parker(&self, f: &mut dyn FnMut(&dyn Parker)) {
        Machine.with_parker(f);
    }
}
