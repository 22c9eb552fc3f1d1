//! A pool with a port that uses all that its contract allows, or does not keep it.

use std::{
    cell::Cell,
    collections::HashSet,
    future::Future,
    marker::PhantomPinned,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::{
        Arc, Barrier, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc::{Sender, channel},
    },
    task::{Context, Poll, Waker},
    thread,
    time::Duration,
};

use corepool::{
    AsCompletedError, ContextId, FutureSet, InitError, JobError, JobFuture, JobState, OnLoss,
    Panic, Parker, Port, ReturnWhen, RunError, ShutdownError, SpinWorker, StaticPool, SubmitError,
    WaitError, Worker, WorkerId, as_completed, wait,
};
use corepool_std::{HostPort, run_workers};
use corepool_tests::{Drops, PATIENCE, Token};

type Pool = StaticPool<4, 64>;

/// A port whose contexts may not block, as interrupt handlers may not: it has no parker for them.
struct Handler;

// SAFETY: contexts and panics are the host's.
unsafe impl Port for Handler {
    fn context(&self) -> ContextId {
        HostPort.context()
    }

    fn now(&self) -> Option<Duration> {
        HostPort.now()
    }

    fn with_parker(&self, _f: &mut dyn FnMut(&dyn Parker)) {}
}

static HANDLER: Handler = Handler;

/// A pool in whose handlers somebody submits.
fn pool() -> &'static Pool {
    let pool: &'static Pool = Box::leak(Box::new(Pool::new()));
    assert!(pool.install(&HANDLER));
    pool
}

/// A job that nobody has begun.
fn queued(pool: &'static Pool) -> JobFuture<'static, String> {
    pool.submit(|| String::from("a result")).unwrap()
}

#[test]
fn result_in_a_context_that_may_not_block_is_an_error() {
    let job = queued(pool());
    assert!(matches!(job.result(), Err(JobError::WouldDeadlock)));
}

#[test]
fn the_other_ways_to_wait_for_one_job_are_errors_too_and_lose_nothing() {
    let pool = pool();
    let mut job = queued(pool);
    let patience = Duration::from_secs(1);
    let refused = job.result_timeout(patience);
    assert!(matches!(refused, Err(JobError::WouldDeadlock)));
    assert!(matches!(job.error(), Some(JobError::WouldDeadlock)));
    let refused = job.error_timeout(patience);
    assert!(matches!(refused, Err(JobError::WouldDeadlock)));
    assert_eq!(pool.run_pending(1), 1);
    assert_eq!(job.try_result().unwrap().unwrap(), "a result");
}

#[test]
fn a_result_that_is_there_needs_no_waiting() {
    let pool = pool();
    let job = queued(pool);
    pool.run_pending(1);
    assert_eq!(job.result().unwrap(), "a result");
}

#[test]
fn waits_on_several_jobs_are_errors() {
    let pool = pool();
    let mut jobs = [queued(pool), queued(pool)];
    for when in [
        ReturnWhen::FirstCompleted,
        ReturnWhen::FirstException,
        ReturnWhen::AllCompleted,
    ] {
        let refused = wait(&mut jobs, None, when).map(drop);
        assert_eq!(refused, Err(WaitError::WouldDeadlock));
    }
    let set: FutureSet<'_, String, 2> = jobs.into_iter().collect();
    let said: Vec<_> = as_completed(set, None).map(|next| next.map(drop)).collect();
    let refused = AsCompletedError::Wait(WaitError::WouldDeadlock);
    assert_eq!(said, [Err(refused)]);
}

#[test]
fn a_submit_that_would_wait_for_room_gives_the_job_back() {
    let pool = pool();
    let kept: Vec<_> = (0..pool.capacity()).map(|_| queued(pool)).collect();
    let Err(SubmitError::WouldDeadlock(job)) = pool.submit_blocking(|| 7) else {
        panic!("there is no room, and the context may not block");
    };
    assert_eq!(job(), 7);
    drop(kept);
}

#[test]
fn a_map_whose_results_are_not_there_says_so() {
    let pool = pool();
    let first = pool.map(0..2, |n| n).next().unwrap();
    assert!(matches!(first, Err(JobError::WouldDeadlock)));
}

#[test]
fn a_scope_that_could_not_wait_takes_no_jobs() {
    let text = String::from("borrowed");
    let length = pool().scope(|scope| {
        let Err(SubmitError::WouldDeadlock(job)) = scope.submit(|| text.len()) else {
            panic!("the scope's end would have to wait for the job");
        };
        job()
    });
    assert_eq!(length, text.len());
}

#[test]
fn shutdown_with_a_wait_is_an_error_where_there_is_something_to_wait_for() {
    let pool = pool();
    let job = queued(pool);
    let refused = pool.shutdown(true, false);
    assert_eq!(refused, Err(ShutdownError::WouldDeadlock));
    assert!(pool.is_shut_down());
    pool.run_pending(1);
    assert_eq!(pool.shutdown(true, false), Ok(()));
    drop(job);
}

#[test]
fn a_port_comes_before_the_workers_or_not_at_all() {
    static POOL: Pool = Pool::new();
    let (joined, is_there) = channel();
    let worker = thread::spawn(move || POOL.run(&Tells(joined)));
    is_there.recv().unwrap();
    assert!(!POOL.install(&HostPort));
    // Nobody knows its context, so it runs what its job waits for.
    let nested = POOL.submit(|| POOL.submit(|| 1).unwrap().result());
    let mut nested = nested.unwrap();
    while !nested.done() {
        thread::yield_now();
    }
    assert_eq!(nested.try_result().unwrap().unwrap().unwrap(), 1);
    POOL.shutdown(false, false).unwrap();
    worker.join().unwrap().unwrap();
}

/// `SpinWorker` never comes to park, where other workers look for a circle.
#[test]
fn a_circle_of_workers_that_never_sleep_is_found() {
    static POOL: Pool = Pool::new();
    static FUTURES: Mutex<[Option<JobFuture<'static, ()>>; 2]> = Mutex::new([None, None]);
    assert!(POOL.install(&HostPort));
    let workers = [(); 2].map(|()| thread::spawn(|| POOL.run(&SpinWorker)));
    let (said, told) = channel();
    let both_run = Arc::new(Barrier::new(3));
    let jobs = [1, 0].map(|other: usize| {
        let (said, both_run) = (said.clone(), Arc::clone(&both_run));
        let job = POOL.submit(move || {
            both_run.wait();
            // The futures are there when all have come here.
            both_run.wait();
            let other = FUTURES.lock().unwrap()[other].take().unwrap();
            said.send(other.result()).unwrap();
        });
        Some(job.unwrap())
    });
    both_run.wait();
    *FUTURES.lock().unwrap() = jobs;
    both_run.wait();
    let said = [(); 2].map(|()| told.recv_timeout(PATIENCE).expect("the circle is found"));
    assert!(
        said.iter()
            .any(|said| matches!(said, Err(JobError::WouldDeadlock)))
    );
    POOL.shutdown(false, false).unwrap();
    for worker in workers {
        worker.join().unwrap().unwrap();
    }
}

/// A worker that never sleeps, and tells when it has joined.
struct Tells(Sender<()>);

impl Parker for Tells {
    fn waker(&self) -> Waker {
        Waker::noop().clone()
    }

    fn park(&self, _deadline: Option<Duration>) {
        thread::yield_now();
    }
}

impl Worker for Tells {
    fn on_start(&self, _worker: WorkerId) -> Result<(), InitError> {
        self.0.send(()).unwrap();
        Ok(())
    }
}

#[test]
fn a_job_cannot_lend_its_worker_again() {
    static POOL: Pool = Pool::new();
    let workers = run_workers(&POOL, 1).unwrap();
    let again = POOL.submit(|| POOL.run(&SpinWorker)).unwrap();
    assert_eq!(again.result().unwrap(), Err(RunError::AlreadyWorker));
    drop(workers);
}

/// A pool of one worker at a time.
type OnePlace = StaticPool<4, 64, 1, 1, 1>;

/// A worker that declares another lost as it starts: the one that is given, or itself.
struct Declares {
    pool: &'static OnePlace,
    lost: Option<WorkerId>,
    on_loss: OnLoss,
    own: Cell<Option<WorkerId>>,
}

impl Parker for Declares {
    fn waker(&self) -> Waker {
        SpinWorker.waker()
    }

    fn park(&self, deadline: Option<Duration>) {
        SpinWorker.park(deadline);
    }
}

impl Worker for Declares {
    fn on_start(&self, worker: WorkerId) -> Result<(), InitError> {
        self.own.set(Some(worker));
        // SAFETY: no scopes here.
        unsafe {
            self.pool
                .worker_lost(self.lost.unwrap_or(worker), self.on_loss)
        };
        Ok(())
    }
}

/// A worker that has come to the pool's only place, and left it.
fn one_that_has_left(pool: &'static OnePlace) -> WorkerId {
    let worker = Declares {
        pool,
        lost: None,
        on_loss: OnLoss::Continue,
        own: Cell::new(None),
    };
    assert_eq!(pool.run(&worker), Err(RunError::DeclaredLost));
    worker.own.get().unwrap()
}

#[test]
fn a_worker_that_has_left_is_not_lost_in_the_place_of_the_next() {
    static POOL: OnePlace = OnePlace::new();
    let left = one_that_has_left(&POOL);
    let mut job = POOL.submit(|| 7).unwrap();
    POOL.shutdown(false, false).unwrap();
    let next = Declares {
        pool: &POOL,
        lost: Some(left),
        on_loss: OnLoss::Break,
        own: Cell::new(None),
    };
    assert_eq!(POOL.run(&next), Ok(()));
    assert_eq!(job.try_result().unwrap().unwrap(), 7);
    let own = next.own.get().unwrap();
    assert_eq!((own.index(), own == left), (left.index(), false));
}

#[test]
fn a_worker_that_has_left_is_not_lost_in_the_seat_of_a_guest() {
    static POOL: OnePlace = OnePlace::new();
    static PORT: HostPort = HostPort;
    assert!(POOL.install(&PORT));
    let left = one_that_has_left(&POOL);
    // SAFETY: no scopes here.
    let declare = move || unsafe { POOL.worker_lost(left, OnLoss::Break) };
    let mut declares = POOL.submit(declare).unwrap();
    let mut next = POOL.submit(|| 7).unwrap();
    assert_eq!(POOL.run_pending(2), 2);
    assert!(declares.try_result().unwrap().is_ok());
    assert_eq!(next.try_result().unwrap().unwrap(), 7);
    assert_eq!(POOL.broken_reason(), None);
}

#[test]
fn sixty_four_workers_of_one_number_are_told_apart() {
    static POOL: OnePlace = OnePlace::new();
    let workers: Vec<_> = (0..64).map(|_| one_that_has_left(&POOL)).collect();
    assert!(workers.iter().all(|worker| worker.index() == 0));
    assert_eq!(workers.into_iter().collect::<HashSet<_>>().len(), 64);
}

#[test]
fn awaiting_is_no_waiting() {
    let pool = pool();
    let mut job = pin!(queued(pool));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(job.as_mut().poll(&mut cx).is_pending());
    pool.run_pending(1);
    assert!(matches!(job.poll(&mut cx), Poll::Ready(Ok(_))));
}

/// The behaviour of a port's `catch_panic`.
#[derive(Clone, Copy, Debug)]
enum Net {
    /// An error, although what it called has returned.
    Fails,
    /// Nothing is called.
    DoesNotCall,
    CallsTwice,
    /// It panics itself, once, before or after it calls.
    PanicsFirst,
    PanicsAfter,
}

/// A port with such a net.
struct Netted {
    net: Net,
    has_panicked: AtomicBool,
}

impl Netted {
    fn new(net: Net) -> Self {
        Self {
            net,
            has_panicked: AtomicBool::new(false),
        }
    }

    fn panic_once(&self) {
        assert!(
            self.has_panicked.swap(true, Ordering::Relaxed),
            "as asked for"
        );
    }
}

impl Net {
    const ALL: [Self; 5] = [
        Self::Fails,
        Self::DoesNotCall,
        Self::CallsTwice,
        Self::PanicsFirst,
        Self::PanicsAfter,
    ];
}

// SAFETY: contexts are the host's.
unsafe impl Port for Netted {
    fn context(&self) -> ContextId {
        HostPort.context()
    }

    fn now(&self) -> Option<Duration> {
        None
    }

    fn with_parker(&self, f: &mut dyn FnMut(&dyn Parker)) {
        HostPort.with_parker(f);
    }

    fn catch_panic(&self, f: &mut dyn FnMut()) -> Result<(), Panic> {
        match self.net {
            Net::Fails => {
                f();
                return Err(Panic::new("took too long"));
            }
            Net::DoesNotCall => {}
            Net::CallsTwice => {
                f();
                f();
            }
            Net::PanicsFirst => {
                self.panic_once();
                f();
            }
            Net::PanicsAfter => {
                f();
                self.panic_once();
            }
        }
        Ok(())
    }
}

/// A pool with such a net, and one slot.
fn pool_with(net: Net) -> &'static StaticPool<1, 64> {
    let pool: &'static StaticPool<1, 64> = Box::leak(Box::new(StaticPool::new()));
    assert!(pool.install(Box::leak(Box::new(Netted::new(net)))));
    pool
}

/// Runs the oldest job; the net may panic.
fn run_one(pool: &'static StaticPool<1, 64>) {
    let _ = catch_unwind(AssertUnwindSafe(|| pool.run_pending(1)));
}

#[test]
fn a_job_that_returned_has_its_result_whatever_the_net_says() {
    for net in [
        Net::Fails,
        Net::DoesNotCall,
        Net::CallsTwice,
        Net::PanicsAfter,
    ] {
        let pool = pool_with(net);
        let mut job = pool.submit(|| String::from("a result")).unwrap();
        run_one(pool);
        assert_eq!(job.try_result().unwrap().unwrap(), "a result");
    }
}

#[test]
fn a_job_that_the_net_did_not_call_is_dropped_once_and_has_panicked() {
    let tokens = Drops::new();
    let pool = pool_with(Net::PanicsFirst);
    let token = tokens.token();
    let mut job = pool.submit(move || drop(token)).unwrap();
    run_one(pool);
    assert!(matches!(job.try_result(), Some(Err(JobError::Panicked(_)))));
    assert_eq!(tokens.dropped(), 1);
}

#[test]
fn a_result_that_nobody_takes_is_dropped_once_whatever_the_net_says() {
    for net in Net::ALL {
        let tokens = Drops::new();
        let pool = pool_with(net);
        let token = tokens.token();
        let (promise, future) = pool.promise().unwrap();
        assert!(promise.set_result(token).is_ok());
        let _ = catch_unwind(AssertUnwindSafe(|| drop(future)));
        assert_eq!((tokens.dropped(), pool.free_slots()), (1, 1), "{net:?}");
    }
}

#[test]
fn a_callback_is_called_once_whatever_the_net_says() {
    for net in Net::ALL {
        let tokens = Drops::new();
        let called = Arc::new(AtomicUsize::new(0));
        let pool: &StaticPool<2, 64> = Box::leak(Box::new(StaticPool::new()));
        assert!(pool.install(Box::leak(Box::new(Netted::new(net)))));
        let (promise, mut future) = pool.promise::<()>().unwrap();
        let (token, calls) = (tokens.token(), Arc::clone(&called));
        let callback = move |_: Result<&(), &JobError>| {
            calls.fetch_add(1, Ordering::Relaxed);
            drop(token);
        };
        future.add_done_callback(callback).unwrap();
        let _ = catch_unwind(AssertUnwindSafe(|| promise.set_result(())));
        let calls = called.load(Ordering::Relaxed);
        assert_eq!((calls, tokens.dropped()), (1, 1), "{net:?}");
    }
}

/// Waits for ever.
struct Pinned {
    _token: Token,
    _pinned: PhantomPinned,
}

impl Future for Pinned {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

#[test]
fn a_task_stays_pinned_until_it_is_dropped_whatever_the_net_says() {
    for net in Net::ALL {
        let tokens = Drops::new();
        let pool = pool_with(net);
        let task = Pinned {
            _token: tokens.token(),
            _pinned: PhantomPinned,
        };
        let task = pool.spawn(task).unwrap();
        run_one(pool);
        // Either it waits, or it was dropped in its place, which is free then.
        if task.state() == JobState::Pending {
            assert_eq!(tokens.dropped(), 0);
            let _ = catch_unwind(AssertUnwindSafe(|| task.cancel()));
        }
        assert_eq!(tokens.dropped(), 1);
        let _ = catch_unwind(AssertUnwindSafe(|| drop(task)));
        assert_eq!(pool.free_slots(), 1);
    }
}
