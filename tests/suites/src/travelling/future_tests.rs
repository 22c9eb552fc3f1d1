//! The future: its states, results, time-outs, callbacks. CPython: `test_future.py`.

use std::{
    future::Future,
    hint::black_box,
    panic::resume_unwind,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    thread,
    time::Duration,
};

use corepool::{CallbackError, FutureSet, JobError, JobFuture, JobState, as_completed};

use super::{
    Fails, FileGate, Fixture, Mixed, Notes, Number, Pool, UntilCancelled, hold, in_each_state,
    mixed, text_of, wait_for,
};
use crate::{BYTES, CountingWaker, Gate, LONG, Recorder, SMALL};

const NOW: Duration = Duration::ZERO;

/// The note on how a job ended.
fn name(outcome: Result<&u32, &JobError>) -> String {
    match outcome {
        Ok(number) => number.to_string(),
        Err(JobError::Panicked(_)) => String::from("panicked"),
        Err(error) => error.to_string(),
    }
}

/// Has the future's end noted.
fn note_end(future: &mut JobFuture<'static, u32>, seen: &Recorder<String>) {
    let seen = seen.clone();
    future
        .add_done_callback(move |outcome| seen.note(name(outcome)))
        .unwrap();
}

/// A callback sees the result. CPython: `FutureTests.test_done_callback_with_result`.
pub fn done_callback_with_result<F: Fixture>() {
    let fx = F::start(1);
    let seen = Recorder::new();
    let hold = hold(&fx, 1);
    let mut future = fx.pool().submit(Number(5)).unwrap();
    note_end(&mut future, &seen);
    assert_eq!(seen.take(), [""; 0]);
    drop(hold);
    future.result().unwrap();
    assert_eq!(seen.take(), ["5"]);
}

/// A callback sees the error. CPython: `FutureTests.test_done_callback_with_exception`.
pub fn done_callback_with_exception<F: Fixture>() {
    let fx = F::start(1);
    let seen = Recorder::new();
    let hold = hold(&fx, 1);
    let mut future = fx.pool().submit(Fails(String::from("test"))).unwrap();
    note_end(&mut future, &seen);
    drop(hold);
    future.result().unwrap_err();
    assert_eq!(seen.take(), ["panicked"]);
}

/// A callback sees the cancellation. CPython: `FutureTests.test_done_callback_with_cancel`.
pub fn done_callback_with_cancel<F: Fixture>() {
    let fx = F::start(1);
    let seen = Recorder::new();
    let _hold = hold(&fx, 1);
    let mut future = fx.pool().submit(Number(1)).unwrap();
    note_end(&mut future, &seen);
    assert!(future.cancel());
    assert_eq!(seen.take(), [JobError::Cancelled.to_string()]);
}

/// A callback that panics does not keep the others from running. CPython:
/// `FutureTests.test_done_callback_raises`.
pub fn done_callback_raises<F: Fixture>() {
    let fx = F::start(1);
    let seen = Recorder::new();
    let hold = hold(&fx, 1);
    let mut future = fx.pool().submit(Number(5)).unwrap();
    let first = seen.clone();
    future
        .add_done_callback(move |_| {
            first.note(String::from("panics"));
            resume_unwind(Box::new("doh!"));
        })
        .unwrap();
    note_end(&mut future, &seen);
    drop(hold);
    assert_eq!(future.result().unwrap(), 5);
    assert_eq!(seen.take(), ["panics", "5"]);
}

/// Added to a future that has a result, a callback runs at once, in the adder. CPython:
/// `FutureTests.test_done_callback_already_successful`.
pub fn done_callback_already_successful<F: Fixture>() {
    let mut mixed = mixed::<F>();
    let seen = Recorder::new();
    let note = seen.clone();
    mixed
        .done
        .add_done_callback(move |outcome| note.note((*outcome.unwrap(), thread::current().id())))
        .unwrap();
    assert_eq!(seen.take(), [(5, thread::current().id())]);
}

/// Added to a future that has failed, a callback runs at once. CPython:
/// `FutureTests.test_done_callback_already_failed`.
pub fn done_callback_already_failed<F: Fixture>() {
    let mut mixed = mixed::<F>();
    let seen = Recorder::new();
    note_end(&mut mixed.failed, &seen);
    assert_eq!(seen.take(), ["panicked"]);
}

/// Added to a cancelled future, a callback runs at once. CPython:
/// `FutureTests.test_done_callback_already_cancelled`.
pub fn done_callback_already_cancelled<F: Fixture>() {
    let mut mixed = mixed::<F>();
    let seen = Recorder::new();
    note_end(&mut mixed.cancelled, &seen);
    assert_eq!(seen.take(), [JobError::Cancelled.to_string()]);
}

/// A callback that runs at once and panics does not take its adder with it. CPython:
/// `FutureTests.test_done_callback_raises_already_succeeded`.
pub fn done_callback_raises_already_succeeded<F: Fixture>() {
    let mut mixed = mixed::<F>();
    mixed
        .done
        .add_done_callback(|_| resume_unwind(Box::new("doh!")))
        .unwrap();
    assert!(matches!(mixed.done.try_result(), Some(Ok(5))));
}

/// Callbacks run in the order in which they were added, and the same one as often as it was added.
pub fn callbacks_run_in_order_and_as_often_as_added<F: Fixture>() {
    let fx = F::start(1);
    let seen = Recorder::new();
    let hold = hold(&fx, 1);
    let mut future = fx.pool().submit(Number(0)).unwrap();
    for number in [1, 2, 2, 3, 1] {
        let note = seen.clone();
        future
            .add_done_callback(move |_| note.note(number))
            .unwrap();
    }
    drop(hold);
    future.result().unwrap();
    assert_eq!(seen.take(), [1, 2, 2, 3, 1]);
}

/// Callbacks run on the pool's side, in a thread of its own.
pub fn callbacks_run_in_a_thread_of_the_pool<F: Fixture>() {
    let fx = F::start(1);
    let seen = Recorder::new();
    let hold = hold(&fx, 1);
    let futures = [1, 2].map(|n| {
        let mut future = fx.pool().submit(Number(n)).unwrap();
        let note = seen.clone();
        future
            .add_done_callback(move |_| note.note(thread::current().id()))
            .unwrap();
        future
    });
    drop(hold);
    assert_eq!(futures.map(|future| future.result().unwrap()), [1, 2]);
    let [first, second] = seen.take()[..] else {
        panic!("each once");
    };
    assert_eq!(first, second, "the one worker's");
    assert_ne!(first, thread::current().id());
}

/// Callbacks of a job that is cancelled run in the canceller.
pub fn callbacks_run_in_the_canceller<F: Fixture>() {
    let fx = F::start(1);
    let seen = Recorder::new();
    let _hold = hold(&fx, 1);
    let mut future = fx.pool().submit(Number(1)).unwrap();
    let note = seen.clone();
    future
        .add_done_callback(move |_| note.note(thread::current().id()))
        .unwrap();
    assert!(future.cancel());
    assert_eq!(seen.take(), [thread::current().id()]);
}

/// While a callback runs, the future says in every way that it is not done yet.
pub fn the_future_is_not_done_while_its_callbacks_run<F: Fixture>() {
    let fx = F::start(1);
    let (entered, leave) = (Gate::new(), Gate::new());
    let (enter, left) = (entered.clone(), leave.clone());
    let hold = hold(&fx, 1);
    let mut future = fx.pool().submit(Number(1)).unwrap();
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
    let fx = F::start_small();
    let seen = Recorder::new();
    let mut done: Vec<_> = (1..SMALL)
        .map(|_| fx.pool().submit(Number(0)).unwrap())
        .collect();
    done.iter_mut().for_each(wait_for);
    let gate = FileGate::new();
    let mut future = fx.pool().submit_blocking(gate.job()).unwrap();
    let note = seen.clone();
    let Err(CallbackError::Full(mut callback)) =
        future.add_done_callback(move |_| note.note("called"))
    else {
        panic!("there was room for a callback in a full pool");
    };
    done.pop();
    // The slot is free a moment after.
    while let Err(refused) = future.add_done_callback(callback) {
        let CallbackError::Full(again) = refused else {
            panic!("{refused}");
        };
        callback = again;
    }
    gate.open();
    future.result().unwrap();
    assert_eq!(seen.take(), ["called"]);
}

/// A callback may be as large as a job, and as aligned. A larger one comes back.
pub fn callback_too_large_comes_back<F: Fixture>() {
    let fx = F::start(1);
    let seen = Recorder::new();
    let hold = hold(&fx, 1);
    let mut future = fx.pool().submit(Number(0)).unwrap();
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
    drop(hold);
    future.result().unwrap();
    assert_eq!(seen.take(), [1]);
    callback(Ok(&0));
    assert_eq!(seen.take(), [2]);
}

/// A future is pending while its job is queued, and ready when it has ended.
pub fn poll<F: Fixture>() {
    let fx = F::start(1);
    let hold = hold(&fx, 1);
    let mut future = fx.pool().submit(Number(42)).unwrap();
    let mut cx = Context::from_waker(Waker::noop());
    assert!(Pin::new(&mut future).poll(&mut cx).is_pending());
    drop(hold);
    wait_for(&mut future);
    let polled = Pin::new(&mut future).poll(&mut cx);
    assert!(matches!(polled, Poll::Ready(Ok(42))));
}

/// A future can be awaited, whatever becomes of its job.
pub fn await_result_and_error<F: Fixture>() {
    let fx = F::start(1);
    let good = fx.pool().submit(Number(42)).unwrap();
    let bad = fx.pool().submit(Fails(String::from("doh!"))).unwrap();
    futures_lite::future::block_on(async {
        assert_eq!(good.await.unwrap(), 42);
        assert_eq!(text_of(bad.await.unwrap_err()), "doh!");
    });
}

/// A future wakes the waker that it was polled with last, and no other.
pub fn last_waker_is_woken<F: Fixture>() {
    let fx = F::start(1);
    let hold = hold(&fx, 1);
    let mut future = fx.pool().submit(Number(42)).unwrap();
    let wakers = [(); 3].map(|()| Arc::new(CountingWaker::default()));
    for waker in &wakers {
        let waker = waker.clone().into();
        let polled = Pin::new(&mut future).poll(&mut Context::from_waker(&waker));
        assert!(polled.is_pending());
    }
    drop(hold);
    while wakers[2].count() == 0 {
        thread::yield_now();
    }
    assert_eq!(future.result().unwrap(), 42);
    assert_eq!(wakers.map(|waker| waker.count()), [0, 0, 1]);
}

/// The answer and the effect of cancel in each state. CPython: `FutureTests.test_cancel`.
pub fn cancel<F: Fixture>() {
    let said = in_each_state::<F, _>(|future| (future.cancel(), future.state()));
    assert_eq!(
        said,
        [
            (true, JobState::Cancelled),
            (false, JobState::Running),
            (true, JobState::Cancelled),
            (false, JobState::Finished),
            (false, JobState::Finished),
        ]
    );
}

/// A cancelled job does not run.
pub fn cancelled_job_never_runs<F: Fixture>() {
    let fx = F::start(1);
    let notes = Notes::new();
    let hold = hold(&fx, 1);
    let first = fx.pool().submit(notes.job(1)).unwrap();
    let second = fx.pool().submit(notes.job(2)).unwrap();
    assert!(first.cancel());
    drop(hold);
    fx.pool().shutdown(true, false).unwrap();
    assert_eq!(notes.read(), [2]);
    assert!(matches!(first.result(), Err(JobError::Cancelled)));
    assert_eq!(second.result().unwrap(), 2);
}

/// A handle that is given up with `cancel_on_drop` cancels its job.
pub fn cancel_on_drop<F: Fixture>() {
    let fx = F::start(1);
    let notes = Notes::new();
    let hold = hold(&fx, 1);
    let given_up = fx.pool().submit(notes.job(1)).unwrap();
    drop(given_up.cancel_on_drop());
    drop(hold);
    fx.pool().shutdown(true, false).unwrap();
    assert_eq!(notes.read(), []);
}

/// Which futures are cancelled. CPython: `FutureTests.test_cancelled`.
pub fn cancelled<F: Fixture>() {
    let said = in_each_state::<F, _>(|future| future.cancelled());
    assert_eq!(said, [false, false, true, false, false]);
}

/// Which futures are done. CPython: `FutureTests.test_done`.
pub fn done<F: Fixture>() {
    let said = in_each_state::<F, _>(|future| future.done());
    assert_eq!(said, [false, false, true, true, true]);
}

/// Which futures' jobs are running. CPython: `FutureTests.test_running`.
pub fn running<F: Fixture>() {
    let said = in_each_state::<F, _>(|future| future.running());
    assert_eq!(said, [false, true, false, false, false]);
}

/// `result` with a time-out, in each state. CPython: `FutureTests.test_result_with_timeout`.
pub fn result_with_timeout<F: Fixture>() {
    let said = in_each_state::<F, _>(|future| future.result_timeout(NOW));
    assert!(matches!(
        said,
        [
            Err(JobError::TimedOut),
            Err(JobError::TimedOut),
            Err(JobError::Cancelled),
            Err(JobError::Panicked(_)),
            Ok(5)
        ]
    ));
}

/// A time-out changes nothing: a later call gets the result.
pub fn timeout_does_not_cancel<F: Fixture>() {
    let Mixed {
        executor: _executor,
        gate,
        mut running,
        ..
    } = mixed::<F>();
    assert!(matches!(
        running.result_timeout(NOW),
        Err(JobError::TimedOut)
    ));
    assert_eq!(running.state(), JobState::Running);
    gate.open();
    let id = running.result_timeout(LONG).unwrap();
    assert_eq!(id, gate.wait_until_begun());
}

/// `result` waits for a job that is queued still. CPython: `FutureTests.test_result_with_success`.
pub fn result_with_success<F: Fixture>() {
    let fx = F::start(1);
    let hold = hold(&fx, 1);
    let mut future = fx.pool().submit(Number(42)).unwrap();
    let releases = thread::spawn(move || drop(hold));
    assert_eq!(future.result_timeout(LONG).unwrap(), 42);
    releases.join().unwrap();
}

/// `result` is woken by a cancellation. CPython: `FutureTests.test_result_with_cancel`.
pub fn result_with_cancel<F: Fixture>() {
    let fx = F::start(1);
    let pool = fx.pool();
    let _hold = hold(&fx, 1);
    let mut future = pool.submit(Number(42)).unwrap();
    let cancels = thread::spawn(move || pool.shutdown(false, true).unwrap());
    assert!(matches!(
        future.result_timeout(LONG),
        Err(JobError::Cancelled)
    ));
    cancels.join().unwrap();
}

/// `error` with a time-out, in each state. CPython: `FutureTests.test_exception_with_timeout`.
pub fn exception_with_timeout<F: Fixture>() {
    let said = in_each_state::<F, _>(|future| future.error_timeout(NOW));
    assert!(matches!(
        said,
        [
            Err(JobError::TimedOut),
            Err(JobError::TimedOut),
            Ok(Some(JobError::Cancelled)),
            Ok(Some(JobError::Panicked(_))),
            Ok(None)
        ]
    ));
}

/// `error` waits for a failure that comes meanwhile. CPython:
/// `FutureTests.test_exception_with_success`.
pub fn exception_with_success<F: Fixture>() {
    let fx = F::start(1);
    let hold = hold(&fx, 1);
    let mut future = fx.pool().submit(Fails(String::from("doh!"))).unwrap();
    let releases = thread::spawn(move || drop(hold));
    let error = future.error_timeout(LONG).unwrap().unwrap();
    assert_eq!(text_of(error), "doh!");
    releases.join().unwrap();
}

/// `error` leaves a result where it is.
pub fn error_leaves_the_result<F: Fixture>() {
    let fx = F::start(1);
    let mut future = fx.pool().submit(Number(42)).unwrap();
    assert!(future.error().is_none());
    assert_eq!(future.result().unwrap(), 42);
}

/// State and value agree in one read, and a done future says the same to everybody for ever.
/// CPython: `FutureTests.test_get_snapshot`.
pub fn get_snapshot<F: Fixture>() {
    let said = in_each_state::<F, _>(|future| {
        let state = future.state();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| assert!((0..100).all(|_| future.state() == state)));
            }
        });
        (future.state(), future.try_result())
    });
    assert!(matches!(
        said,
        [
            (JobState::Pending, None),
            (JobState::Running, None),
            (JobState::Cancelled, Some(Err(JobError::Cancelled))),
            (JobState::Finished, Some(Err(JobError::Panicked(_)))),
            (JobState::Finished, Some(Ok(5)))
        ]
    ));
}

/// A result is handed out once.
pub fn result_is_taken_once<F: Fixture>() {
    let fx = F::start(1);
    let mut future = fx.pool().submit(Number(42)).unwrap();
    assert_eq!(future.result_timeout(LONG).unwrap(), 42);
    assert!(matches!(
        future.result_timeout(NOW),
        Err(JobError::AlreadyTaken)
    ));
}

/// Debug output says what the future holds. CPython: `FutureTests.test_repr`.
pub fn repr<F: Fixture>() {
    let said = in_each_state::<F, _>(|future| format!("{future:?}"));
    let held = [
        "Pending",
        "Running",
        "Cancelled",
        "Finished, error: Panicked",
        "Finished, returned: u32",
    ];
    for (text, held) in said.iter().zip(held) {
        assert!(text.ends_with(&format!("state: {held} }}")), "{text}");
    }
}

/// A job that is running sees that it was asked to stop, and its result stands.
pub fn running_job_sees_the_cancel_request<F: Fixture>() {
    let fx = F::start(1);
    let gate = FileGate::new();
    let future = fx.pool().submit(UntilCancelled(gate.path())).unwrap();
    gate.wait_until_begun();
    assert!(!future.cancel_requested());
    assert!(!future.cancel());
    assert!(future.cancel_requested());
    let before = future.result().unwrap();
    assert!(!before);
}

/// A future that is detached while its completer is busy with callbacks leaves nothing behind: its
/// waker is dropped, and its slot is free.
pub fn detached_during_callbacks_leaves_nothing<F: Fixture>() {
    let fx = F::start_small();
    // More often than there are slots.
    for _ in 0..2 * SMALL {
        let (entered, leave) = (Gate::new(), Gate::new());
        let (enter, left) = (entered.clone(), leave.clone());
        let gate = FileGate::new();
        let mut future = fx.pool().submit_blocking(gate.job()).unwrap();
        gate.wait_until_begun();
        future
            .add_done_callback(move |_| {
                enter.open();
                left.wait();
            })
            .unwrap();
        let waker = Arc::new(CountingWaker::default());
        let as_waker = Waker::from(Arc::clone(&waker));
        let polled = Pin::new(&mut future).poll(&mut Context::from_waker(&as_waker));
        assert!(polled.is_pending());
        drop(as_waker);
        gate.open();
        entered.wait();
        drop(future);
        leave.open();
        while Arc::strong_count(&waker) > 1 {
            thread::yield_now();
        }
    }
}

/// So does a set of futures that is given up then: its place can be used again.
pub fn set_given_up_during_callbacks_leaves_nothing<F: Fixture>() {
    let fx = F::start(1);
    // More often than there are places for waits.
    for _ in 0..40 {
        let (entered, leave) = (Gate::new(), Gate::new());
        let (enter, left) = (entered.clone(), leave.clone());
        let gate = FileGate::new();
        let mut future = fx.pool().submit(gate.job()).unwrap();
        gate.wait_until_begun();
        future
            .add_done_callback(move |_| {
                enter.open();
                left.wait();
            })
            .unwrap();
        let mut set = as_completed(FutureSet::<'_, _, 1>::from_iter([future]), Some(NOW));
        assert!(set.next().unwrap().is_err());
        gate.open();
        entered.wait();
        drop(set);
        leave.open();
        wait_for(&mut fx.pool().submit(Number(1)).unwrap());
    }
}

crate::list::trials!(future_tests:
    done_callback_with_result,
    done_callback_with_exception,
    done_callback_with_cancel,
    done_callback_raises,
    done_callback_already_successful,
    done_callback_already_failed,
    done_callback_already_cancelled,
    done_callback_raises_already_succeeded,
    callbacks_run_in_order_and_as_often_as_added,
    callbacks_run_in_a_thread_of_the_pool,
    callbacks_run_in_the_canceller,
    the_future_is_not_done_while_its_callbacks_run,
    callback_without_room_comes_back,
    callback_too_large_comes_back,
    poll,
    await_result_and_error,
    last_waker_is_woken,
    cancel,
    cancelled_job_never_runs,
    cancel_on_drop,
    cancelled,
    done,
    running,
    result_with_timeout,
    timeout_does_not_cancel,
    result_with_success,
    result_with_cancel,
    exception_with_timeout,
    exception_with_success,
    error_leaves_the_result,
    get_snapshot,
    result_is_taken_once,
    repr,
    running_job_sees_the_cancel_request,
    detached_during_callbacks_leaves_nothing,
    set_given_up_during_callbacks_leaves_nothing,
);
