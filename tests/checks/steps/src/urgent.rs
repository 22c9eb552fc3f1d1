//! Nobody sleeps by waking itself: on one core with strict priorities, each call ends or sleeps.
//!
//! Parties below, the victims, are stopped before each of their steps in turn. There the more urgent
//! callers make their call, or come back from one by a time-out. Each call must end, or sleep until
//! somebody else wakes it; whoever spins, or wakes itself, keeps the core from the one it waits for.
//! Then all must end, and the accounts balance.

use std::{
    collections::BTreeMap,
    fmt,
    future::Future,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    task::{Context, Poll, Wake, Waker},
    time::{Duration, Instant},
};

use corepool::{
    FutureSet, InitError, JobFuture, MapOptions, OnLoss, Parker, PoolRef, PromiseError, ReturnWhen,
    SharedFuture, StaticPool, SubmitError, Worker, WorkerId, as_completed, gather, wait,
    wait_async, wait_shared, wait_shared_async,
};

use crate::{
    calls::{self, Check},
    machine::{Gate, GuestMachine, Machine, Sleeper, sleep_until},
    operations::cancels_itself,
    strict::{self, MOMENT, Stage, Urgency},
};

/// The pool, of whatever size.
type Pool = PoolRef<'static, 64>;
type Job = JobFuture<'static, usize>;
type Act = Box<dyn FnOnce() + Send>;

/// A pool for workers, with fewer places for waiters than there are callers.
type Roomy = StaticPool<8, 64, 1, 3, 2>;
/// A pool of one place each, for callers that run jobs as guests.
type Tight = StaticPool<8, 64, 1, 1, 1>;

/// How many jobs the urgent callers hold together, and how many such callers there are at most.
const CALLERS: usize = 3;
/// A victim's steps go on as long as its pool; by then it has slept and worked several times.
const MOST_STEPS: usize = 400;
/// Longer than anything takes before all sleep.
const SOON: Duration = Duration::from_millis(1);

/// The next operation of a victim, and its surroundings.
struct Scene {
    pool: Pool,
    /// Jobs that the victim, or a worker, will end.
    jobs: Vec<Job>,
    victim: Act,
    /// Others, who are no more urgent than need be.
    background: Vec<Act>,
    /// The victim works until the pool is shut down.
    until_shutdown: bool,
}

/// The victim's number as a worker, as soon as it has one.
#[derive(Clone, Default)]
struct Number(Arc<Mutex<Option<WorkerId>>>);

/// A worker that says who it is.
struct Numbered(Number);

impl Parker for Numbered {
    fn waker(&self) -> Waker {
        Sleeper.waker()
    }

    fn park(&self, deadline: Option<Duration>) {
        Sleeper.park(deadline);
    }
}

impl Worker for Numbered {
    fn on_start(&self, worker: WorkerId) -> Result<(), InitError> {
        *self.0.0.lock().unwrap() = Some(worker);
        Ok(())
    }
}

/// A party below, on a fresh pool.
struct Party {
    name: &'static str,
    prepare: fn(Pool, &Number) -> Scene,
    /// There is no worker. A caller that blocks runs jobs as a guest, and one that awaits waits for ever.
    callers_run_jobs: bool,
}

fn submitted(pool: Pool) -> Vec<Job> {
    let job = |n| pool.submit(move || n).expect("the pool is empty");
    (0..CALLERS).map(job).collect()
}

fn worker(pool: Pool) -> Act {
    Box::new(move || {
        let _ = pool.run(&Sleeper);
    })
}

impl Scene {
    /// A victim beside a worker.
    fn new(pool: Pool, jobs: Vec<Job>, victim: impl FnOnce() + Send + 'static) -> Self {
        Self {
            pool,
            jobs,
            victim: Box::new(victim),
            background: vec![worker(pool)],
            until_shutdown: false,
        }
    }
}

const PARTIES: &[Party] = &[
    Party {
        name: "a worker",
        prepare: |pool, number| {
            let number = number.clone();
            let mut scene = Scene::new(pool, submitted(pool), move || {
                let _ = pool.run(&Numbered(number));
            });
            scene.background.clear();
            scene.until_shutdown = true;
            scene
        },
        callers_run_jobs: false,
    },
    Party {
        name: "run_pending",
        prepare: |pool, _| {
            Scene::new(pool, submitted(pool), move || {
                pool.run_pending(CALLERS);
            })
        },
        callers_run_jobs: false,
    },
    Party {
        name: "set_result",
        prepare: |pool, _| {
            let promises = [(); CALLERS].map(|()| pool.promise().expect("the pool is empty"));
            let (promises, jobs): (Vec<_>, Vec<_>) = promises.into_iter().unzip();
            Scene::new(pool, jobs, move || {
                for promise in promises {
                    let _ = promise.set_result(1);
                }
            })
        },
        callers_run_jobs: false,
    },
    Party {
        name: "drop of promises",
        prepare: |pool, _| {
            let promises = [(); CALLERS].map(|()| pool.promise().expect("the pool is empty"));
            let (promises, jobs): (Vec<_>, Vec<_>) = promises.into_iter().unzip();
            Scene::new(pool, jobs, move || drop(promises))
        },
        callers_run_jobs: false,
    },
    Party {
        name: "shutdown that cancels",
        prepare: |pool, _| {
            Scene::new(pool, submitted(pool), move || {
                let _ = pool.shutdown(true, true);
            })
        },
        callers_run_jobs: false,
    },
    Party {
        name: "break_pool",
        prepare: |pool, _| {
            Scene::new(pool, submitted(pool), move || {
                pool.break_pool("as asked for");
            })
        },
        callers_run_jobs: false,
    },
    Party {
        name: "worker_lost",
        prepare: |pool, number| {
            let (begun, over) = (Gate::default(), Gate::default());
            let (its_begun, its_over) = (begun.clone(), over.clone());
            let endless = pool.submit(move || {
                its_begun.open();
                its_over.pass();
                0
            });
            let mut jobs = submitted(pool);
            jobs.truncate(CALLERS - 1);
            jobs.insert(0, endless.expect("the pool is empty"));
            let (its_number, number) = (number.clone(), number.clone());
            let mut scene = Scene::new(pool, jobs, move || {
                begun.pass();
                let number = *number.0.lock().unwrap();
                let number = number.expect("it has begun a job");
                // SAFETY: it runs the endless job, which is in no scope, and takes no other.
                unsafe { pool.worker_lost(number, OnLoss::Continue) };
                over.open();
            });
            // First of all, so that the endless job is its own.
            scene.background.insert(
                0,
                Box::new(move || {
                    let _ = pool.run(&Numbered(its_number));
                }),
            );
            scene
        },
        callers_run_jobs: false,
    },
    Party {
        name: "submit and result",
        prepare: |pool, _| {
            Scene::new(pool, submitted(pool), move || {
                let _ = pool.submit(|| 1).map(JobFuture::result);
            })
        },
        callers_run_jobs: false,
    },
    Party {
        name: "submit_blocking",
        prepare: |pool, _| {
            let jobs = submitted(pool);
            Scene::new(pool, jobs, move || {
                fill(pool);
                let _ = pool.submit_blocking(|| 1).map(JobFuture::result);
            })
        },
        callers_run_jobs: false,
    },
    Party {
        name: "cancel and drop",
        prepare: |pool, _| {
            let jobs = submitted(pool);
            let others = [(); 4].map(|()| pool.submit(|| 1).expect("there is room"));
            Scene::new(pool, jobs, move || {
                for mut other in others {
                    let _ = other.add_done_callback(|_| ());
                    other.cancel();
                }
            })
        },
        callers_run_jobs: false,
    },
    Party {
        name: "wait",
        prepare: |pool, _| {
            let jobs = submitted(pool);
            let mut others = [(); 2].map(|()| pool.submit(|| 1).expect("there is room"));
            Scene::new(pool, jobs, move || {
                let _ = wait(&mut others, None, ReturnWhen::AllCompleted);
            })
        },
        callers_run_jobs: false,
    },
    Party {
        name: "a scope",
        prepare: |pool, _| {
            Scene::new(pool, submitted(pool), move || {
                pool.scope(|scope| {
                    let _ = scope.submit(|| 1);
                    let _ = scope.submit(|| 2);
                });
            })
        },
        callers_run_jobs: false,
    },
    Party {
        name: "wake of tasks",
        prepare: |pool, _| {
            let left = Arc::new(Mutex::new(Vec::new()));
            let tasks = [(); CALLERS].map(|()| {
                let (left, mut polled) = (left.clone(), false);
                let task = pool.spawn(std::future::poll_fn(move |cx| {
                    left.lock().unwrap().push(cx.waker().clone());
                    match std::mem::replace(&mut polled, true) {
                        false => Poll::Pending,
                        true => Poll::Ready(1),
                    }
                }));
                task.expect("the pool is empty")
            });
            pool.run_pending(CALLERS);
            Scene::new(pool, Vec::from(tasks), move || {
                let wakers = std::mem::take(&mut *left.lock().unwrap());
                wakers.into_iter().for_each(Waker::wake);
            })
        },
        callers_run_jobs: false,
    },
    Party {
        name: "a guest",
        prepare: |pool, _| {
            let own = pool.submit(|| 1).expect("the pool is empty");
            let mut scene = Scene::new(pool, submitted(pool), move || {
                let _ = own.result();
            });
            scene.background.clear();
            scene
        },
        callers_run_jobs: true,
    },
];

/// An urgent caller.
struct Caller {
    pool: Pool,
    jobs: Vec<Job>,
    victim: Number,
}

/// A call of urgent callers.
pub struct Call {
    name: &'static str,
    callers: usize,
    /// It begins at [`MOMENT`]. If not, it begins before the victim does, and sleeps until then.
    at_moment: bool,
    act: fn(Caller),
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It needs no worker: a caller that waits is a guest.
    Blocks,
    /// Only a worker can end it.
    Awaits,
    /// It works until the pool is shut down.
    Works,
    /// It declares the victim lost, if that is a worker.
    Loses,
}

/// A waker that wakes nobody: of a task that has been given up.
struct Nobody;

impl Wake for Nobody {
    fn wake(self: Arc<Self>) {}
}

fn nobody() -> Waker {
    Arc::new(Nobody).into()
}

fn poll_once<F: Future>(future: Pin<&mut F>, waker: &Waker) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(waker))
}

/// Awaits, in this thread.
fn block_on<F: Future>(mut future: Pin<&mut F>) -> F::Output {
    let waker = Sleeper.waker();
    loop {
        match poll_once(future.as_mut(), &waker) {
            Poll::Ready(output) => return output,
            Poll::Pending => Sleeper.park(None),
        }
    }
}

/// Awaits by a waker that wakes nobody, and from the moment on by another.
fn block_on_another<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let first = poll_once(future.as_mut(), &nobody());
    sleep_until(MOMENT);
    match first {
        Poll::Ready(output) => output,
        Poll::Pending => block_on(future),
    }
}

/// Takes all room there is, if nobody makes any meanwhile.
fn fill(pool: Pool) {
    for _ in 0..pool.capacity() {
        let _ = pool.submit_detached(|| ());
    }
}

/// A wait that the moment ends, and one that it does not.
fn wait_twice(mut jobs: Vec<Job>, when: ReturnWhen) {
    let _ = wait(&mut jobs, Some(MOMENT), when);
    let waited = wait(&mut jobs, None, when);
    assert!(waited.is_ok_and(|waited| !waited.done.is_empty()));
}

fn set<const N: usize>(jobs: Vec<Job>) -> FutureSet<'static, usize, N> {
    jobs.into_iter().collect()
}

fn shared(jobs: Vec<Job>) -> Vec<SharedFuture<'static, usize>> {
    jobs.into_iter().map(JobFuture::share).collect()
}

/// All calls.
pub const CALLS: &[Call] = &[
    Call::at_moment("submit", |caller| drop(caller.pool.submit(|| 1))),
    Call::at_moment("submit_detached", |caller| {
        let _ = caller.pool.submit_detached(|| ());
    }),
    Call::at_moment("submit_cancellable", |caller| {
        let job = caller.pool.submit_cancellable(|token| token.is_cancelled());
        let _ = job.map(JobFuture::result);
    }),
    Call::at_moment("submit_blocking", |caller| {
        fill(caller.pool);
        let _ = caller.pool.submit_blocking(|| 1).map(JobFuture::result);
    }),
    Call::at_moment("submit_blocking", |caller| {
        fill(caller.pool);
        let _ = caller.pool.submit_blocking(|| 1).map(JobFuture::result);
    })
    .by_all(),
    Call::at_moment("submit_timeout", |caller| {
        fill(caller.pool);
        match caller.pool.submit_timeout(|| 1, SOON) {
            Ok(job) => drop(job.result()),
            Err(SubmitError::Full(job)) => {
                let _ = caller.pool.submit_timeout(job, MOMENT);
            }
            Err(_) => {}
        }
    })
    .by_all(),
    Call::at_moment("submit_async", |caller| {
        fill(caller.pool);
        let submit = caller.pool.submit_async(|| 1);
        let _ = block_on(pin!(submit)).map(JobFuture::result);
    })
    .by_all()
    .awaits(),
    Call::new("submit_async with another waker", |caller| {
        fill(caller.pool);
        let submit = caller.pool.submit_async(|| 1);
        let _ = block_on_another(submit).map(JobFuture::result);
    })
    .by_all()
    .awaits(),
    Call::at_moment("spawn", |caller| {
        let task = caller.pool.spawn(async { 1 });
        let _ = task.map(JobFuture::result);
    }),
    Call::at_moment("cancel_current_task", |caller| {
        let task = caller.pool.spawn(cancels_itself(caller.pool));
        let _ = task.map(JobFuture::result);
    }),
    Call::at_moment("promise, set_result", |caller| {
        if let Ok((promise, future)) = caller.pool.promise::<usize>() {
            let _ = promise.is_cancelled();
            let _ = promise.set_result(1);
            let _ = future.result();
        }
    }),
    Call::at_moment("promise, start", |caller| {
        if let Ok((mut promise, future)) = caller.pool.promise::<usize>() {
            let _ = promise.start();
            let _ = future.cancel();
            if promise.cancel_requested() {
                let _ = promise.set_cancelled();
            }
            let _ = future.result();
        }
    }),
    Call::at_moment("promise, set_error", |caller| {
        if let Ok((promise, future)) = caller.pool.promise::<usize>() {
            let _ = promise.set_error(PromiseError(&fmt::Error));
            let _ = future.result();
        }
    }),
    Call::at_moment("drop of a promise", |caller| {
        if let Ok((promise, future)) = caller.pool.promise::<usize>() {
            drop(promise);
            let _ = future.result();
        }
    }),
    Call::at_moment("result", |caller| {
        for job in caller.jobs {
            let _ = job.result();
        }
    }),
    Call::at_moment("result", |caller| {
        for job in caller.jobs {
            let _ = job.result();
        }
    })
    .by_all(),
    Call::new("result_timeout, then result", |caller| {
        for mut job in caller.jobs {
            if job.result_timeout(MOMENT).is_err() {
                let _ = job.result();
            }
        }
    }),
    Call::at_moment("try_result and what else looks", |caller| {
        for mut job in caller.jobs {
            let _ = (job.id(), job.done(), job.running(), job.cancelled());
            let _ = (job.cancel_requested(), job.state());
            let _ = job.try_result();
        }
    }),
    Call::at_moment("share", |caller| {
        for job in caller.jobs {
            let one = job.share();
            let other = one.clone();
            drop(one);
            let _ = other.try_result();
        }
    }),
    Call::at_moment("shared add_done_callback", |caller| {
        for job in caller.jobs {
            let job = job.share();
            let _ = job.add_done_callback(|_| ());
            let _ = job.try_result();
        }
    }),
    Call::at_moment("shared result", |caller| {
        for job in caller.jobs {
            let _ = job.share().result();
        }
    })
    .by_all(),
    Call::new("shared result_timeout", |caller| {
        for job in caller.jobs {
            let job = job.share();
            if job.result_timeout(MOMENT).is_err() {
                let _ = job.result();
            }
        }
    }),
    Call::new("shared result_async", |caller| {
        for job in caller.jobs {
            let job = job.share();
            let _ = block_on_another(job.result_async());
        }
    })
    .awaits(),
    Call::at_moment("error", |caller| {
        for mut job in caller.jobs {
            let _ = job.error();
        }
    }),
    Call::new("error_timeout, then error", |caller| {
        for mut job in caller.jobs {
            let _ = job.error_timeout(MOMENT);
            let _ = job.error();
        }
    }),
    Call::at_moment("await", |caller| {
        for mut job in caller.jobs {
            let _ = block_on(Pin::new(&mut job));
        }
    })
    .awaits(),
    Call::new("await with another waker", |caller| {
        for job in caller.jobs {
            let _ = block_on_another(job);
        }
    })
    .awaits(),
    Call::new("await after a result that timed out", |caller| {
        for mut job in caller.jobs {
            if job.result_timeout(MOMENT).is_err() {
                let _ = block_on(Pin::new(&mut job));
            }
        }
    })
    .awaits(),
    Call::new("result after an await", |caller| {
        for mut job in caller.jobs {
            let first = poll_once(Pin::new(&mut job), &nobody());
            sleep_until(MOMENT);
            if first.is_pending() {
                let _ = job.result();
            }
        }
    }),
    Call::at_moment("cancel", |caller| {
        for job in caller.jobs {
            job.cancel();
            let _ = job.result();
        }
    }),
    Call::new("cancel_on_drop", |caller| {
        for job in caller.jobs {
            let mut job = job.cancel_on_drop();
            let _ = poll_once(Pin::new(&mut job), &nobody());
            sleep_until(MOMENT);
        }
    }),
    Call::at_moment("drop", |caller| drop(caller.jobs)),
    Call::at_moment("add_done_callback", |caller| {
        for mut job in caller.jobs {
            let _ = job.add_done_callback(|_| ());
            let _ = job.result();
        }
    }),
    Call::new("wait for the first", |caller| {
        wait_twice(caller.jobs, ReturnWhen::FirstCompleted);
    }),
    Call::new("wait for an exception", |caller| {
        wait_twice(caller.jobs, ReturnWhen::FirstException);
    }),
    Call::new("wait for all", |caller| {
        wait_twice(caller.jobs, ReturnWhen::AllCompleted);
    }),
    Call::new("wait for one at a time", |caller| {
        for job in caller.jobs {
            wait_twice(vec![job], ReturnWhen::AllCompleted);
        }
    }),
    Call::at_moment("wait", |mut caller| {
        let _ = wait(&mut caller.jobs, None, ReturnWhen::AllCompleted);
    })
    .by_all(),
    Call::new("wait_async", |mut caller| {
        let first = wait_async(&mut caller.jobs, ReturnWhen::FirstCompleted);
        let _ = block_on_another(first);
        let all = wait_async(&mut caller.jobs, ReturnWhen::AllCompleted);
        block_on(pin!(all));
    })
    .awaits(),
    Call::new("wait_shared for the first", |caller| {
        let mut jobs = shared(caller.jobs);
        let _ = wait_shared(&mut jobs, Some(MOMENT), ReturnWhen::FirstCompleted);
        let _ = wait_shared(&mut jobs, None, ReturnWhen::FirstCompleted);
    }),
    Call::new("wait_shared for all", |caller| {
        let mut jobs = shared(caller.jobs);
        let _ = wait_shared(&mut jobs, Some(MOMENT), ReturnWhen::AllCompleted);
        let _ = wait_shared(&mut jobs, None, ReturnWhen::AllCompleted);
    }),
    Call::new("wait_shared_async", |caller| {
        let mut jobs = shared(caller.jobs);
        drop(block_on_another(wait_shared_async(
            &mut jobs,
            ReturnWhen::FirstCompleted,
        )));
        let all = wait_shared_async(&mut jobs, ReturnWhen::AllCompleted);
        drop(block_on(pin!(all)));
    })
    .awaits(),
    Call::new("gather", |caller| {
        drop(block_on_another(gather(set::<CALLERS>(caller.jobs))));
    })
    .awaits(),
    Call::new("as_completed", |caller| {
        let mut completed = as_completed(set::<CALLERS>(caller.jobs), Some(MOMENT));
        while let Some(Ok(_)) = completed.next() {}
        let rest = completed.into_unfinished();
        as_completed(rest, None).for_each(drop);
    }),
    Call::at_moment("as_completed", |caller| {
        as_completed(set::<CALLERS>(caller.jobs), None).for_each(drop);
    })
    .by_all(),
    Call::new("next_done with another waker", |caller| {
        let mut completed = as_completed(set::<CALLERS>(caller.jobs), None);
        drop(block_on_another(completed.next_done()));
        while block_on(pin!(completed.next_done())).is_some_and(|next| next.is_ok()) {}
    })
    .awaits(),
    Call::at_moment("next_done", |caller| {
        let mut completed = as_completed(set::<CALLERS>(caller.jobs), None);
        while block_on(pin!(completed.next_done())).is_some_and(|next| next.is_ok()) {}
    })
    .by_all()
    .awaits(),
    Call::at_moment("map", |caller| caller.pool.map(0..3, |n| n).for_each(drop)),
    Call::at_moment("map in a full pool", |caller| {
        fill(caller.pool);
        caller.pool.map(0..3, |n| n).for_each(drop);
    })
    .by_all(),
    Call::new("map_with, until it times out", |caller| {
        let options = MapOptions::<2> {
            timeout: Some(MOMENT),
            ..MapOptions::default()
        };
        if let Ok(map) = caller.pool.map_with(options, 0..3, |n| n) {
            map.for_each(drop);
        }
    }),
    Call::at_moment("scope", |caller| {
        caller.pool.scope(|scope| {
            let _ = scope.submit(|| 1);
            let _ = scope.submit(|| 2).map(JobFuture::result);
            scope.map(0..2, |n| n).for_each(drop);
        });
    }),
    Call::at_moment("shutdown", |caller| {
        let _ = caller.pool.shutdown(true, false);
    }),
    Call::at_moment("shutdown", |caller| {
        let _ = caller.pool.shutdown(true, false);
    })
    .by_all(),
    Call::at_moment("shutdown that cancels", |caller| {
        let _ = caller.pool.shutdown(true, true);
    })
    .by_all(),
    Call::at_moment("shutdown that does not wait", |caller| {
        let _ = caller.pool.shutdown(false, true);
    }),
    Call::at_moment("shutdown_timeout", |caller| {
        let _ = caller.pool.shutdown_timeout(SOON, false);
        let _ = caller.pool.shutdown_timeout(MOMENT, true);
    })
    .by_all(),
    Call::at_moment("shutdown_async", |caller| {
        let _ = block_on(pin!(caller.pool.shutdown_async(false)));
    })
    .by_all()
    .awaits(),
    Call::at_moment("run_pending", |caller| {
        caller.pool.run_pending(CALLERS);
    }),
    Call::at_moment("run", |caller| {
        let _ = caller.pool.run(&Sleeper);
    })
    .of(Kind::Works),
    Call::at_moment("break_pool", |caller| {
        caller.pool.break_pool("as asked for");
    }),
    Call::at_moment("worker_lost", |caller| {
        if let Some(number) = *caller.victim.0.lock().unwrap() {
            // SAFETY: the only scope there is belongs to parties beside which this is not called.
            unsafe { caller.pool.worker_lost(number, OnLoss::Break) };
        }
    })
    .of(Kind::Loses),
    Call::at_moment("what else looks", |caller| {
        let pool = caller.pool;
        let _ = (pool.capacity(), pool.free_slots(), pool.workers());
        let _ = (pool.max_workers(), pool.unfinished(), pool.idle_workers());
        let _ = (pool.broken_reason(), pool.is_shut_down());
        let _ = (pool.workers_wanted(), pool.runs_caller());
    }),
];

/// The calls that must be found, each beside [`CONTROL_PARTY`]: ways to wait that are not sleep, and a
/// sleep from which no party wakes.
const CONTROLS: &[Call] = &[
    Call::new(
        "an await that wakes itself when the end is near",
        |caller| {
            // As who finds its former waker collected, and wakes the new one itself.
            let near = Arc::new(AtomicBool::new(false));
            for mut job in caller.jobs {
                near.store(false, SeqCst);
                let its_end = near.clone();
                let _ = job.add_done_callback(move |_| its_end.store(true, SeqCst));
                let waker = Sleeper.waker();
                sleep_until(MOMENT);
                while poll_once(Pin::new(&mut job), &waker).is_pending() {
                    if near.load(SeqCst) {
                        waker.wake_by_ref();
                    }
                    Sleeper.park(None);
                }
            }
        },
    )
    .awaits(),
    Call::at_moment("a submit that tries again at once", |caller| {
        // As who finds no place to leave its waker.
        fill(caller.pool);
        let waker = Sleeper.waker();
        while let Err(SubmitError::Full(_)) = caller.pool.submit(|| 1) {
            waker.wake_by_ref();
            Sleeper.park(None);
        }
    })
    .by_all()
    .awaits(),
    Call::at_moment("a wait that looks again at once", |mut caller| {
        // As who finds a completer that has not let go yet.
        let waker = Sleeper.waker();
        let over = |waited: Result<corepool::Waited<'_, corepool::JobFuture<'_, usize>>, _>| {
            waited.is_ok_and(|waited| waited.not_done.is_empty())
        };
        while !over(wait(
            &mut caller.jobs,
            Some(Duration::ZERO),
            ReturnWhen::AllCompleted,
        )) {
            waker.wake_by_ref();
            Sleeper.park(None);
        }
    })
    .awaits(),
    Call::at_moment("a caller that looks until it is done", |caller| {
        for job in caller.jobs {
            while !job.done() {}
        }
    })
    .awaits(),
    Call::at_moment("an await whose waker wakes nobody", |caller| {
        for mut job in caller.jobs {
            while poll_once(Pin::new(&mut job), &nobody()).is_pending() {
                Sleeper.park(None);
            }
        }
    })
    .awaits(),
];

impl Call {
    /// How its row is named.
    pub fn name(&self) -> &'static str {
        self.name
    }

    const fn new(name: &'static str, act: fn(Caller)) -> Self {
        Self {
            name,
            callers: 1,
            at_moment: false,
            act,
            kind: Kind::Blocks,
        }
    }

    const fn at_moment(name: &'static str, act: fn(Caller)) -> Self {
        Self {
            at_moment: true,
            ..Self::new(name, act)
        }
    }

    const fn by_all(self) -> Self {
        Self {
            callers: CALLERS,
            ..self
        }
    }

    const fn of(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }

    const fn awaits(self) -> Self {
        self.of(Kind::Awaits)
    }
}

/// Whether each of the places for waiters is free: as many waits as there are places find one.
fn all_places_are_free(pool: Pool, places: usize) -> bool {
    let mut promises = Vec::new();
    let mut waits = Vec::new();
    for _ in 0..places {
        let Ok((promise, future)) = pool.promise::<usize>() else {
            // Closed, or full: that is seen by other means.
            return true;
        };
        promises.push(promise);
        waits.push(as_completed(set::<1>(vec![future]), None));
    }
    waits
        .iter_mut()
        .all(|wait| poll_once(pin!(wait.next_done()), Waker::noop()).is_pending())
}

/// One execution: `call` beside `party`.
fn meet(call: &'static Call, party: &'static Party, stage: &Arc<Stage>) {
    let (pool, places): (Pool, usize) = if party.callers_run_jobs {
        let pool: &Tight = Box::leak(Box::new(Tight::new()));
        pool.install(&GuestMachine);
        (pool.pool_ref(), 1)
    } else {
        let pool: &Roomy = Box::leak(Box::new(Roomy::new()));
        pool.install(&Machine);
        (pool.pool_ref(), 2)
    };
    let number = Number::default();
    let scene = (party.prepare)(pool, &number);
    let mut shares = Vec::new();
    shares.resize_with(call.callers, Vec::new);
    for (position, job) in scene.jobs.into_iter().enumerate() {
        shares[position % call.callers].push(job);
    }
    let mut before_shutdown = Vec::new();
    let mut after_shutdown = Vec::new();
    for (caller, jobs) in shares.into_iter().enumerate() {
        let caller_name = format!("caller {caller} of {}", call.name);
        let caller = Caller {
            pool: scene.pool,
            jobs,
            victim: number.clone(),
        };
        let thread = stage.spawn(Urgency::Urgent, caller_name, move || {
            if call.at_moment {
                sleep_until(MOMENT);
            }
            (call.act)(caller);
        });
        if call.kind == Kind::Works {
            after_shutdown.push(thread);
        } else {
            before_shutdown.push(thread);
        }
    }
    for act in scene.background {
        after_shutdown.push(stage.spawn(Urgency::Background, "a worker", act));
    }
    let (inner, victim) = (stage.clone(), scene.victim);
    let victim = stage.spawn(Urgency::Victim, party.name, move || inner.counted(victim));
    if scene.until_shutdown {
        after_shutdown.push(victim);
    } else {
        before_shutdown.push(victim);
    }
    for thread in before_shutdown {
        let _ = thread.join();
    }
    if !all_places_are_free(pool, places) {
        stage.find("a place for a waiter is lost");
    }
    let _ = pool.shutdown(true, false);
    for thread in after_shutdown {
        let _ = thread.join();
    }
    if pool.workers() != 0 || pool.free_slots() != pool.capacity() {
        let (slots, workers) = (pool.free_slots(), pool.workers());
        stage.find(format!("{slots} free slots, {workers} workers are left"));
    }
}

/// A call beside all parties.
#[derive(Default)]
struct Swept {
    parties: usize,
    stops: usize,
    found: usize,
    /// The findings for each party, each with the first step before which it was found.
    findings: BTreeMap<String, Vec<(&'static str, usize)>>,
}

impl Swept {
    fn describe(&self) -> impl Iterator<Item = String> {
        self.findings.iter().map(|(what, cases)| {
            let cases = cases
                .iter()
                .map(|(party, step)| format!("{party} ({step})"));
            let cases: Vec<_> = cases.collect();
            format!("{what}; beside (first step): {}", cases.join(", "))
        })
    }
}

/// Says where a failed assertion was.
struct Case<'a> {
    call: &'a Call,
    party: &'a Party,
    step: usize,
}

impl Drop for Case<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let (call, party, step) = (self.call.name, self.party.name, self.step);
            eprintln!("{call}, beside {party} that is stopped before step {step}");
        }
    }
}

fn beside(call: &'static Call, party: &'static Party, swept: &mut Swept) {
    swept.parties += 1;
    for step in 1..=MOST_STEPS {
        let case = Case { call, party, step };
        let stage = strict::run(step, move |stage| meet(call, party, stage));
        drop(case);
        if let Some(finding) = stage.finding() {
            swept.found += 1;
            let cases = swept.findings.entry(finding).or_default();
            if cases.last().is_none_or(|&(last, _)| last != party.name) {
                cases.push((party.name, step));
            }
        }
        if !stage.is_stopped() {
            break;
        }
        swept.stops += 1;
    }
}

/// Whether the call can be made there, and ends.
fn suits(call: &Call, party: &Party) -> bool {
    match call.kind {
        Kind::Blocks | Kind::Works => true,
        Kind::Awaits => !party.callers_run_jobs,
        Kind::Loses => party.name == CONTROL_PARTY,
    }
}

/// The party beside which the controls are found.
const CONTROL_PARTY: &str = "a worker";

fn print_row(name: &str, swept: &Swept, start: Instant) {
    println!(
        "{name:<50} {:>7} {:>6} {:>6} {:>7.1}",
        swept.parties,
        swept.stops,
        swept.found,
        start.elapsed().as_secs_f32()
    );
}

/// Runs the whole check, or the calls that have `only` in their name.
pub fn check(only: &str) -> Result<(), String> {
    println!("{}\n", calls::check(Check::Urgent)?);
    println!(
        "{:<50} {:>7} {:>6} {:>6} {:>7}",
        "called by the more urgent", "parties", "stops", "found", "seconds"
    );
    let mut errors = Vec::new();
    let mut total = Swept::default();
    let start = Instant::now();
    for call in CALLS.iter().filter(|call| call.name.contains(only)) {
        let (mut swept, start) = (Swept::default(), Instant::now());
        for party in PARTIES.iter().filter(|party| suits(call, party)) {
            beside(call, party, &mut swept);
        }
        let name = match call.callers {
            1 => call.name.to_owned(),
            callers => format!("{}, by {callers} at a time", call.name),
        };
        print_row(&name, &swept, start);
        if swept.stops == 0 {
            errors.push(format!("{name}: nobody was stopped"));
        }
        errors.extend(swept.describe().map(|what| format!("{name}: {what}")));
        total.parties += swept.parties;
        total.stops += swept.stops;
        total.found += swept.found;
    }
    print_row("all", &total, start);
    for call in CONTROLS.iter().filter(|call| call.name.contains(only)) {
        let (mut swept, start) = (Swept::default(), Instant::now());
        for party in PARTIES.iter().filter(|party| party.name == CONTROL_PARTY) {
            beside(call, party, &mut swept);
        }
        print_row(&format!("control: {}", call.name), &swept, start);
        if swept.found == 0 {
            errors.push(format!(
                "control: {}: it is not found; is the check blind?",
                call.name
            ));
        }
    }
    match errors.as_slice() {
        [] => Ok(()),
        errors => Err(errors.join("\n")),
    }
}
