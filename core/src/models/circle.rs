//! Jobs that wait for each other: one of them gets the error, and no thread sleeps for ever.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll, Waker},
};

use loom::thread::{JoinHandle, yield_now};

use super::{MACHINE, Sleeper, explore, run_one, spawn, with_pool, with_pool_without_port};
use crate::{
    FutureSet, JobError, JobFuture, Parker, ReturnWhen, SpinWorker, StaticPool, as_completed,
    engine::{circle, run},
    lockfree::state::Snapshot,
    memory::{
        joined::Stay,
        pool::Pool,
        seat::{DependsOn, SeatRef},
        slot::SlotRef,
    },
    wait,
};

type ModelPool = StaticPool<2, 32, 1, 2, 1>;

/// Calls `body` with the seat of a worker that sleeps where its jobs wait.
fn as_worker(erased: Pool<'static>, body: impl FnOnce(SeatRef<'static>)) {
    let sleeper = Sleeper::new();
    // SAFETY: left below, before the sleeper goes.
    let seat = unsafe { erased.seats().join(&sleeper, Stay::Worker) }.unwrap();
    body(seat);
    // SAFETY: joined above.
    unsafe { seat.leave() };
}

/// A worker that runs one job, and the jobs that this one needs.
fn spawn_worker(erased: Pool<'static>) -> JoinHandle<()> {
    spawn(move || {
        as_worker(erased, |seat| {
            run::one(erased, seat.runner(), None);
        });
    })
}

/// Two workers. Each runs one job, and others while that job waits.
fn run_on_two_workers(erased: Pool<'static>) {
    for worker in [(); 2].map(|()| spawn_worker(erased)) {
        worker.join().unwrap();
    }
}

/// Two workers close a circle at the same time, or one does on top of itself.
#[test]
fn two_jobs() {
    explore("circle: 2 jobs wait for each other", Some(1), || {
        let told = Arc::new(AtomicUsize::new(0));
        with_pool(&MACHINE, |pool: &'static ModelPool| {
            let others = Arc::new([Mutex::new(None), Mutex::new(None)]);
            for number in [0, 1] {
                let (told, theirs) = (told.clone(), others.clone());
                let job = pool.submit(move || {
                    let other: Option<JobFuture<'_, ()>> = theirs[number].lock().unwrap().take();
                    if matches!(other.unwrap().result(), Err(JobError::WouldDeadlock)) {
                        told.fetch_add(1, Relaxed);
                    }
                });
                *others[1 - number].lock().unwrap() = job.ok();
            }
            run_on_two_workers(pool.pool_ref().erased);
        });
        assert_ne!(told.load(Relaxed), 0);
    });
}

/// A job waits for a second one. That one runs on top of a third, which waits for the first, and can
/// go on. The thread yields first, which makes that happen without many preemptions.
#[test]
fn no_circle() {
    explore("circle: none, on top of one that waits", Some(2), || {
        with_pool(&MACHINE, |pool: &'static ModelPool| {
            let erased = pool.pool_ref().erased;
            let first = pool
                .submit(move || {
                    yield_now();
                    let second = pool.submit(|| {
                        yield_now();
                        7
                    });
                    second.unwrap().result().unwrap()
                })
                .unwrap();
            let other = spawn_worker(erased);
            yield_now();
            as_worker(erased, |_| assert_eq!(first.result().unwrap(), 7));
            other.join().unwrap();
        });
    });
}

/// A job waits until itself or another job fails. It gets no error, since the other fails.
#[test]
fn a_failure_ends_the_wait() {
    explore("circle: none, since another fails", Some(2), || {
        with_pool(&MACHINE, |pool: &'static StaticPool<2, 32, 1, 1, 2>| {
            let erased = pool.pool_ref().erased;
            let (failing, other) = pool.promise::<()>().unwrap();
            let both = Arc::new(Mutex::new(None));
            let theirs = both.clone();
            let job = pool.submit(move || {
                let mut both: [JobFuture<'_, ()>; 2] = theirs.lock().unwrap().take().unwrap();
                let waited = wait(&mut both, None, ReturnWhen::FirstException).unwrap();
                assert_eq!(waited.done.len(), 1);
            });
            *both.lock().unwrap() = job.ok().map(|own| [own, other]);
            let holder = spawn(move || drop(failing));
            as_worker(erased, |seat| {
                assert!(run::one(erased, seat.runner(), None))
            });
            holder.join().unwrap();
        });
    });
}

/// A job opens a scope, whose job waits for the first. The scope's job gets the error, since a
/// scope has none to return.
#[test]
fn a_scope_and_its_job() {
    explore(
        "circle: a scope's job waits for who has it",
        Some(1),
        || {
            let told = Arc::new(AtomicUsize::new(0));
            with_pool(&MACHINE, |pool: &'static ModelPool| {
                let outer = Arc::new(Mutex::new(None));
                let (theirs, count) = (outer.clone(), told.clone());
                let job = pool.submit(move || {
                    pool.scope(|scope| {
                        let inner = scope.submit(move || {
                            let outer: Option<JobFuture<'_, ()>> = theirs.lock().unwrap().take();
                            let waited = outer.unwrap().result();
                            assert!(matches!(waited, Err(JobError::WouldDeadlock)));
                            count.fetch_add(1, Relaxed);
                        });
                        drop(inner.unwrap());
                    });
                });
                *outer.lock().unwrap() = job.ok();
                run_on_two_workers(pool.pool_ref().erased);
            });
            assert_eq!(told.load(Relaxed), 1);
        },
    );
}

/// Two jobs wait for each other and for nothing else, as sets.
#[test]
fn two_sets() {
    explore("circle: 2 jobs wait for sets", Some(1), || {
        let told = Arc::new(AtomicUsize::new(0));
        with_pool(&MACHINE, |pool: &'static StaticPool<2, 32, 1, 2, 2>| {
            let others = Arc::new([Mutex::new(None), Mutex::new(None)]);
            for (number, when) in [ReturnWhen::AllCompleted, ReturnWhen::FirstCompleted]
                .into_iter()
                .enumerate()
            {
                let (told, theirs) = (told.clone(), others.clone());
                let job = pool.submit(move || {
                    let mut other: [JobFuture<'_, ()>; 1] =
                        theirs[number].lock().unwrap().take().unwrap();
                    told.fetch_add(usize::from(wait(&mut other, None, when).is_err()), Relaxed);
                });
                *others[1 - number].lock().unwrap() = job.ok().map(|job| [job]);
            }
            run_on_two_workers(pool.pool_ref().erased);
        });
        assert_ne!(told.load(Relaxed), 0);
    });
}

/// A task is suspended, and awaits a job, while that job goes to sleep until the task's end. The
/// last of the two sees the other.
#[test]
fn a_task_and_a_job() {
    explore("circle: a task awaits who waits for it", Some(2), || {
        with_pool(&MACHINE, |pool: &'static StaticPool<2, 32, 1, 1, 1>| {
            let erased = pool.pool_ref().erased;
            let job = Arc::new(Mutex::new(None));
            let awaited = job.clone();
            let task = pool.spawn(poll_fn(move |cx| {
                let mut job = awaited.lock().unwrap();
                let job: &mut JobFuture<'_, ()> = job.as_mut().unwrap();
                Pin::new(job).poll(cx).map(drop)
            }));
            let task = task.unwrap();
            let popped = erased.slot(erased.queues().pop().unwrap());
            let waits = pool.submit(move || {
                assert!(matches!(task.result(), Err(JobError::WouldDeadlock)));
            });
            *job.lock().unwrap() = waits.ok();
            let worker = spawn_worker(erased);
            // Run without a seat: a worker that leaves its seat would wake the other worker.
            if let Some(begun) = run::begin(erased, popped, 0) {
                run::step(erased, popped, begun, None);
            }
            worker.join().unwrap();
        });
    });
}

/// On one of two workers a job waits for the effect of a queued job. The other worker, whose seat `other`
/// gets, takes no job. The first is woken, and runs the queued job.
fn one_of_two_blocks(name: &str, other: fn(SeatRef<'static>, JoinHandle<()>)) {
    explore(name, Some(2), move || {
        with_pool(&MACHINE, |pool: &'static StaticPool<3, 32, 1, 2, 1>| {
            let erased = pool.pool_ref().erased;
            // SAFETY: `other` leaves it.
            let seat = unsafe { erased.seats().join(&SpinWorker, Stay::Worker) }.unwrap();
            let (promise, promised) = pool.promise().unwrap();
            pool.submit_detached(move || promised.result().unwrap())
                .unwrap();
            pool.submit_detached(move || promise.set_result(()).unwrap())
                .unwrap();
            other(seat, spawn_worker(erased));
        });
    });
}

/// It leaves without a look at the queue.
#[test]
fn a_worker_leaves() {
    one_of_two_blocks(
        "circle: a worker blocks, the other leaves",
        |seat, worker| {
            // SAFETY: joined by the caller.
            unsafe { seat.leave() };
            worker.join().unwrap();
        },
    );
}

/// It is kept for more urgent jobs, and goes to sleep.
#[test]
fn a_kept_worker_goes_to_sleep() {
    one_of_two_blocks(
        "circle: a worker blocks, a kept one sleeps",
        |seat, worker| {
            let asleep = seat.block(DependsOn::Others);
            seat.pool().seats().leave_to_blocked(seat);
            worker.join().unwrap();
            drop(asleep);
            // SAFETY: joined by the caller.
            unsafe { seat.leave() };
        },
    );
}

/// Two jobs wait for the effect of a queued job. The last worker that blocks runs it.
#[test]
fn both_workers_block() {
    explore("circle: 2 workers block, a job is queued", Some(1), || {
        with_pool(&MACHINE, |pool: &'static StaticPool<5, 32, 1, 2, 1>| {
            let promises = [(); 2].map(|()| {
                let (promise, promised) = pool.promise::<()>().unwrap();
                let job = move || promised.result().unwrap();
                assert!(pool.submit_detached(job).is_ok());
                promise
            });
            let promises = Box::new(promises);
            let keep = move || {
                for promise in *promises {
                    promise.set_result(()).unwrap();
                }
            };
            assert!(pool.submit_detached(keep).is_ok());
            run_on_two_workers(pool.pool_ref().erased);
        });
    });
}

/// A job that a worker has begun, by hand.
struct ByHand {
    erased: Pool<'static>,
    seat: SeatRef<'static>,
    slot: SlotRef<'static>,
    begun: Snapshot,
    future: Option<JobFuture<'static, ()>>,
}

impl ByHand {
    /// The job gets the first free slot, and the worker the first free seat. The pool has no port
    /// yet, so the seat has no context.
    fn begin<const S: usize>(pool: &'static StaticPool<S, 32, 1, 2, 1>) -> Self {
        let erased = pool.pool_ref().erased;
        // SAFETY: left when dropped.
        let seat = unsafe { erased.seats().join(&SpinWorker, Stay::Worker) }.unwrap();
        let future = pool.submit(|| ()).ok();
        let slot = erased.slot(erased.queues().pop().unwrap());
        let begun = run::take_up(erased, slot, seat.runner()).unwrap();
        Self {
            erased,
            seat,
            slot,
            begun,
            future,
        }
    }

    fn depends_on_it(&self) -> DependsOn {
        DependsOn::Job(self.slot.index())
    }

    /// The job waits, and is not in a circle.
    fn wait_for(&self, depends_on: DependsOn) {
        let _blocked = self.seat.block(depends_on);
        assert!(!circle::is_in(self.erased, self.seat, depends_on));
    }

    fn end(self) {
        run::step(self.erased, self.slot, self.begun, None);
        // SAFETY: joined in `begin`.
        unsafe { self.seat.leave() };
    }
}

/// A job waits for a promise, goes on, and waits for something else. No wait is in a circle. Another
/// job waits for the first, whose slot is number 0: a wait without a slot records that number, too.
#[test]
fn another_goes_on() {
    explore("circle: none, since the other goes on", Some(3), || {
        with_pool_without_port(|pool: &'static StaticPool<3, 32, 1, 2, 1>| {
            let (mine, theirs) = (ByHand::begin(pool), ByHand::begin(pool));
            let (promise, promised) = pool.promise::<()>().unwrap();
            let seat = theirs.seat;
            let other = spawn(move || {
                drop(seat.block(DependsOn::Job(2)));
                drop(seat.block(DependsOn::Others));
            });
            mine.wait_for(theirs.depends_on_it());
            other.join().unwrap();
            drop((promise, promised));
            mine.end();
            theirs.end();
        });
    });
}

/// One job waits for a second job. The second waits until the first job or a promise is done. The
/// promise is kept, so the second goes on: it takes the completion, or begins to wait anew.
fn another_is_told(name: &str, anew: bool) {
    explore(name, Some(2), move || {
        with_pool_without_port(|pool: &'static StaticPool<3, 32, 1, 2, 1>| {
            let (mut mine, theirs) = (ByHand::begin(pool), ByHand::begin(pool));
            let (promise, promised) = pool.promise::<()>().unwrap();
            let futures = [mine.future.take().unwrap(), promised];
            let mut set = as_completed(FutureSet::<_, 2>::from_iter(futures), None);
            let waker = Sleeper::new().waker();
            let mut poll = move |waker: &Waker| {
                let next = pin!(set.next_done());
                next.poll(&mut Context::from_waker(waker)).is_ready()
            };
            assert!(!poll(&waker));
            let seat = theirs.seat;
            let other = spawn(move || {
                drop(seat.block(DependsOn::AnyOf(0)));
                let waker = if anew { Sleeper::new().waker() } else { waker };
                poll(&waker);
                poll
            });
            promise.set_result(()).unwrap();
            mine.wait_for(theirs.depends_on_it());
            drop(other.join().unwrap());
            mine.end();
            theirs.end();
        });
    });
}

#[test]
fn another_takes_what_has_completed() {
    another_is_told("circle: none, since the other is told", false);
}

#[test]
fn another_waits_anew() {
    another_is_told("circle: none, since the other waits anew", true);
}

/// A job waits for a task, which is polled meanwhile, looks at the job, and ends.
#[test]
fn a_task_looks_at_who_waits_for_it() {
    explore("circle: none, since the task is polled", Some(3), || {
        with_pool_without_port(|pool: &'static StaticPool<3, 32, 1, 2, 1>| {
            let mut mine = ByHand::begin(pool);
            let (promise, mut promised) = pool.promise::<()>().unwrap();
            let mut job = mine.future.take().unwrap();
            let task = pool.spawn(poll_fn(move |cx| {
                if Pin::new(&mut promised).poll(cx).is_ready() {
                    assert!(Pin::new(&mut job).poll(cx).is_pending());
                    return Poll::Ready(());
                }
                Poll::Pending
            }));
            assert!(run_one(pool));
            // Another thread than the polling one: the polling thread's own fence would show it.
            let waker = spawn(move || promise.set_result(()).unwrap());
            let other = spawn(move || run_one(pool));
            mine.wait_for(DependsOn::Job(2));
            waker.join().unwrap();
            other.join().unwrap();
            run_one(pool);
            task.unwrap().result().unwrap();
            mine.end();
        });
    });
}
