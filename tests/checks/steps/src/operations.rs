//! The operations in which a thread is stopped for ever: each call of the pool that a user can make.

use std::{
    fmt,
    future::Future,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use corepool::{
    AsCompleted, FutureSet, JobFuture, JobId, MapOptions, OnLoss, Parker, PoolRef, PromiseError,
    ReturnWhen, SharedFuture, Worker, WorkerId, as_completed, gather, wait, wait_async,
    wait_shared, wait_shared_async,
};

use crate::machine::{Gate, Sleeper};

/// Room for each job here.
pub const BYTES: usize = 64;
/// Longer than anything takes before all sleep.
pub const SOON: Duration = Duration::from_millis(1);

/// A pool, of whatever size.
pub type Pool = PoolRef<'static, BYTES>;
/// Stands for a number to come.
pub type Job = JobFuture<'static, usize>;
/// The operation of a victim, prepared.
pub type Act = Box<dyn FnOnce() + Send>;

/// The surroundings of a victim.
#[derive(Default)]
pub struct Around {
    /// A worker that is idle.
    pub idle: Option<WorkerId>,
    /// Where the victim is, if it is a worker.
    pub watch: Arc<Watch>,
}

/// Where a worker is.
#[derive(Default)]
pub struct Watch {
    in_a_job: AtomicBool,
    has_come_back: AtomicBool,
}

impl Watch {
    /// Whether the worker runs a job.
    pub fn is_in_a_job(&self) -> bool {
        self.in_a_job.load(SeqCst)
    }

    /// Whether the worker, stopped now, has been woken and has not come to a job since. `woken`: it
    /// has not come back from its park either.
    pub fn owes_a_look(&self, woken: bool) -> bool {
        !self.is_in_a_job() && (woken || self.has_come_back.load(SeqCst))
    }
}

/// A worker that says where it is.
struct Watched(Arc<Watch>);

impl Parker for Watched {
    fn waker(&self) -> Waker {
        Sleeper.waker()
    }

    fn park(&self, deadline: Option<Duration>) {
        Sleeper.park(deadline);
        self.0.has_come_back.store(true, SeqCst);
    }
}

impl Worker for Watched {
    fn on_job_start(&self, _job: JobId) {
        self.0.in_a_job.store(true, SeqCst);
        self.0.has_come_back.store(false, SeqCst);
    }

    fn on_job_end(&self, _job: JobId) {
        self.0.in_a_job.store(false, SeqCst);
    }
}

/// A victim's operation, prepared.
pub struct Prepared {
    /// The operation.
    pub act: Act,
    /// The future of its job, if another party holds it.
    pub held: Option<Job>,
    /// A caller that waits for its job, in one of the places for waiters. It gives up when the victim
    /// stops.
    pub waits: Option<AsCompleted<'static, usize, 1>>,
    /// Its job, which keeps a worker until this is open.
    pub lasts: Option<Gate>,
}

impl Prepared {
    fn new(act: impl FnOnce() + Send + 'static) -> Self {
        Self {
            act: Box::new(act),
            held: None,
            waits: None,
            lasts: None,
        }
    }
}

/// An operation.
pub struct Operation {
    /// As the calls are named that it is made of.
    pub name: &'static str,
    /// On a pool in which nothing is queued.
    pub prepare: fn(Pool, &Around) -> Prepared,
    /// How many slots are its own.
    pub slots: usize,
    /// It runs jobs: of what others have queued, the one that it has begun is its own.
    pub runs: bool,
    /// It is a worker until the pool is shut down.
    pub works: bool,
    /// Whether it also is stopped among a crowd of jobs, which one worker does.
    pub crowd: bool,
    /// Whether workers come and go while it is stopped.
    pub replaces: bool,
}

impl Operation {
    const fn new(name: &'static str, prepare: fn(Pool, &Around) -> Prepared) -> Self {
        Self {
            name,
            prepare,
            slots: 1,
            runs: false,
            works: false,
            crowd: false,
            replaces: true,
        }
    }

    const fn with_slots(self, slots: usize) -> Self {
        Self { slots, ..self }
    }

    const fn that_runs(self) -> Self {
        Self { runs: true, ..self }
    }

    const fn that_works(self) -> Self {
        Self {
            runs: true,
            works: true,
            ..self
        }
    }

    const fn in_a_crowd(self) -> Self {
        Self {
            crowd: true,
            ..self
        }
    }

    const fn that_keeps_workers(self) -> Self {
        Self {
            replaces: false,
            ..self
        }
    }
}

/// One poll, by this waker.
pub fn poll_once<F: Future>(future: Pin<&mut F>, waker: &Waker) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(waker))
}

fn queued(pool: Pool) -> Job {
    pool.submit(|| 1).expect("there is room")
}

fn several(pool: Pool) -> [Job; 2] {
    [(); 2].map(|()| queued(pool))
}

fn set(jobs: [Job; 2]) -> FutureSet<'static, usize, 2> {
    jobs.into_iter().collect()
}

fn shared(jobs: [Job; 2]) -> [SharedFuture<'static, usize>; 2] {
    jobs.map(JobFuture::share)
}

/// Takes all room there is.
fn fill(pool: Pool) {
    while pool.submit_detached(|| ()).is_ok() {}
}

/// A task that is ready when it is polled again, and its waker.
fn task(pool: Pool) -> (Job, Arc<Mutex<Option<Waker>>>) {
    let left = Arc::new(Mutex::new(None));
    let inner = left.clone();
    let task = pool.spawn(std::future::poll_fn(move |cx| {
        match inner.lock().unwrap().replace(cx.waker().clone()) {
            None => Poll::Pending,
            Some(_) => Poll::Ready(1),
        }
    }));
    (task.expect("there is room"), left)
}

/// A task that ends itself as cancelled.
pub async fn cancels_itself(pool: Pool) -> usize {
    pool.cancel_current_task().await;
    1
}

/// The operations. Those that bring the pool to its end are with the check itself.
pub const OPERATIONS: &[Operation] = &[
    Operation::new("submit, then drop", |pool, _| {
        Prepared::new(move || drop(pool.submit(|| ())))
    })
    .in_a_crowd(),
    Operation::new("submit of a job that lasts", |pool, _| {
        let gate = Gate::default();
        let inner = gate.clone();
        let mut prepared = Prepared::new(move || drop(pool.submit(move || inner.pass())));
        prepared.lasts = Some(gate);
        prepared
    })
    .that_keeps_workers(),
    Operation::new("submit_detached", |pool, _| {
        Prepared::new(move || {
            let _ = pool.submit_detached(|| ());
        })
    }),
    Operation::new("submit_cancellable", |pool, _| {
        Prepared::new(move || {
            let job = pool.submit_cancellable(|token| token.is_cancelled());
            let _ = job.map(JobFuture::result);
        })
    }),
    Operation::new("submit_blocking", |pool, _| {
        fill(pool);
        Prepared::new(move || drop(pool.submit_blocking(|| 1)))
    })
    .in_a_crowd(),
    Operation::new("submit_timeout", |pool, _| {
        fill(pool);
        Prepared::new(move || drop(pool.submit_timeout(|| 1, SOON)))
    }),
    Operation::new("submit_async", |pool, _| {
        fill(pool);
        Prepared::new(move || {
            let mut submit = pin!(pool.submit_async(|| 1));
            let _ = poll_once(submit.as_mut(), Waker::noop());
            let _ = poll_once(submit.as_mut(), &Sleeper.waker());
        })
    }),
    Operation::new("spawn", |pool, _| {
        Prepared::new(move || drop(pool.spawn(async { 1 })))
    }),
    Operation::new("cancel_current_task", |pool, _| {
        Prepared::new(move || {
            let task = pool.spawn(cancels_itself(pool));
            pool.run_pending(1);
            drop(task);
        })
    }),
    Operation::new("wake a task", |pool, _| {
        let (task, left) = task(pool);
        pool.run_pending(1);
        Prepared::new(move || {
            let waker = left.lock().unwrap().clone().expect("it was polled");
            waker.wake();
            drop(task);
        })
    })
    .in_a_crowd(),
    Operation::new("promise, set_result", |pool, _| {
        Prepared::new(move || {
            if let Ok((promise, future)) = pool.promise() {
                let _ = promise.is_cancelled();
                let _ = promise.set_result(1);
                let _ = future.result();
            }
        })
    }),
    Operation::new("promise, start", |pool, _| {
        Prepared::new(move || {
            if let Ok((mut promise, future)) = pool.promise::<usize>() {
                let _ = promise.start();
                let _ = future.cancel();
                if promise.cancel_requested() {
                    let _ = promise.set_cancelled();
                }
                let _ = future.result();
            }
        })
    }),
    Operation::new("promise, set_error", |pool, _| {
        Prepared::new(move || {
            if let Ok((promise, future)) = pool.promise::<usize>() {
                let _ = promise.set_error(PromiseError(&fmt::Error));
                let _ = future.result();
            }
        })
    }),
    Operation::new("set_result for another", |pool, _| {
        let (promise, future) = pool.promise().expect("there is room");
        let mut prepared = Prepared::new(move || {
            let _ = promise.set_result(1);
        });
        prepared.held = Some(future);
        prepared
    }),
    Operation::new("set_result for one who waits", |pool, _| {
        let (promise, future) = pool.promise().expect("there is room");
        let mut waits = as_completed(FutureSet::from_iter([future]), None);
        let polled = poll_once(pin!(waits.next_done()), Waker::noop());
        assert!(polled.is_pending());
        let mut prepared = Prepared::new(move || {
            let _ = promise.set_result(1);
        });
        prepared.waits = Some(waits);
        prepared
    }),
    Operation::new("drop of a promise", |pool, _| {
        let (promise, future) = pool.promise().expect("there is room");
        let mut prepared = Prepared::new(move || drop(promise));
        prepared.held = Some(future);
        prepared
    }),
    Operation::new("run one", |pool, _| {
        let held = queued(pool);
        let mut prepared = Prepared::new(move || {
            pool.run_pending(1);
        });
        prepared.held = Some(held);
        prepared
    })
    .that_runs()
    .in_a_crowd(),
    Operation::new("run one that nobody waits for", |pool, _| {
        let _ = pool.submit_detached(|| ());
        Prepared::new(move || {
            pool.run_pending(1);
        })
    })
    .that_runs()
    .in_a_crowd(),
    Operation::new("work", |pool, around| {
        let watch = around.watch.clone();
        Prepared::new(move || {
            let _ = pool.run(&Watched(watch));
        })
    })
    .that_works()
    .in_a_crowd(),
    Operation::new("work, with a job that waits", |pool, around| {
        let watch = around.watch.clone();
        let its_watch = around.watch.clone();
        let outer = pool.submit_detached(move || {
            // Another worker may come first: it would wait for what the victim has begun.
            if its_watch.is_in_a_job() {
                let _ = pool.submit(|| 1).map(JobFuture::result);
            }
        });
        assert!(outer.is_ok(), "there is room");
        Prepared::new(move || {
            let _ = pool.run(&Watched(watch));
        })
    })
    .that_works()
    .that_keeps_workers()
    .with_slots(3),
    Operation::new("cancel", |pool, _| {
        let job = queued(pool);
        Prepared::new(move || {
            job.cancel();
        })
    })
    .in_a_crowd(),
    Operation::new("result of a job that has ended", |pool, _| {
        let job = queued(pool);
        pool.run_pending(1);
        Prepared::new(move || {
            let _ = job.result();
        })
    })
    .in_a_crowd(),
    Operation::new("result of a job that is to come", |pool, _| {
        let job = queued(pool);
        Prepared::new(move || {
            let _ = job.result();
        })
    })
    .in_a_crowd(),
    Operation::new("result_timeout", |pool, _| {
        let mut job = queued(pool);
        Prepared::new(move || {
            let _ = job.result_timeout(SOON);
        })
    }),
    Operation::new("try_result", |pool, _| {
        let mut job = queued(pool);
        Prepared::new(move || {
            let _ = (job.id(), job.done(), job.running(), job.cancelled());
            let _ = (job.cancel_requested(), job.state());
            let _ = job.try_result();
        })
    }),
    Operation::new("share", |pool, _| {
        let job = queued(pool);
        Prepared::new(move || {
            let one = job.share();
            let other = one.clone();
            drop(one);
            let _ = other.try_result();
        })
    }),
    Operation::new("shared result", |pool, _| {
        let job = queued(pool).share();
        Prepared::new(move || {
            let _ = job.result();
        })
    })
    .in_a_crowd(),
    Operation::new("shared result_timeout", |pool, _| {
        let job = queued(pool).share();
        Prepared::new(move || {
            let _ = job.result_timeout(SOON);
        })
    }),
    Operation::new("shared result_async", |pool, _| {
        let job = queued(pool).share();
        Prepared::new(move || {
            let mut waits = pin!(job.result_async());
            let _ = poll_once(waits.as_mut(), Waker::noop());
            let _ = poll_once(waits.as_mut(), &Sleeper.waker());
        })
    }),
    Operation::new("shared add_done_callback", |pool, _| {
        let (promise, future) = pool.promise::<usize>().expect("there is room");
        let shared = future.share();
        Prepared::new(move || {
            let _ = shared.add_done_callback(|_| ());
            let _ = promise.set_result(1);
            let _ = shared.add_done_callback(|_| ());
        })
    })
    .with_slots(2),
    Operation::new("set_result for those who share", |pool, _| {
        let (promise, future) = pool.promise::<usize>().expect("there is room");
        let shared = future.share();
        Prepared::new(move || {
            let mut waits = pin!(shared.result_async());
            let _ = poll_once(waits.as_mut(), Waker::noop());
            let _ = promise.set_result(1);
        })
    }),
    Operation::new("error", |pool, _| {
        let mut job = queued(pool);
        Prepared::new(move || {
            let _ = job.error();
        })
    }),
    Operation::new("error_timeout", |pool, _| {
        let mut job = queued(pool);
        Prepared::new(move || {
            let _ = job.error_timeout(SOON);
        })
    }),
    Operation::new("await, by one waker and another", |pool, _| {
        let mut job = queued(pool);
        Prepared::new(move || {
            let _ = poll_once(Pin::new(&mut job), Waker::noop()).is_pending()
                && poll_once(Pin::new(&mut job), &Sleeper.waker()).is_pending();
        })
    }),
    Operation::new("cancel_on_drop", |pool, _| {
        let job = queued(pool);
        Prepared::new(move || {
            let mut job = job.cancel_on_drop();
            let _ = poll_once(Pin::new(&mut job), Waker::noop());
        })
    }),
    Operation::new("drop", |pool, _| {
        let job = queued(pool);
        Prepared::new(move || drop(job))
    }),
    Operation::new("add_done_callback", |pool, _| {
        let mut job = queued(pool);
        Prepared::new(move || {
            let _ = job.add_done_callback(|_| ());
            let _ = job.add_done_callback(|_| ());
        })
    })
    .with_slots(3),
    Operation::new("wait", |pool, _| {
        let mut jobs = several(pool);
        Prepared::new(move || {
            let _ = wait(&mut jobs, Some(SOON), ReturnWhen::FirstCompleted);
            let _ = wait(&mut jobs, None, ReturnWhen::AllCompleted);
        })
    })
    .with_slots(2)
    .in_a_crowd(),
    Operation::new("wait_async", |pool, _| {
        let mut jobs = several(pool);
        Prepared::new(move || {
            let first = wait_async(&mut jobs, ReturnWhen::FirstCompleted);
            let _ = poll_once(pin!(first), Waker::noop());
            let all = wait_async(&mut jobs, ReturnWhen::AllCompleted);
            let _ = poll_once(pin!(all), &Sleeper.waker());
        })
    })
    .with_slots(2),
    Operation::new("wait_shared", |pool, _| {
        let mut jobs = shared(several(pool));
        Prepared::new(move || {
            let _ = wait_shared(&mut jobs, Some(SOON), ReturnWhen::FirstCompleted);
            let _ = wait_shared(&mut jobs, None, ReturnWhen::AllCompleted);
        })
    })
    .with_slots(2)
    .in_a_crowd(),
    Operation::new("wait_shared_async", |pool, _| {
        let mut jobs = shared(several(pool));
        Prepared::new(move || {
            let first = wait_shared_async(&mut jobs, ReturnWhen::FirstCompleted);
            let _ = poll_once(pin!(first), Waker::noop());
            let all = wait_shared_async(&mut jobs, ReturnWhen::AllCompleted);
            let _ = poll_once(pin!(all), &Sleeper.waker());
        })
    })
    .with_slots(2),
    Operation::new("gather", |pool, _| {
        let jobs = several(pool);
        Prepared::new(move || {
            let mut all = pin!(gather(set(jobs)));
            let _ = poll_once(all.as_mut(), Waker::noop());
            let _ = poll_once(all.as_mut(), &Sleeper.waker());
        })
    })
    .with_slots(2),
    Operation::new("as_completed", |pool, _| {
        let jobs = several(pool);
        Prepared::new(move || {
            let mut completed = as_completed(set(jobs), Some(SOON));
            drop(completed.next());
            drop(completed.into_unfinished());
        })
    })
    .with_slots(2),
    Operation::new("next_done", |pool, _| {
        let jobs = several(pool);
        Prepared::new(move || {
            let mut completed = as_completed(set(jobs), None);
            let _ = poll_once(pin!(completed.next_done()), Waker::noop());
            let _ = poll_once(pin!(completed.next_done()), &Sleeper.waker());
        })
    })
    .with_slots(2),
    Operation::new("map", |pool, _| {
        Prepared::new(move || pool.map(0..2, |n| n).for_each(drop))
    })
    .with_slots(2),
    Operation::new("map_with", |pool, _| {
        Prepared::new(move || {
            let options = MapOptions::<2> {
                timeout: Some(SOON),
                ..MapOptions::default()
            };
            if let Ok(map) = pool.map_with(options, 0..2, |n| n) {
                map.for_each(drop);
            }
        })
    })
    .with_slots(2),
    Operation::new("scope", |pool, _| {
        Prepared::new(move || {
            pool.scope(|scope| {
                let _ = scope.submit(|| 1);
                scope.map(0..1, |n| n).for_each(drop);
            });
        })
    })
    .with_slots(2),
    Operation::new("worker_lost", |pool, around| {
        let idle = around.idle;
        Prepared::new(move || {
            if let Some(idle) = idle {
                // SAFETY: there are no scopes here.
                unsafe { pool.worker_lost(idle, OnLoss::Continue) };
            }
        })
    })
    .that_keeps_workers(),
    Operation::new("what else looks", |pool, _| {
        Prepared::new(move || {
            let _ = (pool.capacity(), pool.free_slots(), pool.workers());
            let _ = (pool.max_workers(), pool.unfinished(), pool.idle_workers());
            let _ = (pool.broken_reason(), pool.is_shut_down());
            let _ = (pool.workers_wanted(), pool.runs_caller());
        })
    }),
];

/// A control that costs more than is conceded: a caller that is stopped in it keeps two places for waiters.
pub const TWO_PLACES: Operation = Operation::new("two waits of one caller", |pool, _| {
    let promises = [(); 2].map(|()| pool.promise::<usize>().expect("there is room"));
    Prepared::new(move || {
        let _waits = promises.map(|(promise, future)| {
            let mut waits = as_completed(FutureSet::<_, 1>::from_iter([future]), None);
            let polled = poll_once(pin!(waits.next_done()), Waker::noop());
            assert!(polled.is_pending());
            (promise, waits)
        });
    })
})
.with_slots(2);
