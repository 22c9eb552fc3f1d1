//! The parts of tests: gates, counters, futures in a given state.

use std::{
    hint::black_box,
    mem::MaybeUninit,
    panic::resume_unwind,
    pin::pin,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
        mpsc::{RecvTimeoutError, channel},
    },
    task::{Context, Poll, Wake},
    thread,
    time::Duration,
};

use corepool::{JobError, JobFuture, PoolRef, ReturnWhen, Spill, wait};

use crate::{
    fixture::{Fixture, Pool, keep},
    methods::Methods,
};

/// When a test that hangs fails.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A time that is never over. A wait that long which no wake-up ends makes the test hang, and so fail.
pub const LONG: Duration = Duration::from_secs(60 * PATIENCE.as_secs());

/// Lets the other parties go on: the host's threads, or the contexts of a simulated chip.
pub fn yield_now() {
    corepool::spin_loop();
    thread::yield_now();
}

/// Waits until a condition holds.
pub type Waits = fn(&dyn Fn() -> bool);

static GATES_WAIT: OnceLock<Waits> = OnceLock::new();

/// Makes all gates of the process wait by `waits`, instead of on a thread of the host.
pub fn gates_wait_by(waits: Waits) {
    let _ = GATES_WAIT.set(waits);
}

/// Waits for a future's output. The future is polled again only when its waker was woken.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let Some(waits) = GATES_WAIT.get() else {
        return futures_lite::future::block_on(future);
    };
    let woken = Arc::new(CountingWaker::default());
    let waker = Arc::clone(&woken).into();
    let mut future = pin!(future);
    loop {
        let seen = woken.count();
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        waits(&|| woken.count() > seen);
    }
}

/// Runs a test of the generic suite: on each of the fixture's schedules, and not for ever.
///
/// # Panics
///
/// If the test does, or if it hangs.
pub fn run<F: Fixture>(name: &'static str, test: fn()) {
    run_for(F::PATIENCE, move || F::run(name, test));
}

/// Runs `test` in a thread of its own, to fail instead of hanging.
///
/// # Panics
///
/// If the test does, or if it takes longer than `patience`.
pub fn run_for(patience: Duration, test: impl FnOnce() + Send + 'static) {
    let (sender, receiver) = channel::<()>();
    let thread = thread::spawn(move || {
        let _sender = sender;
        test();
    });
    match receiver.recv_timeout(patience) {
        Err(RecvTimeoutError::Timeout) => panic!("the test hangs"),
        _ => {
            if let Err(payload) = thread.join() {
                resume_unwind(payload);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Closed at first; whoever waits at it goes on when it is opened, and it stays open.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<(Mutex<usize>, Condvar)>);

impl Gate {
    /// A closed gate.
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens it: whoever waits goes on.
    pub fn open(&self) {
        *lock(&self.0.0) += 1;
        self.0.1.notify_all();
    }

    /// Whether it is open.
    pub fn is_open(&self) -> bool {
        *lock(&self.0.0) > 0
    }

    /// How often it was opened.
    pub fn times(&self) -> usize {
        *lock(&self.0.0)
    }

    /// Waits until it is open.
    ///
    /// # Panics
    ///
    /// If nobody opens it for a very long time.
    pub fn wait(&self) {
        self.wait_for(1);
    }

    /// Waits until it was opened `times` times: for so many parties to arrive.
    ///
    /// # Panics
    ///
    /// If they do not for a very long time.
    pub fn wait_for(&self, times: usize) {
        if let Some(waits) = GATES_WAIT.get() {
            return waits(&|| self.times() >= times);
        }
        let (opened, timed_out) = self
            .0
            .1
            .wait_timeout_while(lock(&self.0.0), PATIENCE, |opened| *opened < times)
            .unwrap_or_else(PoisonError::into_inner);
        drop(opened);
        assert!(!timed_out.timed_out(), "nobody opens the gate");
    }
}

/// Counts what was made and what was dropped: each thing once, or something is wrong.
#[derive(Clone, Copy, Debug)]
pub struct Drops {
    // Kept for ever, so that a thing that is dropped twice can be counted twice.
    made: &'static AtomicUsize,
    dropped: &'static AtomicUsize,
}

/// A thing whose drop is counted.
#[derive(Debug)]
pub struct Token(Drops);

impl Drops {
    /// Nothing made yet.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        Self {
            made: keep(AtomicUsize::new(0)),
            dropped: keep(AtomicUsize::new(0)),
        }
    }

    /// A thing to be counted.
    pub fn token(self) -> Token {
        self.made.fetch_add(1, Ordering::SeqCst);
        Token(self)
    }

    /// How many tokens were made.
    pub fn made(self) -> usize {
        self.made.load(Ordering::SeqCst)
    }

    /// How many were dropped.
    pub fn dropped(self) -> usize {
        self.dropped.load(Ordering::SeqCst)
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        self.0.dropped.fetch_add(1, Ordering::SeqCst);
    }
}

/// The events, in their order.
#[derive(Debug)]
pub struct Recorder<T>(Arc<Mutex<Vec<T>>>);

impl<T> Clone for Recorder<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Recorder<T> {
    /// Nothing has happened.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        Self(Arc::default())
    }

    /// This happens now.
    pub fn note(&self, what: T) {
        lock(&self.0).push(what);
    }

    /// The events since the last call.
    pub fn take(&self) -> Vec<T> {
        std::mem::take(&mut *lock(&self.0))
    }
}

/// A waker that counts how often it was woken.
#[derive(Debug, Default)]
pub struct CountingWaker(AtomicUsize);

impl CountingWaker {
    /// How often it was woken.
    pub fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for CountingWaker {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Makes the payload of the free slot that will be taken next one that nobody has written yet, in
/// the eyes of valgrind, which follows undefined bytes where they are copied to. Then it tells who
/// reads there what was not put there, in a slot that was used before just as in a new one.
pub fn undefine_next_slot<const BYTES: usize, S: Spill>(pool: PoolRef<'_, BYTES, S>) {
    if let Ok((promise, _future)) = pool.promise() {
        let undefined = Box::new([const { MaybeUninit::<u8>::uninit() }; BYTES]);
        let _ = promise.set_result(*black_box(undefined));
    }
}

/// Waits until nothing is queued or running in the pool.
pub fn drain<F: Fixture>(fixture: &F) {
    while fixture.pool().unfinished() > 0 {
        yield_now();
    }
}

/// Waits until every slot is free again. A worker frees the slot of its job a moment after the job
/// has ended; a slot that is lost is waited for without end.
pub fn all_slots_come_back<F: Fixture>(fixture: &F) {
    while fixture.pool().free_slots() != fixture.pool().capacity() {
        yield_now();
    }
}

/// A future that is done, with this result.
pub fn done_future<F: Fixture, T: Send + 'static>(fixture: &F, result: T) -> JobFuture<'static, T> {
    let (promise, future) = promise(fixture);
    assert!(promise.set_result(result).is_ok());
    future
}

/// A future whose job has panicked with `"doh!"`.
pub fn failed_future<F: Fixture, T: Send + 'static>(fixture: &F) -> JobFuture<'static, T> {
    let job = || -> T { resume_unwind(Box::new("doh!")) };
    let mut future = fixture.pool().submit(job).unwrap();
    wait(
        std::slice::from_mut(&mut future),
        None,
        ReturnWhen::AllCompleted,
    )
    .unwrap();
    future
}

/// A future that was cancelled.
pub fn cancelled_future<F: Fixture, T: Send + 'static>(fixture: &F) -> JobFuture<'static, T> {
    let (promise, future) = promise(fixture);
    assert!(future.cancel());
    drop(promise);
    future
}

/// A future that was cancelled while its job was queued, which a worker has passed since. In CPython
/// its state is `CANCELLED_AND_NOTIFIED`; here it is told from others by nothing.
pub fn passed_future<F: Fixture, T: Send + 'static>(fixture: &F) -> JobFuture<'static, T> {
    let hold = fixture.hold_workers();
    let job = || -> T { unreachable!("it is cancelled") };
    let future = fixture.pool().submit(job).unwrap();
    assert!(future.cancel());
    drop(hold);
    // The next job of a pool's only worker runs after it has passed the one before.
    fixture.pool().submit(|| ()).unwrap().result().unwrap();
    future
}

/// The text that a job has panicked with.
///
/// # Panics
///
/// If it has not, or not with a text.
pub fn text_of(error: JobError) -> String {
    let JobError::Panicked(panic) = error else {
        panic!("{error}");
    };
    crate::port::text_of(panic)
}

fn promise<F: Fixture, T: Send + 'static>(
    fixture: &F,
) -> (corepool::Promise<'static, T>, JobFuture<'static, T>) {
    let pool: Pool<F> = fixture.pool();
    pool.promise().unwrap()
}

/// Calls `look` with the future of a job, from inside that job, while it is running; returns what
/// `look` returned and the future.
pub fn while_running<F, R>(
    fixture: &F,
    look: impl FnOnce(&JobFuture<'static, u32>) -> R + Send + 'static,
) -> (R, JobFuture<'static, u32>)
where
    F: Fixture,
    R: Send + 'static,
{
    type Shared<R> = Mutex<(Option<JobFuture<'static, u32>>, Option<R>)>;
    let shared: Arc<Shared<R>> = Arc::default();
    let hold = fixture.hold_workers();
    let inside = Arc::clone(&shared);
    let future = fixture.pool().submit(move || {
        let future = lock(&inside).0.take();
        let seen = future.as_ref().map(look);
        *lock(&inside) = (future, seen);
        42
    });
    lock(&shared).0 = Some(future.unwrap());
    drop(hold);
    loop {
        fixture.pool();
        let mut shared = lock(&shared);
        if let Some(seen) = shared.1.take() {
            return (seen, shared.0.take().unwrap());
        }
        drop(shared);
        yield_now();
    }
}
