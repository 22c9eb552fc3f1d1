//! A worker while a job on it blocks, and a blocked caller that is no worker: when they sleep, which
//! wake-up ends the sleep, and which party does the work.

use std::{
    cell::RefCell,
    future::Future as _,
    sync::{Arc, Mutex, mpsc::channel},
    task::{Context, Wake, Waker},
    thread::{self, JoinHandle},
    time::Duration,
};

use corepool::{
    ContextId, JobError, JobId, Parker, PoolRef, Port, ReturnWhen, RunError, Spill, StaticPool,
    WaitError, Worker, wait,
};
use corepool_std::{HostPort, ThreadPool};
use corepool_tests::{Gate, LONG, TellsOfParking, run_for};

type Pool = StaticPool<8, 64>;

/// A worker on the host that tells when it goes to sleep, and does not come back before it may.
struct Sleeper<'a> {
    parker: &'a dyn Parker,
    asleep: Gate,
    may_wake: Gate,
}

impl Parker for Sleeper<'_> {
    fn waker(&self) -> Waker {
        self.parker.waker()
    }

    fn park(&self, deadline: Option<Duration>) {
        self.asleep.open();
        self.parker.park(deadline);
        self.may_wake.wait();
    }
}

impl Worker for Sleeper<'_> {}

/// Lends a thread to the pool.
fn start(pool: &'static Pool, asleep: &Gate, may_wake: &Gate) -> JoinHandle<Result<(), RunError>> {
    pool.install(&HostPort);
    let (asleep, may_wake) = (asleep.clone(), may_wake.clone());
    thread::spawn(move || {
        let mut ended = Ok(());
        HostPort.with_parker(&mut |parker| {
            ended = pool.run(&Sleeper {
                parker,
                asleep: asleep.clone(),
                may_wake: may_wake.clone(),
            });
        });
        ended
    })
}

fn open_gate() -> Gate {
    let gate = Gate::new();
    gate.open();
    gate
}

/// It waits for a job that runs on another worker.
#[test]
fn a_worker_that_sleeps_in_a_wait_is_woken_by_the_result() {
    static POOL: Pool = Pool::new();
    let (started, release) = (Gate::new(), Gate::new());
    let (start_gate, held) = (started.clone(), release.clone());
    let other = POOL.submit(move || {
        start_gate.open();
        held.wait();
        20
    });
    let busy = start(&POOL, &Gate::new(), &open_gate());
    started.wait();
    let job = POOL
        .submit(|| other.unwrap().result().unwrap() + 1)
        .unwrap();
    let asleep = Gate::new();
    let waiting = start(&POOL, &asleep, &open_gate());
    asleep.wait();
    release.open();
    assert_eq!(job.result().unwrap(), 21);
    POOL.shutdown(true, false).unwrap();
    assert_eq!(
        [busy, waiting].map(|thread| thread.join().unwrap()),
        [Ok(()); 2]
    );
}

/// The hooks around a job name it by its slot.
#[test]
fn a_worker_is_told_of_each_job_by_its_number() {
    #[derive(Default)]
    struct Told {
        started: RefCell<Vec<usize>>,
        ended: RefCell<Vec<usize>>,
    }
    impl Parker for Told {
        fn waker(&self) -> Waker {
            Waker::noop().clone()
        }

        fn park(&self, _deadline: Option<Duration>) {}
    }
    impl Worker for Told {
        fn on_job_start(&self, job: JobId) {
            self.started.borrow_mut().push(job.index());
        }

        fn on_job_end(&self, job: JobId) {
            self.ended.borrow_mut().push(job.index());
        }
    }
    let pool = Pool::new();
    let told = Told::default();
    // All slots are taken at once, so that each has its job.
    let jobs = [(); 8].map(|()| pool.submit(|| ()).unwrap());
    pool.shutdown(false, false).unwrap();
    pool.run(&told).unwrap();
    drop(jobs);
    let numbers = told.started.into_inner();
    assert_eq!(numbers, told.ended.into_inner());
    let mut sorted = numbers;
    sorted.sort_unstable();
    assert_eq!(sorted, [0, 1, 2, 3, 4, 5, 6, 7]);
}

/// A suspended task is with no worker, not even with the one that polled it last.
#[test]
fn a_job_may_wait_for_a_task_of_its_own_worker() {
    static POOL: Pool = Pool::new();
    let (promise, awaited) = POOL.promise().unwrap();
    let task = POOL.spawn(async { awaited.await.unwrap() + 1 }).unwrap();
    let job = POOL.submit(|| task.result().unwrap() + 1).unwrap();
    let asleep = Gate::new();
    let worker = start(&POOL, &asleep, &open_gate());
    asleep.wait();
    promise.set_result(40).unwrap();
    assert_eq!(job.result().unwrap(), 42);
    POOL.shutdown(true, false).unwrap();
    assert_eq!(worker.join().unwrap(), Ok(()));
}

/// It is told that it would wait for ever, whatever else there is in the set.
#[test]
fn a_job_that_waits_for_all_of_a_set_with_itself_is_told() {
    static POOL: Pool = Pool::new();
    let (promise, other) = POOL.promise::<()>().unwrap();
    let own = Arc::new(Mutex::new(None));
    let (inside, (sender, said)) = (Arc::clone(&own), channel());
    let job = POOL.submit(move || {
        let mut set = [inside.lock().unwrap().take().unwrap(), other];
        let waited = wait(&mut set, None, ReturnWhen::AllCompleted);
        sender.send(waited.map(drop)).unwrap();
    });
    *own.lock().unwrap() = Some(job.unwrap());
    let worker = start(&POOL, &Gate::new(), &open_gate());
    assert_eq!(said.recv().unwrap(), Err(WaitError::WouldDeadlock));
    drop(promise);
    POOL.shutdown(true, false).unwrap();
    assert_eq!(worker.join().unwrap(), Ok(()));
}

/// Else the second job of the outer scope could run inside of the first, which may hold what it needs.
#[test]
fn a_wait_for_a_scope_inside_of_another_runs_its_own_jobs_and_no_other() {
    static POOL: Pool = Pool::new();
    POOL.install(&HostPort);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let inside = Arc::clone(&seen);
    let job = POOL.submit(move || {
        let note = |what| inside.lock().unwrap().push(what);
        POOL.scope(|outer| {
            let first = || {
                note("first begins");
                POOL.scope(|inner| drop(inner.submit(|| note("its own")).unwrap()));
                note("first ends");
            };
            drop(outer.submit(first).unwrap());
            drop(outer.submit(|| note("second")).unwrap());
        });
    });
    POOL.run_pending(1);
    job.unwrap().result().unwrap();
    let expected = ["first begins", "its own", "first ends", "second"];
    assert_eq!(*seen.lock().unwrap(), expected);
}

#[test]
fn scopes_that_lie_ever_so_deep_run_their_own_jobs_and_no_other() {
    const DEPTH: usize = 80;
    type Deep = StaticPool<{ 2 * DEPTH + 1 }, 64>;
    static POOL: Deep = Deep::new();
    /// Opens a scope whose first job does the same at the next depth.
    fn nest(depth: usize, ended: &Mutex<Vec<usize>>) {
        if depth == DEPTH {
            return;
        }
        POOL.scope(|scope| {
            let first = move || nest(depth + 1, ended);
            drop(scope.submit(first).unwrap());
            let second = move || ended.lock().unwrap().push(depth);
            drop(scope.submit(second).unwrap());
        });
    }
    POOL.install(&HostPort);
    let ended = Arc::new(Mutex::new(Vec::new()));
    let inside = Arc::clone(&ended);
    let job = POOL.submit(move || nest(0, &inside)).unwrap();
    POOL.run_pending(1);
    job.result().unwrap();
    let innermost_first: Vec<usize> = (0..DEPTH).rev().collect();
    assert_eq!(*ended.lock().unwrap(), innermost_first);
}

/// The outer scope's job runs on the worker that waits for the inner one's, which somebody else has begun.
#[test]
fn who_waits_for_a_job_with_a_scope_inside_of_a_scope_is_told_of_no_circle() {
    static POOL: Pool = Pool::new();
    let (outer_began, inner_began, release) = (Gate::new(), Gate::new(), Gate::new());
    let gates = [&outer_began, &inner_began, &release].map(Gate::clone);
    let awaited = POOL
        .submit(move || {
            let [outer_began, inner_began, release] = gates;
            POOL.scope(|outer| {
                let in_outer = || {
                    outer_began.open();
                    POOL.scope(|inner| {
                        let in_inner = || {
                            inner_began.open();
                            release.wait();
                        };
                        drop(inner.submit(in_inner).unwrap());
                        inner_began.wait();
                    });
                };
                drop(outer.submit(in_outer).unwrap());
            });
        })
        .unwrap();
    let asleep = [(); 3].map(|()| Gate::new());
    let mut workers = vec![start(&POOL, &asleep[0], &open_gate())];
    outer_began.wait();
    workers.push(start(&POOL, &asleep[1], &open_gate()));
    asleep[0].wait();
    let job = POOL.submit(move || awaited.result()).unwrap();
    workers.push(start(&POOL, &asleep[2], &open_gate()));
    asleep[2].wait();
    release.open();
    assert!(matches!(job.result(), Ok(Ok(()))));
    POOL.shutdown(true, false).unwrap();
    let ends: Vec<_> = workers.into_iter().map(JoinHandle::join).collect();
    assert!(ends.iter().all(|end| matches!(end, Ok(Ok(())))));
}

/// There are two wake-ups: the wait's end, and a job. The wait takes the first, and the other worker
/// the second.
#[test]
fn a_worker_that_leaves_its_wait_hands_on_the_work_that_it_was_woken_for() {
    static POOL: Pool = Pool::new();
    let (promise, awaited) = POOL.promise::<()>().unwrap();
    let done = Gate::new();
    let other_ran = done.clone();
    let job = POOL
        .submit(move || {
            awaited.result().unwrap();
            other_ran.wait();
        })
        .unwrap();
    let (asleep, may_wake) = (Gate::new(), Gate::new());
    let waiting = start(&POOL, &asleep, &may_wake);
    asleep.wait();
    let idle = Gate::new();
    let other = start(&POOL, &idle, &open_gate());
    idle.wait();
    promise.set_result(()).unwrap();
    // The waiting worker has the lower number, so it is the one that is woken.
    POOL.submit_detached(move || done.open()).unwrap();
    may_wake.open();
    job.result().unwrap();
    POOL.shutdown(true, false).unwrap();
    assert_eq!(
        [waiting, other].map(|thread| thread.join().unwrap()),
        [Ok(()); 2]
    );
}

#[test]
fn a_caller_does_the_work_if_there_is_no_worker() {
    static PORT: TellsOfParking = TellsOfParking::new(true);
    static POOL: Pool = Pool::new();
    POOL.install(&PORT);
    let job = POOL
        .submit(|| (thread::current().id(), POOL.workers()))
        .unwrap();
    assert_eq!(job.result().unwrap(), (thread::current().id(), 1));
    assert_eq!(POOL.workers(), 0);
}

/// So it does where the port has nothing to say about it.
#[test]
fn a_caller_does_the_work_unless_the_port_forbids_it() {
    struct SaysNothing;
    // SAFETY: contexts are those of the host's port, and no panic is caught.
    unsafe impl Port for SaysNothing {
        fn context(&self) -> ContextId {
            HostPort.context()
        }

        fn now(&self) -> Option<Duration> {
            HostPort.now()
        }

        fn with_parker(&self, f: &mut dyn FnMut(&dyn Parker)) {
            HostPort.with_parker(f);
        }
    }
    static POOL: Pool = Pool::new();
    POOL.install(&SaysNothing);
    let job = POOL.submit(|| thread::current().id()).unwrap();
    assert_eq!(job.result().unwrap(), thread::current().id());
}

#[test]
fn a_caller_leaves_the_work_to_a_worker_that_is_busy() {
    static PORT: TellsOfParking = TellsOfParking::new(true);
    static POOL: Pool = Pool::new();
    POOL.install(&PORT);
    let (started, release) = (Gate::new(), Gate::new());
    let (start_gate, held) = (started.clone(), release.clone());
    let long = move || {
        start_gate.open();
        held.wait();
    };
    POOL.submit_detached(long).unwrap();
    let worker = start(&POOL, &Gate::new(), &open_gate());
    started.wait();
    let job = POOL.submit(|| thread::current().id()).unwrap();
    let releaser = thread::spawn(move || {
        PORT.parking().wait();
        release.open();
    });
    assert_eq!(job.result().unwrap(), worker.thread().id());
    releaser.join().unwrap();
    POOL.shutdown(true, false).unwrap();
    assert_eq!(worker.join().unwrap(), Ok(()));
}

#[test]
fn a_caller_sleeps_when_there_is_nothing_to_do() {
    static PORT: TellsOfParking = TellsOfParking::new(true);
    static POOL: Pool = Pool::new();
    POOL.install(&PORT);
    let (promise, awaited) = POOL.promise().unwrap();
    let keeper = thread::spawn(move || {
        PORT.parking().wait();
        promise.set_result(42).unwrap();
    });
    assert_eq!(awaited.result().unwrap(), 42);
    keeper.join().unwrap();
}

/// The function in place of [`Port::spin`], for a caller that never parks.
struct Spins(fn(u32, &dyn Fn() -> usize) -> bool);

struct NeverParks;

impl Parker for NeverParks {
    fn waker(&self) -> Waker {
        Waker::noop().clone()
    }

    fn park(&self, _deadline: Option<Duration>) {
        panic!("it parks");
    }
}

// SAFETY: contexts are those of the host's port, and no panic is caught.
unsafe impl Port for Spins {
    fn context(&self) -> ContextId {
        HostPort.context()
    }

    fn now(&self) -> Option<Duration> {
        HostPort.now()
    }

    fn with_parker(&self, f: &mut dyn FnMut(&dyn Parker)) {
        f(&NeverParks);
    }

    fn spin(&self, round: u32, queued: &dyn Fn() -> usize) -> bool {
        self.0(round, queued)
    }

    fn blocked_callers_run_jobs(&self) -> bool {
        false
    }
}

/// The job is done between two of its looks.
#[test]
fn a_caller_does_not_sleep_while_the_port_has_it_look_again() {
    static POOL: Pool = Pool::new();
    static ROUNDS: Mutex<Vec<u32>> = Mutex::new(Vec::new());
    static PORT: Spins = Spins(|round, _queued| {
        ROUNDS.lock().unwrap().push(round);
        if round == 2 {
            assert_eq!(POOL.run_pending(1), 1);
        }
        round < 3
    });
    POOL.install(&PORT);
    let job = POOL.submit(|| 42).unwrap();
    assert_eq!(job.result().unwrap(), 42);
    assert_eq!(*ROUNDS.lock().unwrap(), [0, 1, 2]);
}

/// Unless it may only wait for a time.
#[test]
fn the_port_is_told_how_many_jobs_are_queued_when_a_caller_blocks() {
    static POOL: Pool = Pool::new();
    static QUEUED: Mutex<Vec<usize>> = Mutex::new(Vec::new());
    static PORT: Spins = Spins(|_round, queued| {
        QUEUED.lock().unwrap().push(queued());
        assert_eq!(POOL.run_pending(1), 1);
        true
    });
    POOL.install(&PORT);
    let jobs = [1, 2, 3].map(|number| POOL.submit(move || number).unwrap());
    let [first, second, mut third] = jobs;
    assert_eq!(second.result().unwrap(), 2);
    assert_eq!(first.result().unwrap(), 1);
    let third = third.result_timeout(Duration::from_secs(3600));
    assert_eq!(third.unwrap(), 3);
    assert_eq!(*QUEUED.lock().unwrap(), [3, 2, 0]);
}

/// So does a job that blocks in a main loop.
#[test]
fn a_job_in_run_pending_sleeps_when_there_is_nothing_to_do() {
    static PORT: TellsOfParking = TellsOfParking::new(true);
    static POOL: Pool = Pool::new();
    POOL.install(&PORT);
    let (promise, awaited) = POOL.promise().unwrap();
    let job = POOL.submit(|| awaited.result().unwrap()).unwrap();
    let keeper = thread::spawn(move || {
        PORT.parking().wait();
        promise.set_result(42).unwrap();
    });
    assert_eq!(POOL.run_pending(1), 1);
    assert_eq!(job.result().unwrap(), 42);
    keeper.join().unwrap();
}

/// One caller does the work, one waits for its turn, and a third, for which there is no place to wait, is told so.
#[test]
fn callers_take_turns_and_one_that_finds_no_place_to_wait_is_told() {
    static PORT: TellsOfParking = TellsOfParking::new(true);
    static POOL: StaticPool<8, 64, 1, 1, 1> = StaticPool::new();
    POOL.install(&PORT);
    let (started, release) = (Gate::new(), Gate::new());
    let (start_gate, held) = (started.clone(), release.clone());
    let first = POOL.submit(move || {
        start_gate.open();
        held.wait();
        1
    });
    let [second, third] = [2, 3].map(|n| POOL.submit(move || n).unwrap());
    let result =
        |job: corepool::JobFuture<'static, u32>| thread::spawn(move || job.result().unwrap());
    let first = result(first.unwrap());
    started.wait();
    let second = result(second);
    PORT.parking().wait_for(1);
    assert!(matches!(third.result(), Err(JobError::TooManyWaiters)));
    release.open();
    assert_eq!([first, second].map(|caller| caller.join().unwrap()), [1, 2]);
}

/// Has something done when it is woken, the first time.
struct OnWake(Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl Wake for OnWake {
    fn wake(self: Arc<Self>) {
        let first = self.0.lock().unwrap().take();
        if let Some(first) = first {
            first();
        }
    }
}

fn on_wake(f: impl FnOnce() + Send + 'static) -> Waker {
    Arc::new(OnWake(Mutex::new(Some(Box::new(f))))).into()
}

/// A submitter that is woken for room may take it, and make another wait, before all are woken. The
/// other's wait counts.
#[test]
fn who_begins_to_wait_for_room_while_others_are_woken_is_woken_for_the_next() {
    static POOL: StaticPool<1, 64, 1, 1, 2> = StaticPool::new();
    let (tell, told) = channel();
    POOL.submit_detached(|| ()).unwrap();
    let mut first = Box::pin(POOL.submit_async(|| ()));
    let mut second = Box::pin(POOL.submit_async(|| ()));
    let mut third = Box::pin(POOL.submit_async(|| ()));
    let poll_third = move || {
        POOL.submit_detached(|| ()).unwrap();
        let waker = on_wake(move || tell.send(()).unwrap());
        assert!(
            third
                .as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
        // Kept waiting.
        std::mem::forget(third);
    };
    let noop = Waker::noop();
    assert!(
        first
            .as_mut()
            .poll(&mut Context::from_waker(noop))
            .is_pending()
    );
    let waker = on_wake(poll_third);
    assert!(
        second
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
    );
    // So that the third has the place of the first, before that of the second.
    drop(first);
    assert_eq!(POOL.run_pending(1), 1);
    assert!(told.try_recv().is_err(), "the second has taken the room");
    assert_eq!(POOL.run_pending(1), 1);
    told.try_recv().expect("the third is woken");
}

/// The application parks its threads as well: what unparks one of them is not for a call that blocks meanwhile.
#[test]
fn a_blocked_caller_leaves_its_threads_park_token_alone() {
    fn blocks<const BYTES: usize, S: Spill>(pool: PoolRef<'_, BYTES, S>) {
        let (_promise, mut never) = pool.promise::<()>().unwrap();
        thread::current().unpark();
        let outcome = never.result_timeout(Duration::from_millis(1));
        assert!(matches!(outcome, Err(JobError::TimedOut)));
        thread::park();
    }
    run_for(LONG, || {
        static POOL: Pool = Pool::new();
        POOL.install(&HostPort);
        blocks(POOL.pool_ref());
        blocks(ThreadPool::new().pool_ref());
    });
}
