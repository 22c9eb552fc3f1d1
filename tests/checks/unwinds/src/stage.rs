//! Where a scene is played: a pool with its workers, and the laws that hold when the scene is over.

use std::{
    cell::RefCell,
    future::Future as _,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll, Waker},
    thread::{self, JoinHandle},
};

use corepool::{FutureSet, InitError, JobFuture, PoolRef, RunError, StaticPool, as_completed};
use corepool_std::ThreadPool;

use crate::{
    bomb::{attempt, foreign},
    far,
    lockstep::Lockstep,
    machine::{Heap, StepPort, StepWorker},
    report,
    scenes::Mailbox,
    value::Value,
};

/// The pool of the scenes: small, so that a scene fills it.
pub(crate) type Pool = StaticPool<SLOTS, BYTES, PRIORITIES, WORKERS, WAITERS>;
pub(crate) const SLOTS: usize = 8;
pub(crate) const BYTES: usize = 64;
const PRIORITIES: usize = 2;
const WORKERS: usize = 4;
const WAITERS: usize = 3;

/// Any of them.
pub(crate) type View = PoolRef<'static, BYTES, Heap>;

/// The parties beside the scene's own thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrangement {
    /// Nothing, and no port: what panics reaches the caller.
    Bare,
    /// Nothing: who blocks does the work.
    Alone,
    /// Two workers of a static pool, which take turns with the scene.
    Workers,
    /// A remote worker and the far side of its link, which take turns with the scene.
    Remote,
    /// The host's pool of threads, which run as they like.
    Threads,
}

impl Arrangement {
    pub(crate) const ALL: [Self; 5] = [
        Self::Bare,
        Self::Alone,
        Self::Workers,
        Self::Remote,
        Self::Threads,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Alone => "alone",
            Self::Workers => "workers",
            Self::Remote => "remote",
            Self::Threads => "threads",
        }
    }

    /// Whether each run is like the other.
    pub(crate) fn takes_turns(self) -> bool {
        self != Self::Threads
    }
}

/// The owner of the pool's memory.
enum Owner {
    Static(*mut Pool, Option<*mut StepPort>),
    Threads(*mut ThreadPool),
}

pub(crate) struct Stage {
    pub(crate) pool: View,
    pub(crate) arrangement: Arrangement,
    pub(crate) steps: Arc<Lockstep>,
    owner: Owner,
    threads: RefCell<Vec<JoinHandle<()>>>,
    /// How many workers are in the pool's run loop.
    alive: Arc<AtomicUsize>,
    /// One has unwound out of it, and none was left.
    last_unwound: Arc<AtomicBool>,
    kept: RefCell<Vec<JobFuture<'static, Value>>>,
    mailboxes: RefCell<Vec<Mailbox>>,
}

impl Stage {
    /// A stage on which nothing has happened yet.
    pub(crate) fn new(arrangement: Arrangement) -> Self {
        let steps = Lockstep::new();
        let (pool, owner) = if arrangement == Arrangement::Threads {
            let pool = ThreadPool::builder()
                .max_workers(2)
                .capacity(SLOTS)
                .priorities(PRIORITIES)
                .spins(0)
                .initializer(|| {
                    foreign("initializer");
                    Ok::<(), InitError>(())
                })
                .build();
            let pool = Box::into_raw(Box::new(pool.unwrap_or_else(|error| panic!("{error}"))));
            // SAFETY: it lives until `end`, as all that uses it.
            let view = unsafe { &*pool }.pool_ref().spill_to();
            (view, Owner::Threads(pool))
        } else {
            let pool = Box::into_raw(Box::new(Pool::new()));
            // SAFETY: as above.
            let view: View = unsafe { &*pool }.pool_ref().spill_to();
            let port = (arrangement != Arrangement::Bare).then(|| {
                let port = Box::into_raw(Box::new(StepPort {
                    steps: Arc::clone(&steps),
                    callers_run_jobs: arrangement != Arrangement::Workers,
                }));
                // SAFETY: as above.
                view.install(unsafe { &*port });
                port
            });
            (view, Owner::Static(pool, port))
        };
        let stage = Self {
            pool,
            arrangement,
            steps,
            owner,
            threads: RefCell::default(),
            alive: Arc::default(),
            last_unwound: Arc::default(),
            kept: RefCell::default(),
            mailboxes: RefCell::default(),
        };
        match arrangement {
            Arrangement::Workers => {
                stage.start_worker();
                stage.start_worker();
            }
            Arrangement::Remote => far::start(&stage),
            _ => {}
        }
        stage
    }

    /// Another worker joins. Where nobody takes turns, there is none.
    pub(crate) fn start_worker(&self) {
        let (pool, steps) = (self.pool, Arc::clone(&self.steps));
        self.start_thread(true, move || match pool.run(&StepWorker(steps)) {
            Ok(()) | Err(RunError::Broken(_) | RunError::DeclaredLost) => {}
            Err(error) => report::broken(&format!("a worker ends with: {error}")),
        });
    }

    /// A thread that takes turns.
    pub(crate) fn start_thread(&self, is_worker: bool, main: impl FnOnce() + Send + 'static) {
        let (steps, alive) = (Arc::clone(&self.steps), Arc::clone(&self.alive));
        let (pool, last_unwound) = (self.pool, Arc::clone(&self.last_unwound));
        let number = steps.add();
        self.threads.borrow_mut().push(thread::spawn(move || {
            steps.begin(number);
            alive.fetch_add(usize::from(is_worker), SeqCst);
            // It unwinds as the thread of a program would, and is gone.
            if guard("a thread", main).is_none() && is_worker && pool.workers() == 0 {
                last_unwound.store(true, SeqCst);
            }
            alive.fetch_sub(usize::from(is_worker), SeqCst);
            steps.end();
        }));
        self.steps.let_others_go_on();
    }

    /// A future that is looked at when the scene is over.
    pub(crate) fn keep(&self, future: JobFuture<'static, Value>) {
        self.kept.borrow_mut().push(future);
    }

    /// Where a task leaves its waker. It is woken at the latest when the scene is over.
    pub(crate) fn mailbox(&self) -> Mailbox {
        let mailbox = Mailbox::default();
        self.mailboxes.borrow_mut().push(Arc::clone(&mailbox));
        mailbox
    }

    /// The work that is queued is done, by whoever does it here.
    pub(crate) fn work(&self) {
        match self.arrangement {
            Arrangement::Bare | Arrangement::Alone => while self.pool.run_pending(4) > 0 {},
            Arrangement::Workers | Arrangement::Remote => self.steps.let_others_go_on(),
            Arrangement::Threads => {}
        }
    }

    /// The same, when nothing panics any more but what was to.
    fn settle(&self) {
        self.work_off();
        if self.alive.load(SeqCst) == 0 && self.arrangement.takes_turns() {
            // Panics of jobs that nobody catches come out here.
            for _ in 0..100 {
                if attempt(|| self.pool.run_pending(100)) == Some(0) {
                    return;
                }
            }
            report::broken("the queue does not become empty");
        }
        while !self.arrangement.takes_turns() && self.pool.unfinished() > 0 {
            thread::yield_now();
        }
    }

    fn work_off(&self) {
        if let Arrangement::Workers | Arrangement::Remote = self.arrangement {
            self.steps.let_others_go_on();
        }
    }

    /// The scene is over, and nothing panics any more: says which laws are broken, and takes all down.
    pub(crate) fn end(self, check_wakers: bool) {
        self.settle();
        // A task comes to leave it at its second poll only.
        for mailbox in self.mailboxes.take() {
            crate::scenes::wake_task(&mailbox);
        }
        self.settle();
        let closed = self.pool.is_shut_down() || self.pool.broken_reason().is_some();
        let alive = self.alive.load(SeqCst);
        if self.arrangement.takes_turns() && self.pool.workers() != alive {
            let counted = self.pool.workers();
            report::broken(&format!("{counted} workers are counted, {alive} are there"));
        }
        if self.last_unwound.load(SeqCst) && !closed {
            report::broken("the last worker has unwound, and the pool is not broken");
        }
        for (number, mut future) in self.kept.take().into_iter().enumerate() {
            // Nobody waits here for threads that run as they like: callbacks may be running yet.
            while !self.arrangement.takes_turns() && !future.done() {
                thread::yield_now();
            }
            if attempt(|| future.try_result()).is_some_and(|result| result.is_none()) {
                report::broken(&format!("future {number} has no end: {:?}", future.state()));
            }
        }
        if !closed && self.does_another_job() {
            self.has_all_waiters();
        }
        self.settle();
        if let Owner::Threads(pool) = self.owner {
            // They may be at work on the last of it.
            // SAFETY: it is there until `shut_down`.
            guard("shutdown", || unsafe { &*pool }.shutdown(true, false));
        }
        let (free, capacity) = (self.pool.free_slots(), self.pool.capacity());
        if free != capacity {
            report::broken(&format!("{free} of {capacity} slots are free"));
        }
        self.shut_down();
        for value in crate::value::unbalanced() {
            report::broken(&value);
        }
        let wakers = crate::lockstep::WAKERS.swap(0, SeqCst);
        if check_wakers && wakers != 0 {
            report::broken(&format!("{wakers} wakers were not dropped"));
        }
    }

    /// Whether it does, and so goes on.
    fn does_another_job(&self) -> bool {
        let result = self.pool.submit(|| 7).map(|job| {
            self.settle();
            guard("another job", || job.result())
        });
        if let Ok(Some(Ok(7))) = result {
            return true;
        }
        if !self.has_broken_late() {
            report::broken(&format!("another job ends with {result:?}"));
        }
        false
    }

    /// A thread that runs as it likes may still unwind out of its initializer, or of a log point after its last job,
    /// and break the pool with it.
    fn has_broken_late(&self) -> bool {
        !self.arrangement.takes_turns() && self.pool.broken_reason().is_some()
    }

    /// As many waits as there are WAITERS can be begun.
    fn has_all_waiters(&self) {
        let waiters = match self.arrangement {
            Arrangement::Threads => 32,
            _ => WAITERS,
        };
        let mut places = Vec::new();
        for number in 0..waiters.min(SLOTS) {
            let (promise, future) = loop {
                if let Ok(both) = self.pool.promise::<u32>() {
                    break both;
                }
                if self.has_broken_late() {
                    return;
                }
                if self.arrangement.takes_turns() {
                    report::broken("no slot for a promise");
                    return;
                }
                // The callbacks of a shared job keep its slot, and nobody waits for them. The parent
                // process sees if a slot is lost.
                thread::yield_now();
            };
            let mut set = FutureSet::<'_, _, 1>::new();
            let _ = set.push(future);
            let mut completed = as_completed(set, None);
            let polled = pin!(completed.next_done()).poll(&mut Context::from_waker(Waker::noop()));
            if !matches!(polled, Poll::Pending) {
                report::broken(&format!("only {number} waits can be begun"));
            }
            places.push((promise, completed));
        }
    }

    fn shut_down(self) {
        if guard("shutdown", || self.pool.shutdown(false, false)).is_none() {
            report::broken("shutdown panics");
        }
        self.settle();
        let alive = self.alive.load(SeqCst);
        if alive > 0 {
            report::hangs(&format!("after the shutdown {alive} workers stay"));
        }
        if self.arrangement.takes_turns() {
            if let Some(Err(error)) = guard("shutdown", || self.pool.shutdown(true, false)) {
                report::broken(&format!("shutdown: {error}"));
            }
            let idle = self.pool.idle_workers();
            if idle > 0 {
                report::broken(&format!("{idle} workers that are gone count as idle"));
            }
        }
        for thread in self.threads.take() {
            let _ = thread.join();
        }
        guard("the pool's drop", || match self.owner {
            // SAFETY: made in `new`, and nobody uses it any more.
            Owner::Static(pool, port) => unsafe {
                drop(Box::from_raw(pool));
                if let Some(port) = port {
                    drop(Box::from_raw(port));
                }
            },
            // SAFETY: as above.
            Owner::Threads(pool) => drop(unsafe { Box::from_raw(pool) }),
        });
    }
}

/// Calls `f`; a panic that is no part of the scene is reported.
pub(crate) fn guard<R>(who: &str, f: impl FnOnce() -> R) -> Option<R> {
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| attempt(f)));
    caught.unwrap_or_else(|payload| {
        let text = payload
            .downcast_ref::<String>()
            .map(String::as_str)
            .or(payload.downcast_ref::<&str>().copied())
            .unwrap_or("no text");
        report::broken(&format!("{who} panics by itself: {text}"));
        None
    })
}
