//! The future: its states, results, time-outs, callbacks. CPython: `test_future.py`.

use std::{
    error::Error,
    fmt,
    future::Future,
    hint::black_box,
    panic::resume_unwind,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    thread,
    time::Duration,
};

use corepool::{
    CallbackError, CancelToken, JobError, JobState, Promise, PromiseError, ReturnWhen, wait,
};

use corepool_std::PanicExt;

use crate::{
    BYTES, CountingWaker, Drops, Fixture, Gate, LONG, Methods, Recorder, all_slots_come_back,
    cancelled_future, done_future, drain, failed_future, passed_future, text_of, while_running,
};

const NOW: Duration = Duration::ZERO;

/// A callback sees the result. CPython: `FutureTests.test_done_callback_with_result`.
pub fn done_callback_with_result<F: Fixture>() {
    let fx = F::start(1);
    let seen = Recorder::new();
    let (promise, mut future) = fx.pool().promise::<u32>().unwrap();
    let note = seen.clone();
    future
        .add_done_callback(move |outcome| note.note(*outcome.unwrap()))
        .unwrap();
    assert_eq!(seen.take(), []);
    promise.set_result(5).unwrap();
    assert_eq!(seen.take(), [5]);
}

/// A callback sees the text that the job has panicked with. The payload is the future's owner's, who has
/// it after the callback, too. CPython: `FutureTests.test_done_callback_with_exception`.
pub fn done_callback_with_exception<F: Fixture>() {
    let fx = F::start(1);
    let seen = Recorder::new();
    let hold = fx.hold_workers();
    let job = || -> u32 { resume_unwind(Box::new("test")) };
    let mut future = fx.pool().submit(job).unwrap();
    let note = seen.clone();
    future
        .add_done_callback(move |outcome| {
            note.note(outcome.unwrap_err().to_string());
        })
        .unwrap();
    drop(hold);
    assert_eq!(text_of(future.error().unwrap()), "test");
    assert_eq!(seen.take(), ["the job panicked: test"]);
}

/// A callback sees the cancellation. CPython: `FutureTests.test_done_callback_with_cancel`.
pub fn done_callback_with_cancel<F: Fixture>() {
    let fx = F::start(1);
    let seen = Recorder::new();
    let hold = fx.hold_workers();
    let mut future = fx.pool().submit(|| 1).unwrap();
    let note = seen.clone();
    future
        .add_done_callback(move |outcome| {
            note.note(matches!(outcome, Err(JobError::Cancelled)));
        })
        .unwrap();
    assert!(future.cancel());
    assert_eq!(seen.take(), [true]);
    drop(hold);
}

/// The port was told of these panics, which no party observed, and of no others. For a fixture without
/// a port of its own, the test of the executor's own port checks that.
#[track_caller]
pub(super) fn assert_reported<F: Fixture>(fx: &F, reports: &[&str]) {
    if let Some(port) = fx.port() {
        assert_eq!(port.reports(), reports);
    }
}

/// A callback that panics does not keep the others from running, and what it says is reported. CPython:
/// `FutureTests.test_done_callback_raises`.
pub fn done_callback_raises<F: Fixture>() {
    let fx = F::start(1);
    let seen = Recorder::new();
    let (promise, mut future) = fx.pool().promise::<u32>().unwrap();
    let (first, second) = (seen.clone(), seen.clone());
    future
        .add_done_callback(move |_| {
            first.note("panics");
            resume_unwind(Box::new("doh!"));
        })
        .unwrap();
    future
        .add_done_callback(move |_| second.note("runs"))
        .unwrap();
    promise.set_result(5).unwrap();
    assert_eq!(seen.take(), ["panics", "runs"]);
    assert_reported(&fx, &["doh!"]);
    assert_eq!(future.result().unwrap(), 5);
}

/// Added to a future that has a result, a callback runs at once. CPython:
/// `FutureTests.test_done_callback_already_successful`.
pub fn done_callback_already_successful<F: Fixture>() {
    let fx = F::start(1);
    let seen = Recorder::new();
    let note = seen.clone();
    done_future(&fx, 5)
        .add_done_callback(move |outcome| note.note((*outcome.unwrap(), thread::current().id())))
        .unwrap();
    assert_eq!(seen.take(), [(5, thread::current().id())]);
}

/// Added to a future that has failed, a callback runs at once. As in `done_callback_with_exception`,
/// what the job has panicked with is the owner's. CPython:
/// `FutureTests.test_done_callback_already_failed`.
pub fn done_callback_already_failed<F: Fixture>() {
    let fx = F::start(1);
    let seen = Recorder::new();
    let note = seen.clone();
    let mut failed = failed_future::<F, u32>(&fx);
    failed
        .add_done_callback(move |outcome| {
            note.note(matches!(outcome, Err(JobError::Panicked(_))));
        })
        .unwrap();
    assert_eq!(seen.take(), [true]);
    assert_eq!(text_of(failed.result().unwrap_err()), "doh!");
}

/// Added to a cancelled future, a callback runs at once. CPython:
/// `FutureTests.test_done_callback_already_cancelled`.
pub fn done_callback_already_cancelled<F: Fixture>() {
    let fx = F::start(1);
    let seen = Recorder::new();
    let note = seen.clone();
    cancelled_future::<F, u32>(&fx)
        .add_done_callback(move |outcome| {
            note.note(matches!(outcome, Err(JobError::Cancelled)));
        })
        .unwrap();
    assert_eq!(seen.take(), [true]);
}

/// A callback that runs at once and panics does not take its adder with it, and what it says is
/// reported. CPython: `FutureTests.test_done_callback_raises_already_succeeded`.
pub fn done_callback_raises_already_succeeded<F: Fixture>() {
    let fx = F::start(1);
    let seen = Recorder::new();
    let note = seen.clone();
    let mut future = done_future(&fx, 5);
    future
        .add_done_callback(move |outcome| {
            note.note(*outcome.unwrap());
            resume_unwind(Box::new("doh!"));
        })
        .unwrap();
    assert_eq!(seen.take(), [5]);
    assert_reported(&fx, &["doh!"]);
    assert_eq!(future.result().unwrap(), 5);
}

/// A job that fails is reported when its future is dropped, and only if nobody has asked.
pub fn failure_that_nobody_asks_for_is_reported<F: Fixture>() {
    let fx = F::start(1);
    let mut asked = failed_future::<F, u32>(&fx);
    assert!(asked.error().is_some());
    drop(asked);
    assert_reported(&fx, &[]);
    drop(failed_future::<F, u32>(&fx));
    assert_reported(&fx, &["doh!"]);
}

/// Callbacks run in the order in which they were added, and the same one as often as it was added.
pub fn callbacks_run_in_order_and_as_often_as_added<F: Fixture>() {
    let fx = F::start(1);
    let seen = Recorder::new();
    let (promise, mut future) = fx.pool().promise::<()>().unwrap();
    for number in [1, 2, 2, 3, 1] {
        let note = seen.clone();
        future
            .add_done_callback(move |_| note.note(number))
            .unwrap();
    }
    promise.set_result(()).unwrap();
    assert_eq!(seen.take(), [1, 2, 2, 3, 1]);
}

/// Callbacks run in the worker that completes the job.
pub fn callbacks_run_in_the_worker<F: Fixture>() {
    let fx = F::start(1);
    let seen = Recorder::new();
    let hold = fx.hold_workers();
    let mut future = fx.pool().submit(|| thread::current().id()).unwrap();
    let note = seen.clone();
    future
        .add_done_callback(move |_| note.note(thread::current().id()))
        .unwrap();
    drop(hold);
    let worker = future.result().unwrap();
    assert_eq!(seen.take(), [worker]);
}

/// Callbacks of a job that is cancelled run in the canceller.
pub fn callbacks_run_in_the_canceller<F: Fixture>() {
    let fx = F::start(1);
    let seen = Recorder::new();
    let hold = fx.hold_workers();
    let mut future = fx.pool().submit(|| ()).unwrap();
    let note = seen.clone();
    future
        .add_done_callback(move |_| note.note(thread::current().id()))
        .unwrap();
    assert!(future.cancel());
    assert_eq!(seen.take(), [thread::current().id()]);
    drop(hold);
}

/// While a callback runs, the future says in every way that it is not done yet.
pub fn the_future_is_not_done_while_its_callbacks_run<F: Fixture>() {
    let fx = F::start(1);
    let (entered, leave) = (Gate::new(), Gate::new());
    let (enter, left) = (entered.clone(), leave.clone());
    let hold = fx.hold_workers();
    let mut future = fx.pool().submit(|| 1).unwrap();
    future
        .add_done_callback(move |_| {
            enter.open();
            left.wait();
        })
        .unwrap();
    drop(hold);
    entered.wait();
    assert!(!future.done());
    assert_eq!(future.state(), JobState::Running);
    assert!(future.try_result().is_none());
    leave.open();
    assert_eq!(future.result().unwrap(), 1);
}

/// A callback for which no slot is free comes back, and can be added when there is one.
pub fn callback_without_room_comes_back<F: Fixture>() {
    let fx = F::Small::start(1);
    let seen = Recorder::new();
    let mut kept: Vec<_> = (0..crate::SMALL)
        .map(|n| fx.pool().promise::<()>().map(|kept| (n, kept)).unwrap())
        .collect();
    let (_, (promise, mut future)) = kept.pop().unwrap();
    let note = seen.clone();
    let Err(CallbackError::Full(callback)) = future.add_done_callback(move |_| note.note("called"))
    else {
        panic!("there was room for a callback in a full pool");
    };
    kept.pop();
    future.add_done_callback(callback).unwrap();
    promise.set_result(()).unwrap();
    assert_eq!(seen.take(), ["called"]);
}

/// A callback may be as large as a job, and as aligned. A larger one comes back.
pub fn callback_too_large_comes_back<F: Fixture>() {
    #[repr(align(16))]
    struct Aligned;

    let fx = F::start(1);
    let seen = Recorder::new();
    let (promise, mut future) = fx.pool().promise::<()>().unwrap();
    let fits = [1_u8; BYTES - size_of::<Recorder<u8>>()];
    let note = seen.clone();
    future
        .add_done_callback(move |_| note.note(black_box(fits)[0]))
        .unwrap();
    let (too_large, note) = ([2_u8; BYTES], seen.clone());
    let Err(CallbackError::TooLarge(callback)) =
        future.add_done_callback(move |_| note.note(black_box(too_large)[0]))
    else {
        panic!("a callback fits that is larger than a slot");
    };
    let (aligned, note) = (Aligned, seen.clone());
    let Err(CallbackError::TooLarge(other)) = future.add_done_callback(move |_| {
        black_box(aligned);
        note.note(3);
    }) else {
        panic!("a callback fits that is more aligned than a slot");
    };
    promise.set_result(()).unwrap();
    assert_eq!(seen.take(), [1]);
    callback(Ok(&()));
    other(Ok(&()));
    assert_eq!(seen.take(), [2, 3]);
}

/// A future wakes the waker that it was polled with last, and no other.
pub fn last_waker_is_woken<F: Fixture>() {
    let fx = F::start(1);
    let (promise, mut future) = fx.pool().promise().unwrap();
    let wakers = [(); 3].map(|()| Arc::new(CountingWaker::default()));
    for waker in &wakers {
        let waker = waker.clone().into();
        let polled = Pin::new(&mut future).poll(&mut Context::from_waker(&waker));
        assert!(polled.is_pending());
    }
    promise.set_result(42).unwrap();
    assert_eq!(wakers.map(|waker| waker.count()), [0, 0, 1]);
    let polled = Pin::new(&mut future).poll(&mut Context::from_waker(std::task::Waker::noop()));
    assert!(matches!(polled, Poll::Ready(Ok(42))));
}

/// The answer and the effect of cancel in each state. CPython: `FutureTests.test_cancel`.
pub fn cancel<F: Fixture>() {
    let fx = F::start(1);
    let hold = fx.hold_workers();
    let pending = fx.pool().submit(|| 1).unwrap();
    assert!(pending.cancel());
    assert_eq!(pending.state(), JobState::Cancelled);
    drop(hold);

    let ((said, state), running) = while_running(&fx, |future| (future.cancel(), future.state()));
    assert!(!said);
    assert_eq!(state, JobState::Running);
    assert_eq!(running.result().unwrap(), 42);

    let cancelled = cancelled_future::<F, u32>(&fx);
    assert!(cancelled.cancel());
    assert_eq!(cancelled.state(), JobState::Cancelled);

    let passed = passed_future::<F, u32>(&fx);
    assert!(passed.cancel());
    assert_eq!(passed.state(), JobState::Cancelled);

    let failed = failed_future::<F, u32>(&fx);
    assert!(!failed.cancel());
    assert_eq!(failed.state(), JobState::Finished);

    let done = done_future(&fx, 5);
    assert!(!done.cancel());
    assert_eq!(done.state(), JobState::Finished);
}

/// A cancelled job does not run.
pub fn cancelled_job_never_runs<F: Fixture>() {
    let fx = F::start(1);
    let seen = Recorder::new();
    let hold = fx.hold_workers();
    let note = seen.clone();
    let future = fx.pool().submit(move || note.note("ran")).unwrap();
    assert!(future.cancel());
    drop(hold);
    drain(&fx);
    assert_eq!(seen.take(), [""; 0]);
    assert!(matches!(future.result(), Err(JobError::Cancelled)));
}

/// Which futures are cancelled. CPython: `FutureTests.test_cancelled`.
pub fn cancelled<F: Fixture>() {
    let fx = F::start(1);
    let (promise, pending) = fx.pool().promise::<u32>().unwrap();
    assert!(!pending.cancelled());
    assert!(!while_running(&fx, |future| future.cancelled()).0);
    assert!(cancelled_future::<F, u32>(&fx).cancelled());
    assert!(passed_future::<F, u32>(&fx).cancelled());
    assert!(!failed_future::<F, u32>(&fx).cancelled());
    assert!(!done_future(&fx, 5).cancelled());
    drop(promise);
}

/// Which futures are done. CPython: `FutureTests.test_done`.
pub fn done<F: Fixture>() {
    let fx = F::start(1);
    let (promise, pending) = fx.pool().promise::<u32>().unwrap();
    assert!(!pending.done());
    assert!(!while_running(&fx, |future| future.done()).0);
    assert!(cancelled_future::<F, u32>(&fx).done());
    assert!(passed_future::<F, u32>(&fx).done());
    assert!(failed_future::<F, u32>(&fx).done());
    assert!(done_future(&fx, 5).done());
    drop(promise);
}

/// Which futures' jobs are running. CPython: `FutureTests.test_running`.
pub fn running<F: Fixture>() {
    let fx = F::start(1);
    let (promise, pending) = fx.pool().promise::<u32>().unwrap();
    assert!(!pending.running());
    assert!(while_running(&fx, |future| future.running()).0);
    assert!(!cancelled_future::<F, u32>(&fx).running());
    assert!(!passed_future::<F, u32>(&fx).running());
    assert!(!failed_future::<F, u32>(&fx).running());
    assert!(!done_future(&fx, 5).running());
    drop(promise);
}

/// `result` with a time-out, in each state but `Running`, which is
/// `result_and_exception_with_timeout_of_a_running_job`. CPython: `FutureTests.test_result_with_timeout`.
pub fn result_with_timeout<F: Fixture>() {
    let fx = F::start(1);
    let (promise, mut pending) = fx.pool().promise::<u32>().unwrap();
    assert!(matches!(
        pending.result_timeout(NOW),
        Err(JobError::TimedOut)
    ));
    drop(promise);
    assert!(matches!(
        cancelled_future::<F, u32>(&fx).result_timeout(NOW),
        Err(JobError::Cancelled)
    ));
    assert!(matches!(
        passed_future::<F, u32>(&fx).result_timeout(NOW),
        Err(JobError::Cancelled)
    ));
    let failed = failed_future::<F, u32>(&fx).result_timeout(NOW);
    assert_eq!(text_of(failed.unwrap_err()), "doh!");
    assert_eq!(done_future(&fx, 42).result_timeout(NOW).unwrap(), 42);
}

/// While the job runs, both are out of time. CPython: `FutureTests.test_result_with_timeout` and
/// `test_exception_with_timeout`.
pub fn result_and_exception_with_timeout_of_a_running_job<F: Fixture>() {
    let fx = F::start(1);
    let (started, release) = (Gate::new(), Gate::new());
    let (start, held) = (started.clone(), release.clone());
    let mut running = fx
        .pool()
        .submit(move || {
            start.open();
            held.wait();
            42
        })
        .unwrap();
    started.wait();
    assert!(matches!(
        running.result_timeout(NOW),
        Err(JobError::TimedOut)
    ));
    assert!(matches!(
        running.error_timeout(NOW),
        Err(JobError::TimedOut)
    ));
    assert_eq!(running.state(), JobState::Running);
    release.open();
    assert_eq!(running.result().unwrap(), 42);
}

/// A time-out changes nothing: a later call gets the result.
pub fn timeout_does_not_cancel<F: Fixture>() {
    let fx = F::start(1);
    let hold = fx.hold_workers();
    let mut future = fx.pool().submit(|| 42).unwrap();
    assert!(matches!(
        future.result_timeout(NOW),
        Err(JobError::TimedOut)
    ));
    assert_eq!(future.state(), JobState::Pending);
    drop(hold);
    assert_eq!(future.result_timeout(LONG).unwrap(), 42);
}

/// `result` waits for a result that is set meanwhile. CPython:
/// `FutureTests.test_result_with_success`.
pub fn result_with_success<F: Fixture>() {
    let fx = F::start(1);
    let (promise, mut future) = fx.pool().promise().unwrap();
    let job = move || promise.set_result(42).unwrap();
    fx.pool().submit_detached(job).unwrap();
    assert_eq!(future.result_timeout(LONG).unwrap(), 42);
}

/// A time limit may be longer than the clock's range.
pub fn a_time_limit_of_any_length<F: Fixture>() {
    let fx = F::start(1);
    let (promise, mut future) = fx.pool().promise().unwrap();
    let job = move || promise.set_result(42).unwrap();
    fx.pool().submit_detached(job).unwrap();
    assert_eq!(future.result_timeout(Duration::MAX).unwrap(), 42);
}

/// `result` is woken by a cancellation. CPython: `FutureTests.test_result_with_cancel`.
pub fn result_with_cancel<F: Fixture>() {
    let fx = F::start(1);
    let pool = fx.pool();
    let hold = fx.hold_workers();
    pool.submit_detached(move || pool.shutdown(false, true).unwrap())
        .unwrap();
    let (promise, mut future) = pool.promise::<u32>().unwrap();
    drop(hold);
    assert!(matches!(
        future.result_timeout(LONG),
        Err(JobError::Cancelled)
    ));
    drop(promise);
}

/// `error` with a time-out, in each state but `Running`, which is
/// `result_and_exception_with_timeout_of_a_running_job`. CPython:
/// `FutureTests.test_exception_with_timeout`.
pub fn exception_with_timeout<F: Fixture>() {
    let fx = F::start(1);
    let (promise, mut pending) = fx.pool().promise::<u32>().unwrap();
    assert!(matches!(
        pending.error_timeout(NOW),
        Err(JobError::TimedOut)
    ));
    drop(promise);
    assert!(matches!(
        cancelled_future::<F, u32>(&fx).error_timeout(NOW),
        Ok(Some(JobError::Cancelled))
    ));
    assert!(matches!(
        passed_future::<F, u32>(&fx).error_timeout(NOW),
        Ok(Some(JobError::Cancelled))
    ));
    let failed = failed_future::<F, u32>(&fx).error_timeout(NOW);
    assert_eq!(text_of(failed.unwrap().unwrap()), "doh!");
    assert!(matches!(done_future(&fx, 42).error_timeout(NOW), Ok(None)));
}

/// `error` waits for a failure that comes meanwhile. CPython:
/// `FutureTests.test_exception_with_success`.
pub fn exception_with_success<F: Fixture>() {
    let fx = F::start(1);
    let (promise, mut future) = fx.pool().promise::<u32>().unwrap();
    let fail = move || promise.set_error(OSERROR).unwrap();
    fx.pool().submit_detached(fail).unwrap();
    let error = future.error_timeout(LONG).unwrap().unwrap();
    assert_eq!(error.to_string(), "foo");
}

/// The application's error of this text, as CPython's tests set it.
const OSERROR: PromiseError = PromiseError(&OsError("foo"));

#[derive(Debug, PartialEq)]
struct OsError(&'static str);

impl fmt::Display for OsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for OsError {}

/// Each asker gets the error that was set, each time, with its type.
pub fn an_error_that_was_set_is_told_to_each_asker<F: Fixture>() {
    let fx = F::start(1);
    let (promise, mut future) = fx.pool().promise::<u32>().unwrap();
    let seen = Arc::new(Mutex::new(String::new()));
    let in_callback = seen.clone();
    future
        .add_done_callback(move |outcome| {
            *in_callback.lock().unwrap() = outcome.unwrap_err().to_string()
        })
        .unwrap();
    promise.set_error(OSERROR).unwrap();
    assert_eq!(*seen.lock().unwrap(), "foo");
    for _ in 0..2 {
        let Some(JobError::Failed(PromiseError(error))) = future.error() else {
            panic!("it is another error");
        };
        assert_eq!(error.downcast_ref(), Some(&OsError("foo")));
    }
    assert!(future.result().unwrap_err().source().is_some());
}

/// An error that comes too late comes back, as a result does.
pub fn set_exception_after_cancel_is_rejected<F: Fixture>() {
    let fx = F::start(1);
    let (promise, future) = fx.pool().promise::<u32>().unwrap();
    assert!(future.cancel());
    assert_eq!(promise.set_error(OSERROR).unwrap_err().to_string(), "foo");
    assert!(matches!(future.result(), Err(JobError::Cancelled)));
}

/// A promise that is dropped says so, and not that a worker was lost.
pub fn a_dropped_promise_says_so<F: Fixture>() {
    let fx = F::start(1);
    let (promise, future) = fx.pool().promise::<u32>().unwrap();
    drop(promise);
    let error = future.result().unwrap_err();
    assert!(matches!(error, JobError::PromiseDropped));
    assert_eq!(
        error.to_string(),
        "the promise was dropped before a result was set"
    );
}

/// A started promise is running: a cancel only asks. CPython: `FutureTests.test_cancel`, for the state
/// `RUNNING`.
pub fn a_started_promise_is_running_and_is_not_cancelled<F: Fixture>() {
    let fx = F::start(1);
    let (mut promise, future) = fx.pool().promise().unwrap();
    assert!(promise.start() && promise.start());
    assert!(future.running() && !promise.cancel_requested());
    assert!(!future.cancel());
    assert!(future.running() && future.cancel_requested());
    assert!(promise.cancel_requested() && !promise.is_cancelled());
    promise.set_result(42).unwrap();
    assert_eq!(future.result().unwrap(), 42);
}

/// A cancelled promise cannot be started. CPython: `set_running_or_notify_cancel` is false.
pub fn a_cancelled_promise_is_not_started<F: Fixture>() {
    let fx = F::start(1);
    let (mut promise, future) = fx.pool().promise::<u32>().unwrap();
    assert!(future.cancel());
    assert!(!promise.start() && !promise.start());
    assert!(promise.is_cancelled() && promise.cancel_requested());
    drop(future);
    all_slots_come_back(&fx);
    assert!(!promise.set_cancelled());
}

/// The holder of a started promise may honour the request.
pub fn the_holder_may_honour_a_cancel<F: Fixture>() {
    let fx = F::start(1);
    let (mut promise, future) = fx.pool().promise::<u32>().unwrap();
    assert!(promise.start() && !future.cancel());
    assert!(promise.set_cancelled());
    assert!(future.cancelled());
    assert!(matches!(future.result(), Err(JobError::Cancelled)));
}

/// A started promise is dropped like any other.
pub fn a_started_promise_that_is_dropped_ends_its_future<F: Fixture>() {
    let fx = F::start(1);
    let (mut promise, future) = fx.pool().promise::<u32>().unwrap();
    assert!(promise.start());
    drop(promise);
    assert!(matches!(future.result(), Err(JobError::PromiseDropped)));
    all_slots_come_back(&fx);
}

/// `error` leaves a result where it is.
pub fn error_leaves_the_result<F: Fixture>() {
    let fx = F::start(1);
    let mut future = fx.pool().submit(|| 42).unwrap();
    assert!(future.error().is_none());
    assert_eq!(future.result().unwrap(), 42);
}

/// The first result stays; a second cannot even be written down, since setting one uses the promise
/// up. CPython: `FutureTests.test_multiple_set_result`.
pub fn multiple_set_result<F: Fixture>() {
    let fx = F::start(1);
    let (promise, future) = fx.pool().promise().unwrap();
    promise.set_result(1).unwrap();
    assert!(!future.cancel());
    assert!(future.done());
    assert_eq!(future.result().unwrap(), 1);
}

/// The first error stays. That a second is set is ruled out by the promise's type. CPython:
/// `FutureTests.test_multiple_set_exception`.
pub fn multiple_set_exception<F: Fixture>() {
    let fx = F::start(1);
    let (promise, mut future) = fx.pool().promise::<u32>().unwrap();
    promise.set_error(OSERROR).unwrap();
    assert!(!future.cancel());
    assert!(future.done());
    for _ in 0..2 {
        assert_eq!(future.error().unwrap().to_string(), "foo");
    }
}

/// Each error of a job that has panicked tells its text. The first that asks for the payload gets it.
/// CPython hands one exception out as often as it is asked for.
pub fn panics_text_stays_and_its_payload_is_handed_out_once<F: Fixture>() {
    let fx = F::start(1);
    let mut failed = failed_future::<F, u32>(&fx);
    assert_eq!(text_of(failed.error().unwrap()), "doh!");
    for _ in 0..2 {
        let Some(JobError::Panicked(panic)) = failed.error() else {
            panic!("it is another error");
        };
        assert_eq!(panic.text(), Some("doh!"));
        assert_eq!(panic.to_string(), "the job panicked: doh!");
        assert!(panic.payload().is_none());
    }
    let Err(JobError::Panicked(panic)) = failed.result() else {
        panic!("it is another error");
    };
    assert!(panic.payload().is_none());
}

/// An owner who has asked for the error is told of it, whether or not the payload is taken.
pub fn a_failure_that_was_only_looked_at_is_no_failure_that_nobody_asked_for<F: Fixture>() {
    let fx = F::start(1);
    let mut failed = failed_future::<F, u32>(&fx);
    drop(failed.error());
    drop(failed);
    all_slots_come_back(&fx);
    assert_reported(&fx, &[]);
}

/// A cancelled future takes no result any more; it comes back.
pub fn result_after_cancel_is_rejected<F: Fixture>() {
    let fx = F::start(1);
    let (promise, future) = fx.pool().promise().unwrap();
    assert!(!Promise::is_cancelled(&promise));
    assert!(future.cancel());
    assert!(Promise::is_cancelled(&promise));
    assert_eq!(promise.set_result(42), Err(42));
    assert!(matches!(future.result(), Err(JobError::Cancelled)));
}

/// State and value agree, in each state that a future has for good. CPython reads both at once, under
/// a lock; here two reads tell the same story, whatever has happened between them. CPython:
/// `FutureTests.test_get_snapshot`.
pub fn get_snapshot<F: Fixture>() {
    let fx = F::start(1);
    let (promise, mut pending) = fx.pool().promise::<u32>().unwrap();
    assert_eq!(pending.state(), JobState::Pending);
    assert!(pending.try_result().is_none());
    drop(promise);

    let mut failed = failed_future::<F, u32>(&fx);
    assert_eq!(failed.state(), JobState::Finished);
    assert_eq!(text_of(failed.try_result().unwrap().unwrap_err()), "doh!");

    for mut cancelled in [cancelled_future::<F, u32>(&fx), passed_future(&fx)] {
        assert_eq!(cancelled.state(), JobState::Cancelled);
        assert!(matches!(
            cancelled.try_result(),
            Some(Err(JobError::Cancelled))
        ));
    }

    let mut done = done_future(&fx, 100);
    assert_eq!(done.state(), JobState::Finished);
    assert!(matches!(done.try_result(), Some(Ok(100))));
}

/// A future that says that it is done has its value there, however soon after the end it is asked.
pub fn state_and_value_agree_while_the_job_ends<F: Fixture>() {
    let fx = F::start(1);
    for round in 0..500 {
        let (promise, mut future) = fx.pool().promise().unwrap();
        let setter = move || promise.set_result(round).unwrap();
        fx.pool().submit_detached(setter).unwrap();
        while !future.done() {
            std::hint::spin_loop();
        }
        assert_eq!(future.state(), JobState::Finished);
        assert!(matches!(future.try_result(), Some(Ok(n)) if n == round));
    }
}

/// A result is handed out once.
pub fn result_is_taken_once<F: Fixture>() {
    let fx = F::start(1);
    let mut future = done_future(&fx, 42);
    assert_eq!(future.result_timeout(NOW).unwrap(), 42);
    assert!(matches!(
        future.result_timeout(NOW),
        Err(JobError::AlreadyTaken)
    ));
}

/// Debug output says what the future holds: its state, then the type of the result or the kind of the
/// error. CPython: `FutureTests.test_repr`.
pub fn repr<F: Fixture>() {
    /// The part of the text after the slot.
    fn said(future: &impl fmt::Debug) -> String {
        let text = format!("{future:?}");
        let numbered = text.strip_prefix("JobFuture { slot: ");
        let (slot, said) = numbered.and_then(|text| text.split_once(", ")).unwrap();
        assert!(slot.parse::<u16>().is_ok(), "{text}");
        said.to_owned()
    }
    let fx = F::start(1);
    let (promise, pending) = fx.pool().promise::<u32>().unwrap();
    assert_eq!(said(&pending), "state: Pending }");
    drop(promise);
    assert_eq!(said(&pending), "state: Finished, error: PromiseDropped }");
    let (running, _) = while_running(&fx, said);
    assert_eq!(running, "state: Running }");
    let cancelled = cancelled_future::<F, u32>(&fx);
    assert_eq!(said(&cancelled), "state: Cancelled }");
    assert_eq!(said(&passed_future::<F, u32>(&fx)), "state: Cancelled }");
    let failed = failed_future::<F, u32>(&fx);
    assert_eq!(said(&failed), "state: Finished, error: Panicked }");
    let mut done = done_future(&fx, 5_u32);
    assert_eq!(said(&done), "state: Finished, returned: u32 }");
    done.try_result().unwrap().unwrap();
    assert_eq!(said(&done), "state: Finished, taken: u32 }");
}

/// While the callbacks of a job run, its future says that the job is running, as `state` does.
pub fn repr_says_running_during_callbacks<F: Fixture>() {
    let fx = F::start(1);
    let (promise, mut future) = fx.pool().promise::<u32>().unwrap();
    let (entered, leave) = (Gate::new(), Gate::new());
    let (enter, left) = (entered.clone(), leave.clone());
    let callback = move |_: Result<&u32, &JobError>| {
        enter.open();
        left.wait();
    };
    future.add_done_callback(callback).unwrap();
    thread::scope(|scope| {
        scope.spawn(move || promise.set_result(1));
        entered.wait();
        let said = format!("{future:?}");
        leave.open();
        assert!(said.contains("state: Running }"), "{said}");
    });
}

/// Debug output calls no code of the application: neither the result's nor the error's.
pub fn repr_calls_no_foreign_code<F: Fixture>() {
    /// A result without `Debug`, and an error that panics when it is shown.
    struct Unshown;
    impl fmt::Debug for Unshown {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("shown")
        }
    }
    impl fmt::Display for Unshown {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("shown")
        }
    }
    impl Error for Unshown {}
    let fx = F::start(1);
    let (promise, returned) = fx.pool().promise::<Unshown>().unwrap();
    promise.set_result(Unshown).ok().unwrap();
    assert!(format!("{returned:?}").contains("Unshown"));
    let (promise, failed) = fx.pool().promise::<u32>().unwrap();
    promise.set_error(PromiseError(&Unshown)).unwrap();
    assert!(format!("{failed:?}").contains("error: Failed }"));
}

/// A job that is running sees that it was asked to stop, and its result stands.
pub fn running_job_sees_the_cancel_request<F: Fixture>() {
    let fx = F::start(1);
    let hold = fx.hold_workers();
    let (started, asked) = (Gate::new(), Gate::new());
    let (start, ask) = (started.clone(), asked.clone());
    let future = fx
        .pool()
        .submit_cancellable(move |token| {
            let before = CancelToken::is_cancelled(token);
            start.open();
            ask.wait();
            (before, token.is_cancelled())
        })
        .unwrap();
    drop(hold);
    started.wait();
    assert!(!future.cancel_requested());
    assert!(!future.cancel());
    assert!(future.cancel_requested());
    asked.open();
    assert_eq!(future.result().unwrap(), (false, true));
}

/// A task that is suspended is dropped when it is cancelled, and ends at once.
pub fn suspended_task_is_dropped_by_cancel<F: Fixture>() {
    let fx = F::start(1);
    let drops = Drops::new();
    let token = drops.token();
    let task = fx.pool().spawn(async move {
        std::future::pending::<()>().await;
        drop(token);
    });
    let task = task.unwrap();
    // Polled or not yet: it can be cancelled either way, but not while it is polled.
    while !task.cancel() {
        crate::yield_now();
    }
    assert!(task.cancelled());
    assert_eq!(drops.dropped(), 1);
    assert!(matches!(task.result(), Err(JobError::Cancelled)));
}

/// A task between two polls is pending, not running.
pub fn suspended_task_is_pending<F: Fixture>() {
    let fx = F::start(1);
    let polled = Recorder::new();
    let note = polled.clone();
    let mut first = true;
    let task = fx
        .pool()
        .spawn(std::future::poll_fn(move |cx| {
            note.note(cx.waker().clone());
            if std::mem::take(&mut first) {
                std::task::Poll::Pending
            } else {
                std::task::Poll::Ready(7)
            }
        }))
        .unwrap();
    drain(&fx);
    assert_eq!(task.state(), JobState::Pending);
    assert!(!task.done());
    polled.take().pop().unwrap().wake();
    assert_eq!(task.result().unwrap(), 7);
}

/// A future that is detached while its completer is busy with callbacks leaves nothing behind: its
/// waker is dropped, and its slot is free.
pub fn detached_during_callbacks_leaves_nothing<F: Fixture>() {
    let fx = F::start(1);
    let (entered, leave) = (Gate::new(), Gate::new());
    let (enter, left) = (entered.clone(), leave.clone());
    let hold = fx.hold_workers();
    let mut future = fx.pool().submit(|| 1).unwrap();
    future
        .add_done_callback(move |_| {
            enter.open();
            left.wait();
        })
        .unwrap();
    let waker = std::sync::Arc::new(crate::CountingWaker::default());
    {
        let waker = std::sync::Arc::clone(&waker).into();
        let mut cx = std::task::Context::from_waker(&waker);
        assert!(std::future::Future::poll(std::pin::Pin::new(&mut future), &mut cx).is_pending());
    }
    drop(hold);
    entered.wait();
    drop(future);
    leave.open();
    all_slots_come_back(&fx);
    assert_eq!(std::sync::Arc::strong_count(&waker), 1);
}

/// So does a set of futures that is given up then: its place can be used again.
pub fn set_given_up_during_callbacks_leaves_nothing<F: Fixture>() {
    let fx = F::start(1);
    // More often than there are places for waits.
    for _ in 0..40 {
        let (entered, leave) = (Gate::new(), Gate::new());
        let (enter, left) = (entered.clone(), leave.clone());
        let hold = fx.hold_workers();
        let mut future = fx.pool().submit(|| 1).unwrap();
        future
            .add_done_callback(move |_| {
                enter.open();
                left.wait();
            })
            .unwrap();
        let mut set = corepool::as_completed(
            corepool::FutureSet::<'_, _, 1>::from_iter([future]),
            Some(NOW),
        );
        assert!(set.next().unwrap().is_err());
        drop(hold);
        entered.wait();
        drop(set);
        leave.open();
        drain(&fx);
        let mut one = [fx.pool().submit(|| 1).unwrap()];
        let waited = wait(&mut one, None, ReturnWhen::AllCompleted).unwrap();
        assert_eq!(waited.done.len(), 1);
    }
}

crate::suite!(future_tests:
    everywhere [
        done_callback_with_result,
        done_callback_with_exception,
        done_callback_with_cancel,
        done_callback_raises,
        done_callback_already_successful,
        done_callback_already_failed,
        done_callback_already_cancelled,
        done_callback_raises_already_succeeded,
        failure_that_nobody_asks_for_is_reported,
        callbacks_run_in_order_and_as_often_as_added,
        callbacks_run_in_the_worker,
        callbacks_run_in_the_canceller,
        callback_without_room_comes_back,
        callback_too_large_comes_back,
        last_waker_is_woken,
        cancel,
        cancelled_job_never_runs,
        cancelled,
        done,
        running,
        result_with_timeout,
        timeout_does_not_cancel,
        result_with_success,
        a_time_limit_of_any_length,
        result_with_cancel,
        exception_with_timeout,
        exception_with_success,
        error_leaves_the_result,
        multiple_set_result,
        multiple_set_exception,
        an_error_that_was_set_is_told_to_each_asker,
        set_exception_after_cancel_is_rejected,
        a_dropped_promise_says_so,
        a_started_promise_is_running_and_is_not_cancelled,
        a_cancelled_promise_is_not_started,
        the_holder_may_honour_a_cancel,
        a_started_promise_that_is_dropped_ends_its_future,
        panics_text_stays_and_its_payload_is_handed_out_once,
        a_failure_that_was_only_looked_at_is_no_failure_that_nobody_asked_for,
        result_after_cancel_is_rejected,
        get_snapshot,
        result_is_taken_once,
        repr,
        repr_calls_no_foreign_code,
        repr_says_running_during_callbacks,
        suspended_task_is_dropped_by_cancel,
        suspended_task_is_pending,
    ]
    in_parallel [
        state_and_value_agree_while_the_job_ends,
        result_and_exception_with_timeout_of_a_running_job,
        the_future_is_not_done_while_its_callbacks_run,
        running_job_sees_the_cancel_request,
        detached_during_callbacks_leaves_nothing,
        set_given_up_during_callbacks_leaves_nothing,
    ]
);
