//! The promises of the crate, as programs of which every interleaving is run.
//!
//! Each file is about one protocol, and each test in it about one race. Loom runs a test's body
//! once for each order in which its threads' atomic accesses can happen. It does so for each value
//! that a load may return under the C11 memory model. In each run nothing may be lost, leaked,
//! dropped twice or accessed by two threads at a time. No thread may sleep for ever: loom reports a
//! deadlock when all threads sleep.
//!
//! If all orders are too many, a model runs those with a bounded number of preemptions, which finds
//! nearly all bugs (M. Musuvathi and S. Qadeer, "Iterative Context Bounding", PLDI 2007). Each
//! model prints its bound and the number of interleavings that it ran. `cargo xtask loom` runs
//! them.
//!
//! # Whether the models notice a weak ordering
//!
//! `cargo xtask orderings` weakens the crate's memory orderings, one at a time, and a model must
//! fail. If no model can, although C11 needs the ordering, a comment right above the call gives the
//! reason: something that loom does not do. It names what the ordering loses (`Acquire`, `Release`
//! or `SeqCst`, with `on failure` for the second ordering of `compare_exchange`) and is a sentence:
//!
//! ```text
//! // Unseen by loom, Acquire on failure: a swap that fails reads the newest value in loom, ...
//! ```
//!
//! The reason is never that no model fails. An ordering that is stronger than necessary is
//! weakened, and a race that no model has gets a model.

mod broken;
mod callbacks;
mod circle;
mod free_list;
mod idle;
mod job;
mod lost;
mod part;
mod phase;
mod promise;
mod queue;
#[cfg(feature = "remote")]
mod remote;
mod room;
mod scope;
mod sets;
mod shared;
mod shared_waker;
mod shutdown;
mod stale;
mod tasks;

use std::{
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Wake, Waker},
    time::{Duration, Instant},
};

use loom::sync::{Condvar, Mutex};

use crate::{
    Parker, Port, StaticPool, Worker, engine::run, lockfree::sync::weakenable,
    memory::joined::Stay, memory::pool::Pool,
};

/// Runs `body` in every interleaving, or in those with at most `preemptions` preemptions.
pub(crate) fn explore(
    name: &str,
    preemptions: Option<usize>,
    body: impl Fn() + Send + Sync + 'static,
) {
    let count = Arc::new(AtomicUsize::new(0));
    let counter = count.clone();
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = preemptions;
    builder.max_branches = 10_000;
    let start = Instant::now();
    builder.check(move || {
        counter.fetch_add(1, Relaxed);
        body();
    });
    let bound = preemptions.map_or("all".into(), |bound| format!("{bound} preemptions"));
    println!(
        "model | {name} | {bound} | {} | {:.1}",
        count.load(Relaxed),
        start.elapsed().as_secs_f32()
    );
    for site in weakenable::used() {
        println!("ordering | {site}");
    }
}

loom::lazy_static! {
    static ref GATE: loom::sync::atomic::AtomicUsize = loom::sync::atomic::AtomicUsize::new(0);
}

/// Starts a thread, which may run before the thread that starts it goes on.
///
/// Loom remembers only the last access of each atomic. A thread that loads an atomic and then swaps
/// it hides, with its load, earlier loads of others. Then loom does not try its swap ahead of
/// those. It does if the threads begin in another order, so this makes each order of beginning
/// count.
pub(crate) fn spawn<T: 'static>(body: impl FnOnce() -> T + 'static) -> loom::thread::JoinHandle<T> {
    // Relaxed: it adds no order that the model itself does not have.
    let gate = || GATE.fetch_add(1, loom::sync::atomic::Ordering::Relaxed);
    let thread = loom::thread::spawn(move || {
        gate();
        body()
    });
    gate();
    thread
}

/// [`with_pool_without_port`], with a port.
pub(crate) fn with_pool<const S: usize, const P: usize, const W: usize, const V: usize>(
    port: &'static impl Port,
    body: impl FnOnce(&'static StaticPool<S, 32, P, W, V>),
) {
    with_pool_without_port(|pool| {
        pool.install(port);
        body(pool);
    });
}

/// A pool that lives for one interleaving. When `body` returns, it has joined all threads that it
/// started, and all handles are gone. No slot may be missing then.
pub(crate) fn with_pool_without_port<
    const S: usize,
    const P: usize,
    const W: usize,
    const V: usize,
>(
    body: impl FnOnce(&'static StaticPool<S, 32, P, W, V>),
) {
    let address = Box::into_raw(Box::new(StaticPool::new()));
    // SAFETY: freed below, when no reference is left.
    let pool = unsafe { &*address };
    body(pool);
    pool.run_pending(usize::MAX);
    assert_eq!(pool.free_slots(), S, "a slot leaked");
    // SAFETY: the address is from `Box::into_raw`, and `body` leaves no reference, by its contract.
    drop(unsafe { Box::from_raw(address) });
}

/// Runs one job, if there is one.
pub(crate) fn run_one<const S: usize, const W: usize, const V: usize>(
    pool: &'static StaticPool<S, 32, 1, W, V>,
) -> bool {
    run::one(pool.pool_ref().erased, 0, None)
}

/// Starts a worker that sleeps when there is nothing to do, and leaves after it has run one job.
pub(crate) fn spawn_worker_for_one(pool: Pool<'static>) -> loom::thread::JoinHandle<()> {
    // Leaked, since the seat refers to it. The model needs little memory.
    let sleeper: &'static Sleeper = Box::leak(Box::new(Sleeper::new()));
    // SAFETY: left below.
    let seat = unsafe { pool.seats().join(sleeper, Stay::Worker) }.unwrap();
    spawn(move || {
        while !run::one(pool, seat.runner(), None) {
            seat.announce();
            if !pool.queues().has_any() {
                sleeper.park(None);
            }
            seat.retract();
        }
        // SAFETY: joined above.
        unsafe { seat.leave() };
    })
}

/// A value that counts how many of its kind exist.
pub(crate) struct Counted(Arc<AtomicUsize>);

impl Counted {
    pub(crate) fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Relaxed);
        Self(count.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let before = self.0.fetch_sub(1, Relaxed);
        assert_ne!(before, 0, "dropped twice");
    }
}

/// Sleeps until it is woken.
#[derive(Clone)]
pub(crate) struct Sleeper(Arc<Inner>);

struct Inner {
    woken: Mutex<bool>,
    condvar: Condvar,
}

impl Wake for Inner {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        *self.woken.lock().unwrap() = true;
        self.condvar.notify_one();
    }
}

impl Sleeper {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Inner {
            woken: Mutex::new(false),
            condvar: Condvar::new(),
        }))
    }

    /// Uses up a wake-up, if there is one, without a sleep.
    pub(crate) fn forget_wake_up(&self) {
        *self.0.woken.lock().unwrap() = false;
    }
}

impl Parker for Sleeper {
    fn waker(&self) -> Waker {
        self.0.clone().into()
    }

    fn park(&self, _deadline: Option<Duration>) {
        let mut woken = self.0.woken.lock().unwrap();
        if *woken {
            // The thread may have woken itself, to be polled again: let the others go on.
            loom::thread::yield_now();
        }
        while !*woken {
            woken = self.0.condvar.wait(woken).unwrap();
        }
        *woken = false;
    }
}

impl Worker for Sleeper {}

loom::thread_local! {
    static CONTEXT: (NonZeroUsize, Sleeper) = {
        static LAST: AtomicUsize = AtomicUsize::new(0);
        (NonZeroUsize::MIN.saturating_add(LAST.fetch_add(1, Relaxed)), Sleeper::new())
    };
}

/// The machine that the models run on. Its contexts are loom's threads.
pub(crate) struct Machine {
    pub(crate) has_guests: bool,
}

pub(crate) static MACHINE: Machine = Machine { has_guests: false };

/// A machine whose blocked callers run jobs, if there is no worker.
pub(crate) static GUESTS: Machine = Machine { has_guests: true };

// SAFETY: each of loom's threads has a number of its own.
unsafe impl Port for Machine {
    fn context(&self) -> NonZeroUsize {
        CONTEXT.with(|context| context.0)
    }

    fn now(&self) -> Option<Duration> {
        None
    }

    fn with_parker(&self, f: &mut dyn FnMut(&dyn Parker)) {
        let parker = CONTEXT.with(|context| context.1.clone());
        f(&parker);
    }

    fn blocked_callers_run_jobs(&self) -> bool {
        self.has_guests
    }
}
