//! A future that several parties hold. In CPython each future is one: any number of threads may call its
//! methods.

use std::{
    future::Future,
    ptr,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    thread,
    time::Duration,
};

use corepool::{JobError, JobState, SharedFuture};

use super::future_tests::assert_reported;
use crate::{
    CountingWaker, Drops, Fixture, Gate, Methods, Recorder, all_slots_come_back, cancelled_future,
    done_future, drain, failed_future, fixture::PLACES, text_of,
};

const NOW: Duration = Duration::ZERO;
const TINY: Duration = Duration::from_millis(2);

/// Each holder gets the one result, by reference, and as often as it likes.
pub fn each_holder_gets_the_result<F: Fixture>() {
    let fx = F::start(1);
    let one = done_future(&fx, 5_u32).share();
    let other = one.clone();
    let result = one.result().unwrap();
    assert_eq!(*result, 5);
    for again in [
        one.result().unwrap(),
        other.result().unwrap(),
        other.result_timeout(NOW).unwrap(),
        other.try_result().unwrap().unwrap(),
        crate::block_on(other.result_async()).unwrap(),
    ] {
        assert!(ptr::eq(again, result));
    }
    assert_eq!((one.id(), one.state()), (other.id(), JobState::Finished));
}

/// The result stays until the last holder is gone, and the slot with it.
pub fn the_last_holder_drops_the_result<F: Fixture>() {
    let fx = F::start(1);
    let drops = Drops::new();
    let one = done_future(&fx, drops.token()).share();
    let other = one.clone();
    drop(one);
    assert_eq!(drops.dropped(), 0);
    assert!(other.result().is_ok());
    drop(other);
    assert_eq!(drops.dropped(), 1);
    all_slots_come_back(&fx);
}

/// If all holders are gone before the job runs, it runs all the same, and its result is dropped.
pub fn the_last_holder_detaches_the_job<F: Fixture>() {
    let fx = F::start(1);
    let drops = Drops::new();
    let hold = fx.hold_workers();
    let one = fx.pool().submit(move || drops.token()).unwrap().share();
    let other = one.clone();
    drop((one, other));
    drop(hold);
    drain(&fx);
    all_slots_come_back(&fx);
    assert_eq!((drops.made(), drops.dropped()), (1, 1));
}

/// Each holder gets the panic with its text. A panic that a holder was given is not reported as one that
/// no party has asked for.
pub fn each_holder_gets_the_panic<F: Fixture>() {
    let fx = F::start(1);
    let one = failed_future::<F, u32>(&fx).share();
    let other = one.clone();
    for holder in [&one, &other, &one] {
        let JobError::Panicked(panic) = holder.result().unwrap_err() else {
            panic!("it panicked");
        };
        assert_eq!(panic.text(), Some("doh!"));
    }
    drop((one, other));
    all_slots_come_back(&fx);
    assert_reported(&fx, &[]);
}

/// A panic that no holder was given is reported.
pub fn a_panic_that_no_holder_was_given_is_reported<F: Fixture>() {
    let fx = F::start(1);
    let one = failed_future::<F, u32>(&fx).share();
    drop(one.clone());
    assert_eq!(one.state(), JobState::Finished);
    drop(one);
    all_slots_come_back(&fx);
    assert_reported(&fx, &["doh!"]);
}

/// A holder cancels the job for all.
pub fn a_holder_cancels_for_all<F: Fixture>() {
    let fx = F::start(1);
    let (promise, future) = fx.pool().promise::<u32>().unwrap();
    let one = future.share();
    let other = one.clone();
    assert!(one.cancel());
    assert!(promise.is_cancelled());
    assert!(other.cancelled());
    assert!(matches!(other.result(), Err(JobError::Cancelled)));
    let before = cancelled_future::<F, u32>(&fx).share();
    assert!(matches!(before.result(), Err(JobError::Cancelled)));
}

/// A wait that is too long ends, and changes nothing.
pub fn a_holders_wait_times_out<F: Fixture>() {
    let fx = F::start(1);
    let (promise, future) = fx.pool().promise::<u32>().unwrap();
    let shared = future.share();
    for time in [NOW, TINY] {
        let waited = shared.result_timeout(time);
        assert!(matches!(waited, Err(JobError::TimedOut)));
    }
    assert!(shared.try_result().is_none());
    promise.set_result(5).unwrap();
    assert_eq!(shared.result_timeout(NOW).unwrap(), &5);
}

/// A result that was taken before is in no holder's future.
pub fn a_result_that_was_taken_is_not_shared<F: Fixture>() {
    let fx = F::start(1);
    let drops = Drops::new();
    let mut future = done_future(&fx, drops.token());
    drop(future.try_result());
    let one = future.share();
    let other = one.clone();
    assert!(matches!(other.result(), Err(JobError::AlreadyTaken)));
    drop((one, other));
    assert_eq!(drops.dropped(), 1);
    all_slots_come_back(&fx);
}

/// The waker that the future was polled with before is dropped.
pub fn a_waker_from_before_is_dropped<F: Fixture>() {
    let fx = F::start(1);
    let (promise, mut future) = fx.pool().promise::<u32>().unwrap();
    let waker = Arc::new(CountingWaker::default());
    let as_waker = Waker::from(Arc::clone(&waker));
    let mut cx = Context::from_waker(&as_waker);
    assert!(std::pin::Pin::new(&mut future).poll(&mut cx).is_pending());
    let shared = future.share();
    drop(as_waker);
    assert_eq!(Arc::strong_count(&waker), 1);
    promise.set_result(5).unwrap();
    assert_eq!((shared.result().unwrap(), waker.count()), (&5, 0));
}

/// Several wakers wait, and each is woken by the job's end.
pub fn each_waker_is_woken<F: Fixture>() {
    let fx = F::start(1);
    let (promise, future) = fx.pool().promise::<u32>().unwrap();
    let one = future.share();
    let other = one.clone();
    let wakers = [(); 2].map(|()| Arc::new(CountingWaker::default()));
    let mut waits = [&one, &other].map(|shared| Box::pin(shared.result_async()));
    for (wait, waker) in waits.iter_mut().zip(&wakers) {
        let waker = Waker::from(Arc::clone(waker));
        let polled = wait.as_mut().poll(&mut Context::from_waker(&waker));
        assert!(polled.is_pending());
    }
    promise.set_result(5).unwrap();
    for (wait, waker) in waits.iter_mut().zip(&wakers) {
        assert_eq!(waker.count(), 1);
        let mut cx = Context::from_waker(Waker::noop());
        assert!(matches!(wait.as_mut().poll(&mut cx), Poll::Ready(Ok(5))));
        assert_eq!(Arc::strong_count(waker), 1);
    }
}

/// The wakers are woken before the callbacks run.
pub fn a_holder_is_woken_before_the_callbacks<F: Fixture>() {
    let fx = F::start(1);
    let said = Recorder::new();
    let (promise, future) = fx.pool().promise::<u32>().unwrap();
    let shared = future.share();
    let waker = Arc::new(CountingWaker::default());
    let as_waker = Waker::from(Arc::clone(&waker));
    let mut wait = Box::pin(shared.result_async());
    let polled = wait.as_mut().poll(&mut Context::from_waker(&as_waker));
    assert!(polled.is_pending());
    let (woken, note) = (Arc::clone(&waker), said.clone());
    let added = shared.add_done_callback(move |_| note.note(woken.count()));
    assert!(added.is_ok());
    promise.set_result(5).unwrap();
    assert_eq!(said.take(), [1]);
}

/// An await that is given up gives its place back: as often as there are places, and more.
pub fn an_await_is_given_up<F: Fixture>() {
    let fx = F::start(1);
    let (promise, future) = fx.pool().promise::<u32>().unwrap();
    let shared = future.share();
    let waker = Arc::new(CountingWaker::default());
    for _ in 0..2 * PLACES {
        let as_waker = Waker::from(Arc::clone(&waker));
        let mut wait = Box::pin(shared.result_async());
        let polled = wait.as_mut().poll(&mut Context::from_waker(&as_waker));
        assert!(polled.is_pending());
    }
    assert_eq!(Arc::strong_count(&waker), 1);
    promise.set_result(5).unwrap();
    assert_eq!(
        (
            crate::block_on(shared.result_async()).unwrap(),
            waker.count()
        ),
        (&5, 0)
    );
}

/// A task awaits a shared future, beside a thread that waits for it.
pub fn a_task_and_a_thread_wait<F: Fixture>() {
    let fx = F::start(1);
    let one = fx.pool().submit(|| 5_u32).unwrap().share();
    let other = one.clone();
    let task = fx
        .pool()
        .spawn(async move { Box::pin(other.result_async()).await.map(|five| five + 1) });
    assert_eq!(one.result().unwrap(), &5);
    assert_eq!(task.unwrap().result().unwrap().unwrap(), 6);
}

/// A job that waits for a shared job runs it, if no party has begun it: one worker is enough.
pub fn a_job_runs_the_shared_job_that_it_waits_for<F: Fixture>() {
    let fx = F::start(1);
    let hold = fx.hold_workers();
    let inner = Arc::new(Mutex::new(None::<SharedFuture<'static, u32>>));
    let inside = Arc::clone(&inner);
    let outer = fx.pool().submit(move || {
        let shared = inside.lock().unwrap().clone().unwrap();
        *shared.result().unwrap() + 1
    });
    let shared = fx.pool().submit(|| 5_u32).unwrap().share();
    *inner.lock().unwrap() = Some(shared.clone());
    drop(hold);
    assert_eq!(outer.unwrap().result().unwrap(), 6);
    assert_eq!(shared.result().unwrap(), &5);
}

/// A job that waits for itself by a shared future is told so.
pub fn a_job_that_waits_for_itself_would_deadlock<F: Fixture>() {
    let fx = F::start(1);
    let hold = fx.hold_workers();
    let own = Arc::new(Mutex::new(None::<SharedFuture<'static, bool>>));
    let inside = Arc::clone(&own);
    let job = fx.pool().submit(move || {
        let shared = inside.lock().unwrap().take().unwrap();
        matches!(shared.result(), Err(JobError::WouldDeadlock))
    });
    let shared = job.unwrap().share();
    *own.lock().unwrap() = Some(shared.clone());
    drop(hold);
    assert!(*shared.result().unwrap());
}

/// A callback that was added before is called.
pub fn a_callback_from_before_is_called<F: Fixture>() {
    let fx = F::start(1);
    let (promise, mut future) = fx.pool().promise::<u32>().unwrap();
    let called = Gate::new();
    let call = called.clone();
    future.add_done_callback(move |_| call.open()).unwrap();
    let shared = future.share();
    promise.set_result(5).unwrap();
    assert!(called.is_open());
    assert_eq!(shared.result().unwrap(), &5);
}

/// A callback finds its own future done, with the outcome. In CPython a callback gets the future as its
/// argument. CPython: `FutureTests.test_done_callback_with_result`,
/// `FutureTests.test_done_callback_with_cancel`.
pub fn a_callback_finds_its_own_future_done<F: Fixture>() {
    let fx = F::start(1);
    for is_set in [true, false] {
        let said = Recorder::new();
        let (promise, future) = fx.pool().promise::<u32>().unwrap();
        let shared = future.share();
        let (seen, note) = (shared.clone(), said.clone());
        let added = shared.add_done_callback(move |outcome| {
            let by_reference = seen.result().ok().copied();
            note.note((outcome.ok().copied(), by_reference, seen.state()));
        });
        assert!(added.is_ok());
        if is_set {
            promise.set_result(5).unwrap();
            let five = (Some(5), Some(5), JobState::Finished);
            assert_eq!(said.take(), [five]);
        } else {
            promise.set_cancelled();
            assert_eq!(said.take(), [(None, None, JobState::Cancelled)]);
        }
    }
    all_slots_come_back(&fx);
}

/// Each holder may add callbacks, before the job's end and after it.
pub fn each_holder_may_add_a_callback<F: Fixture>() {
    let fx = F::start(1);
    let said = Recorder::new();
    let (promise, future) = fx.pool().promise::<u32>().unwrap();
    let one = future.share();
    let other = one.clone();
    let add = |holder: &SharedFuture<'static, u32>, number: u32| {
        let note = said.clone();
        let added = holder.add_done_callback(move |outcome| note.note(number + outcome.unwrap()));
        assert!(added.is_ok());
    };
    add(&one, 10);
    add(&other, 20);
    promise.set_result(5).unwrap();
    add(&other, 30);
    assert_eq!(said.take(), [15, 25, 35]);
}

/// The last holder may leave in a callback. The others still see the result, which is dropped after
/// them.
pub fn the_last_holder_leaves_in_a_callback<F: Fixture>() {
    let fx = F::start(1);
    let (drops, said) = (Drops::new(), Recorder::new());
    let (promise, future) = fx.pool().promise().unwrap();
    let shared = future.share();
    let (last, note) = (shared.clone(), said.clone());
    let added = shared.add_done_callback(move |_| {
        drop(last);
        note.note(drops.dropped());
    });
    assert!(added.is_ok());
    let note = said.clone();
    let added = shared.add_done_callback(move |outcome| {
        assert!(outcome.is_ok());
        note.note(drops.dropped());
    });
    assert!(added.is_ok());
    drop(shared);
    promise.set_result(drops.token()).unwrap();
    assert_eq!((said.take(), drops.dropped()), (vec![0, 0], 1));
    all_slots_come_back(&fx);
}

/// A panic that a holder was given in a callback is not reported, even if it was the last holder.
pub fn a_panic_that_a_callback_was_given_is_not_reported<F: Fixture>() {
    let fx = F::start(1);
    let said = Recorder::new();
    let hold = fx.hold_workers();
    let job = fx
        .pool()
        .submit(|| -> u32 { std::panic::resume_unwind(Box::new("doh!")) });
    let shared = job.unwrap().share();
    let (last, note) = (shared.clone(), said.clone());
    let added = shared.add_done_callback(move |_| note.note(last.result().is_err()));
    assert!(added.is_ok());
    drop(shared);
    drop(hold);
    drain(&fx);
    all_slots_come_back(&fx);
    assert_eq!(said.take(), [true]);
    assert_reported(&fx, &[]);
}

/// A slow callback delays no holder: this one waits for a holder. In CPython `set_result` notifies the
/// waiters before it calls the callbacks.
pub fn a_callback_may_wait_for_a_holder<F: Fixture>() {
    let fx = F::start(1);
    let (went_on, called) = (Gate::new(), Gate::new());
    let hold = fx.hold_workers();
    let shared = fx.pool().submit(|| 5_u32).unwrap().share();
    let (held, call) = (went_on.clone(), called.clone());
    let added = shared.add_done_callback(move |_| {
        held.wait();
        call.open();
    });
    assert!(added.is_ok());
    drop(hold);
    assert_eq!((shared.result().unwrap(), shared.done()), (&5, true));
    assert!(!called.is_open());
    went_on.open();
    called.wait();
}

/// The text is that of the future.
pub fn a_shared_future_says_what_it_holds<F: Fixture>() {
    let fx = F::start(1);
    let shared = done_future(&fx, 5_u32).share();
    let text = format!("{shared:?}");
    assert!(
        text.starts_with("SharedFuture(JobFuture { slot: "),
        "{text}"
    );
    assert!(text.ends_with("returned: u32 })"), "{text}");
}

/// Several threads wait for one job.
pub fn several_threads_wait<F: Fixture>() {
    let fx = F::start(1);
    let (started, release) = (Gate::new(), Gate::new());
    let (start, held) = (started.clone(), release.clone());
    let job = fx.pool().submit(move || {
        start.open();
        held.wait();
        String::from("once")
    });
    let shared = job.unwrap().share();
    started.wait();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let shared = shared.clone();
            thread::spawn(move || shared.result().cloned().unwrap())
        })
        .collect();
    release.open();
    for thread in threads {
        assert_eq!(thread.join().unwrap(), "once");
    }
    let failed = fx
        .pool()
        .submit(|| -> u32 { std::panic::resume_unwind(Box::new("doh!")) });
    assert_eq!(
        text_of(failed.unwrap().share().result().unwrap_err()),
        "doh!"
    );
}

crate::suite!(shared_tests:
    everywhere [
        each_holder_gets_the_result,
        the_last_holder_drops_the_result,
        the_last_holder_detaches_the_job,
        each_holder_gets_the_panic,
        a_panic_that_no_holder_was_given_is_reported,
        a_holder_cancels_for_all,
        a_holders_wait_times_out,
        a_result_that_was_taken_is_not_shared,
        a_waker_from_before_is_dropped,
        each_waker_is_woken,
        a_holder_is_woken_before_the_callbacks,
        an_await_is_given_up,
        a_task_and_a_thread_wait,
        a_job_runs_the_shared_job_that_it_waits_for,
        a_job_that_waits_for_itself_would_deadlock,
        a_callback_from_before_is_called,
        a_callback_finds_its_own_future_done,
        each_holder_may_add_a_callback,
        the_last_holder_leaves_in_a_callback,
        a_panic_that_a_callback_was_given_is_not_reported,
        a_shared_future_says_what_it_holds,
    ]
    in_parallel [
        several_threads_wait,
        a_callback_may_wait_for_a_holder,
    ]
);
