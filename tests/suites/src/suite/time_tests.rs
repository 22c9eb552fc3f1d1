//! How long each call that has a time limit waits, and from when on the limit counts.
//!
//! On the fixtures' own [`Clock`](crate::Clock) the time is exact: no earlier, and not later by a
//! nanosecond. On the host's clock a test can only say that it was no earlier: how much later is up to
//! the machine.

use std::time::Duration;

use crate::{Fixture, Methods, SMALL, drain, while_running};
use corepool::{
    AsCompletedError, FutureSet, JobError, MapOptions, ReturnWhen, ShutdownError, SubmitError,
    as_completed, wait,
};

/// How long the calls may take. No power of anything, so that no other time looks like it.
const TIME: Duration = Duration::from_micros(3_457);

/// The clock of a pool's time limits.
fn now<F: Fixture>(fx: &F) -> Duration {
    fx.now()
}

/// Has so much time pass.
fn pass<F: Fixture>(fx: &F, time: Duration) {
    match fx.clock() {
        Some(clock) => clock.pass(time),
        None => {
            let (_promise, mut never) = fx.pool().promise::<()>().unwrap();
            let waited = never.result_timeout(time);
            assert!(matches!(waited, Err(JobError::TimedOut)));
        }
    }
}

/// Since `start` this time has passed.
#[track_caller]
fn assert_passed<F: Fixture>(fx: &F, start: Duration, time: Duration) {
    let passed = now(fx) - start;
    if fx.clock().is_some() {
        assert_eq!(passed, time);
    } else {
        assert!(passed >= time, "{passed:?} is less than {time:?}");
    }
}

/// `call` waits for this long.
#[track_caller]
fn takes<F: Fixture, R>(fx: &F, time: Duration, call: impl FnOnce() -> R) -> R {
    let start = now(fx);
    let said = call();
    assert_passed(fx, start, time);
    said
}

/// A future's result.
pub fn result_timeout<F: Fixture>() {
    let fx = F::start(1);
    let (_promise, mut never) = fx.pool().promise::<u32>().unwrap();
    let said = takes(&fx, TIME, || never.result_timeout(TIME));
    assert!(matches!(said, Err(JobError::TimedOut)));
}

/// A future's error.
pub fn error_timeout<F: Fixture>() {
    let fx = F::start(1);
    let (_promise, mut never) = fx.pool().promise::<u32>().unwrap();
    let said = takes(&fx, TIME, || never.error_timeout(TIME));
    assert!(matches!(said, Err(JobError::TimedOut)));
}

/// No time at all: the call looks, and returns.
pub fn zero_takes_no_time<F: Fixture>() {
    let fx = F::start(1);
    let (_promise, mut never) = fx.pool().promise::<u32>().unwrap();
    let said = takes(&fx, Duration::ZERO, || never.result_timeout(Duration::ZERO));
    assert!(matches!(said, Err(JobError::TimedOut)));
}

/// Results that are there need no time, however many there are.
pub fn what_is_done_takes_no_time<F: Fixture>() {
    let fx = F::start(1);
    let (promise, mut future) = fx.pool().promise().unwrap();
    promise.set_result(42).unwrap();
    let said = takes(&fx, Duration::ZERO, || future.result_timeout(TIME));
    assert_eq!(said.unwrap(), 42);
}

/// A set of futures, whatever the wait is for.
pub fn wait_timeout<F: Fixture>() {
    let fx = F::start(1);
    let (_promises, mut nevers): (Vec<_>, Vec<_>) =
        (0..3).map(|_| fx.pool().promise::<u32>().unwrap()).unzip();
    for when in [
        ReturnWhen::FirstCompleted,
        ReturnWhen::FirstException,
        ReturnWhen::AllCompleted,
    ] {
        let waited = takes(&fx, TIME, || wait(&mut nevers, Some(TIME), when));
        assert_eq!(waited.unwrap().not_done.len(), 3);
    }
}

/// `as_completed`: from the call on, and not from each `next`. Futures that are done by then still come.
pub fn as_completed_counts_from_the_call<F: Fixture>() {
    let fx = F::start(1);
    let (promise, future) = fx.pool().promise().unwrap();
    let (_other, never) = fx.pool().promise::<u32>().unwrap();
    let start = now(&fx);
    let mut completed = as_completed(
        FutureSet::<'_, _, 2>::from_iter([future, never]),
        Some(TIME),
    );
    pass(&fx, TIME / 3);
    promise.set_result(42).unwrap();
    assert_eq!(completed.next().unwrap().unwrap().result().unwrap(), 42);
    pass(&fx, TIME / 3);
    assert!(matches!(
        completed.next(),
        Some(Err(AsCompletedError::TimedOut {
            unfinished: 1,
            total: 2
        }))
    ));
    assert_passed(&fx, start, TIME);
}

/// `map`: from the call on, too, and over all results together.
pub fn map_counts_from_the_call<F: Fixture>() {
    let fx = F::start(1);
    let hold = fx.hold_workers();
    let options = MapOptions::<4> {
        buffer_size: 1,
        timeout: Some(TIME),
    };
    let pool = fx.pool();
    let start = now(&fx);
    let mut map = pool.map_with(options, [false, true], |waits: bool| waits);
    let map = map.as_mut().unwrap();
    drop(hold);
    drain(&fx);
    let _hold = fx.hold_workers();
    pass(&fx, TIME / 3);
    assert!(matches!(map.next(), Some(Ok(false))));
    pass(&fx, TIME / 3);
    assert!(matches!(map.next(), Some(Err(JobError::TimedOut))));
    assert_passed(&fx, start, TIME);
    assert!(map.next().is_none());
}

/// A map that finds no room.
pub fn map_waits_for_room<F: Fixture>() {
    let fx = F::Small::start(1);
    let _kept: Vec<_> = (0..SMALL)
        .map(|_| fx.pool().promise::<()>().unwrap())
        .collect();
    let options = MapOptions::<4> {
        buffer_size: 4,
        timeout: Some(TIME),
    };
    let said = takes(&fx, TIME, || {
        let mut map = fx.pool().map_with(options, 0..4, |n: u32| n).unwrap();
        map.next()
    });
    assert!(matches!(said, Some(Err(JobError::TimedOut))));
}

/// A submit that finds no room.
pub fn submit_timeout<F: Fixture>() {
    let fx = F::Small::start(1);
    let _kept: Vec<_> = (0..SMALL)
        .map(|_| fx.pool().promise::<()>().unwrap())
        .collect();
    let said = takes(&fx, TIME, || {
        let submitted = fx.pool().submit_timeout(|| 7, TIME);
        matches!(submitted, Err(SubmitError::Full(_)))
    });
    assert!(said);
}

/// A shutdown that finds a task that does not end.
pub fn shutdown_timeout<F: Fixture>() {
    let fx = F::start(1);
    let task = fx.pool().spawn(std::future::pending::<()>()).unwrap();
    drain(&fx);
    let said = takes(&fx, TIME, || fx.pool().shutdown_timeout(TIME, false));
    assert!(matches!(
        said,
        Err(ShutdownError::StillRunning { jobs: 1, .. })
    ));
    fx.pool().shutdown(true, true).unwrap();
    drop(task);
}

/// A job's limits are like anybody's, on a worker that the job keeps waiting.
pub fn timeout_in_a_job<F: Fixture>() {
    let fx = F::start(1);
    let pool = fx.pool();
    let (_promise, mut never) = pool.promise::<u32>().unwrap();
    let start = now(&fx);
    let job = pool.submit(move || matches!(never.result_timeout(TIME), Err(JobError::TimedOut)));
    assert!(job.unwrap().result().unwrap());
    assert_passed(&fx, start, TIME);
}

/// Nobody waits for anything that needs no time: a look, a cancel, a submit.
pub fn calls_without_a_limit_take_no_time<F: Fixture>() {
    let fx = F::start(1);
    takes(&fx, Duration::ZERO, || {
        let future = fx.pool().submit(|| 1).unwrap();
        future.cancel();
        let _ = (future.state(), future.done());
        let _ = while_running(&fx, |future| future.cancel());
    });
}

crate::suite!(time_tests:
    everywhere [
        result_timeout,
        error_timeout,
        zero_takes_no_time,
        what_is_done_takes_no_time,
        wait_timeout,
        as_completed_counts_from_the_call,
        map_counts_from_the_call,
        map_waits_for_room,
        submit_timeout,
        shutdown_timeout,
        timeout_in_a_job,
        calls_without_a_limit_take_no_time,
    ]
    in_parallel []
);
