//! Nothing that goes wrong in a job may leave anybody waiting. CPython: `test_deadlock.py`.
//!
//! Those tests hit a process, and these hit a worker: a job panics, a job takes its thread's stack down
//! with an unwinding of its own, the pool breaks while jobs run.

use std::{
    panic::{panic_any, resume_unwind},
    sync::{Arc, Mutex},
};

use corepool::{
    AsCompletedError, BrokenReason, FutureSet, JobError, JobFuture, ReturnWhen, SubmitError,
    WaitError, as_completed, wait,
};

use crate::{Drops, Fixture, Gate, Methods, Recorder, SMALL, drain};

const REASON: BrokenReason = BrokenReason::Application("out of power");

/// A job that fails fails its own future only. CPython:
/// `ExecutorDeadlockTest.test_error_during_func_exec_on_worker`; interpreter pool:
/// `test_submit_exception_in_func`.
pub fn error_during_func_exec_on_worker<F: Fixture>() {
    let fx = F::start(1);
    let bad = fx
        .pool()
        .submit(|| -> u32 { resume_unwind(Box::new("error")) })
        .unwrap();
    let good = fx.pool().submit(|| 42).unwrap();
    assert!(matches!(bad.result(), Err(JobError::Panicked(_))));
    assert_eq!(good.result().unwrap(), 42);
}

/// A payload of any type is as good. CPython:
/// `ExecutorDeadlockTest.test_exit_during_func_exec_on_worker`.
pub fn exit_during_func_exec_on_worker<F: Fixture>() {
    struct Exit;
    let fx = F::start(1);
    let bad = fx
        .pool()
        .submit(|| -> u32 { resume_unwind(Box::new(Exit)) });
    assert!(matches!(bad.unwrap().result(), Err(JobError::Panicked(_))));
    assert_eq!(fx.pool().submit(|| 42).unwrap().result().unwrap(), 42);
}

/// The pool breaks under a running job: what is queued fails at once and names the cause, and the
/// job that runs completes. CPython: `ExecutorDeadlockTest.test_crash_during_func_exec_on_worker`.
pub fn crash_during_func_exec_on_worker<F: Fixture>() {
    let fx = F::start(1);
    let (started, release) = (Gate::new(), Gate::new());
    let (start, held) = (started.clone(), release.clone());
    let running = fx
        .pool()
        .submit(move || {
            start.open();
            held.wait();
            42
        })
        .unwrap();
    started.wait();
    let queued = fx.pool().submit(|| 1).unwrap();
    fx.pool().break_pool("out of power");
    let Err(error) = queued.result() else {
        panic!("a job of a broken pool ran");
    };
    assert!(matches!(error, JobError::Broken(REASON)));
    assert!(error.to_string().contains("out of power"));
    assert!(matches!(
        fx.pool().submit(|| 2),
        Err(SubmitError::Broken(_, REASON))
    ));
    release.open();
    assert_eq!(running.result().unwrap(), 42);
}

/// The first reason stays.
pub fn first_cause_stays<F: Fixture>() {
    let fx = F::start(1);
    fx.pool().break_pool("out of power");
    fx.pool().break_pool("out of memory");
    assert_eq!(fx.pool().broken_reason(), Some(REASON));
}

/// A job that breaks its own pool and then fails is told apart from those that it takes along.
pub fn error_at_break<F: Fixture>() {
    let fx = F::start(1);
    let pool = fx.pool();
    let hold = fx.hold_workers();
    let breaker = pool
        .submit(move || {
            pool.break_pool("out of power");
            resume_unwind(Box::new("error"))
        })
        .unwrap();
    let queued = pool.submit(|| ()).unwrap();
    drop(hold);
    assert!(matches!(queued.result(), Err(JobError::Broken(REASON))));
    let breaker: Result<(), _> = breaker.result();
    assert!(matches!(breaker, Err(JobError::Panicked(_))));
}

/// A shutdown after a failure comes to its end. CPython:
/// `ExecutorDeadlockTest.test_shutdown_deadlock`.
pub fn shutdown_deadlock<F: Fixture>() {
    let fx = F::start(2);
    let bad = fx
        .pool()
        .submit(|| -> u32 { resume_unwind(Box::new("error")) })
        .unwrap();
    fx.pool().shutdown(true, false).unwrap();
    assert!(matches!(bad.result(), Err(JobError::Panicked(_))));
}

/// A pool that breaks with every slot taken leaves nobody behind. CPython:
/// `ExecutorDeadlockTest.test_crash_big_data`.
pub fn crash_big_data<F: Fixture>() {
    let fx = F::start(1);
    let hold = fx.hold_workers();
    let drops = Drops::new();
    let mut futures = Vec::new();
    let refused = loop {
        let token = drops.token();
        match fx.pool().submit(move || drop(token)) {
            Ok(future) => futures.push(future),
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, SubmitError::Full(_)));
    drop(refused);
    fx.pool().break_pool("out of power");
    for future in futures {
        assert!(matches!(future.result(), Err(JobError::Broken(REASON))));
    }
    assert_eq!(drops.dropped(), drops.made());
    drop(hold);
}

/// A submit to a full pool returns at once. CPython:
/// `ExecutorDeadlockTest.test_gh105829_should_not_deadlock_if_wakeup_pipe_full`.
pub fn gh105829_should_not_deadlock_if_wakeup_pipe_full<F: Fixture>() {
    let fx = F::Small::start(1);
    let hold = fx.hold_workers();
    for _ in 1..SMALL {
        fx.pool().submit_detached(|| ()).unwrap();
    }
    for _ in 0..100 {
        assert!(matches!(
            fx.pool().submit_detached(|| ()),
            Err(SubmitError::Full(_))
        ));
    }
    drop(hold);
    drain(&fx);
    fx.pool().submit(|| ()).unwrap().result().unwrap();
}

/// A destructor that panics, of a job that is cancelled, is contained like any panic of a job's.
pub fn panic_in_a_closures_destructor<F: Fixture>() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            if !std::thread::panicking() {
                resume_unwind(Box::new("boom"));
            }
        }
    }
    let fx = F::start(1);
    let bomb = Bomb;
    let job = fx.pool().submit(move || drop(bomb)).unwrap();
    assert!(matches!(job.result(), Err(JobError::Panicked(_))));
    // A result that nobody takes is dropped by the worker.
    fx.pool().submit(|| Bomb).map(drop).unwrap();
    assert_eq!(fx.pool().submit(|| 42).unwrap().result().unwrap(), 42);
}

/// A panic with a message, through the panic hook, is as good as any.
pub fn ordinary_panic<F: Fixture>() {
    let fx = F::start(1);
    let job = fx.pool().submit(|| panic_any(42_u32)).unwrap();
    let Err(JobError::Panicked(panic)) = job.result() else {
        panic!("a job that panicked gave a result");
    };
    let payload = corepool_std::PanicExt::payload(panic).unwrap();
    assert_eq!(*payload.downcast::<u32>().unwrap(), 42);
}

/// Two jobs on two workers that wait for each other's children make progress.
pub fn workers_that_wait_help<F: Fixture>() {
    let fx = F::start(2);
    let pool = fx.pool();
    let parent = move |n: u32| {
        pool.submit(move || {
            let children = [n, n + 1, n + 2].map(|n| pool.submit(move || n).unwrap());
            children
                .map(|child| child.result().unwrap())
                .iter()
                .sum::<u32>()
        })
        .unwrap()
    };
    let parents = [1, 10, 100, 1000].map(parent);
    let sums = parents.map(|parent| parent.result().unwrap());
    assert_eq!(sums, [6, 33, 303, 3003]);
}

/// A job on the only worker calls `what` with its own future. Returns the answer.
fn with_its_own_future<F: Fixture, R: Send + 'static>(
    what: fn(JobFuture<'static, ()>) -> R,
) -> Vec<R> {
    let fx = F::start(1);
    let hold = fx.hold_workers();
    // So that the job's slot is not one of the first.
    let others = [(); 2].map(|()| fx.pool().promise::<()>().unwrap());
    let own = Arc::new(Mutex::new(None));
    let said = Recorder::new();
    let (inside, note) = (Arc::clone(&own), said.clone());
    let job = fx.pool().submit(move || {
        let own = inside.lock().unwrap().take().unwrap();
        note.note(what(own));
    });
    *own.lock().unwrap() = Some(job.unwrap());
    drop(hold);
    // A promise counts as unfinished.
    drop(others);
    drain(&fx);
    said.take()
}

/// A job that waits for its own end is told that it would wait for ever.
pub fn job_that_waits_for_itself<F: Fixture>() {
    let said = with_its_own_future::<F, _>(|own| own.result());
    assert!(matches!(said[..], [Err(JobError::WouldDeadlock)]));
}

/// So is one that waits for a set which its own end is needed for.
pub fn job_that_waits_for_a_set_with_itself<F: Fixture>() {
    let said = with_its_own_future::<F, _>(|own| {
        let mut alone = [own];
        [
            ReturnWhen::FirstCompleted,
            ReturnWhen::FirstException,
            ReturnWhen::AllCompleted,
        ]
        .map(|when| wait(&mut alone, None, when).map(drop))
    });
    assert_eq!(said, [[Err(WaitError::WouldDeadlock); 3]]);
    let said = with_its_own_future::<F, _>(|own| {
        let set: FutureSet<'_, (), 1> = [own].into_iter().collect();
        as_completed(set, None).next().unwrap().unwrap_err()
    });
    assert_eq!(said, [AsCompletedError::Wait(WaitError::WouldDeadlock)]);
}

/// Two jobs wait for each other: one is told, and the other goes on.
pub fn jobs_that_wait_for_each_other<F: Fixture>() {
    let fx = F::start(2);
    let futures: Arc<Mutex<[Option<JobFuture<'static, ()>>; 2]>> = Arc::default();
    let (said, ready) = (Recorder::new(), Gate::new());
    let job = |other: usize| {
        let (futures, said, ready) = (Arc::clone(&futures), said.clone(), ready.clone());
        fx.pool().submit(move || {
            ready.open();
            ready.wait_for(3);
            let other = futures.lock().unwrap()[other].take().unwrap();
            said.note(other.result());
        })
    };
    let jobs = [job(1), job(0)];
    *futures.lock().unwrap() = jobs.map(Result::ok);
    ready.open();
    drain(&fx);
    let said = said.take();
    assert_eq!(said.len(), 2);
    let told = |said: &_| matches!(said, Err(JobError::WouldDeadlock));
    assert!(said.iter().any(told));
    assert!(said.iter().all(|said| said.is_ok() || told(said)));
}

/// A callback waits for a job that waits for the callback's own job: one of the two is told. The job
/// waits by `how`.
fn callback_waits_for_a_waiter<F: Fixture>(
    how: fn(JobFuture<'static, ()>) -> Result<(), JobError>,
) {
    let fx = F::start(2);
    let (said, ready, ended) = (Recorder::new(), Gate::new(), Gate::new());
    let held = ready.clone();
    let mut first = fx.pool().submit(move || held.wait()).unwrap();
    let waiter: Arc<Mutex<Option<JobFuture<'static, ()>>>> = Arc::default();
    let (theirs, note, end) = (Arc::clone(&waiter), said.clone(), ended.clone());
    let added = first.add_done_callback(move |_| {
        let waiter = theirs.lock().unwrap().take().unwrap();
        note.note(waiter.result());
        end.open();
    });
    assert!(added.is_ok());
    let (note, end) = (said.clone(), ended.clone());
    let job = fx.pool().submit(move || {
        note.note(how(first));
        end.open();
    });
    *waiter.lock().unwrap() = job.ok();
    ready.open();
    // The callback may end after its job's end.
    ended.wait_for(2);
    let said = said.take();
    assert_eq!(said.len(), 2);
    let told = |said: &_| matches!(said, Err(JobError::WouldDeadlock));
    assert!(said.iter().any(told));
    assert!(said.iter().all(|said| said.is_ok() || told(said)));
}

/// A job's callbacks count as part of the job, in a circle of waits.
pub fn callback_that_waits_for_its_jobs_waiter<F: Fixture>() {
    callback_waits_for_a_waiter::<F>(|first| first.result());
}

/// So they do for a set.
pub fn callback_that_waits_for_the_waiter_of_a_set<F: Fixture>() {
    callback_waits_for_a_waiter::<F>(|first| {
        match wait(&mut [first], None, ReturnWhen::AllCompleted) {
            Err(WaitError::WouldDeadlock) => Err(JobError::WouldDeadlock),
            waited => {
                assert!(waited.is_ok());
                Ok(())
            }
        }
    });
}

/// A scope waits for the callbacks of its jobs. The callback of a job in a scope waits for the job
/// that waits for the scope. The callback is told, even if the other holders of its job's shared
/// handle have its result already.
pub fn callback_that_waits_for_its_scope<F: Fixture>() {
    let fx = F::start(2);
    let pool = fx.pool();
    let (said, ready) = (Recorder::new(), Gate::new());
    let outer: Arc<Mutex<Option<JobFuture<'static, ()>>>> = Arc::default();
    let (theirs, note, held) = (Arc::clone(&outer), said.clone(), ready.clone());
    let job = pool.submit(move || {
        pool.scope(|scope| {
            let started = Gate::new();
            let start = started.clone();
            let inner = scope.submit(move || {
                start.open();
                held.wait();
            });
            let inner = inner.unwrap().share();
            // So the other worker runs it.
            started.wait();
            let added = inner.add_done_callback(move |_| {
                let outer = theirs.lock().unwrap().take().unwrap();
                note.note(outer.result());
            });
            assert!(added.is_ok());
            assert!(inner.result().is_ok());
        });
    });
    *outer.lock().unwrap() = job.ok();
    ready.open();
    drain(&fx);
    let said = said.take();
    assert!(matches!(said[..], [Err(JobError::WouldDeadlock)]));
}

/// A task that waits for a job of its own pool takes no worker meanwhile.
pub fn task_awaits_a_job<F: Fixture>() {
    let fx = F::start(1);
    let pool = fx.pool();
    let task = pool.spawn(async move { pool.submit(|| 20).unwrap().await.unwrap() + 1 });
    assert_eq!(task.unwrap().result().unwrap(), 21);
}

crate::suite!(deadlock_tests:
    everywhere [
        error_during_func_exec_on_worker,
        exit_during_func_exec_on_worker,
        first_cause_stays,
        error_at_break,
        shutdown_deadlock,
        crash_big_data,
        gh105829_should_not_deadlock_if_wakeup_pipe_full,
        panic_in_a_closures_destructor,
        ordinary_panic,
        workers_that_wait_help,
        job_that_waits_for_itself,
        job_that_waits_for_a_set_with_itself,
        task_awaits_a_job,
    ]
    in_parallel [
        crash_during_func_exec_on_worker,
        jobs_that_wait_for_each_other,
        callback_that_waits_for_its_jobs_waiter,
        callback_that_waits_for_the_waiter_of_a_set,
        callback_that_waits_for_its_scope,
    ]
);
