//! Ambient values that jobs carry from their submitter. CPython: the tests of context variables in
//! `test_asyncio/test_threads.py` and `test_tasks.py`.

use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
};

use corepool::{Ambient, Carrying, Executor, JobError, MapOptions, SubmitError};
use futures_lite::future::yield_now;

use crate::{Drops, Fixture, LONG, Methods, Recorder, Token, View, all_slots_come_back, text_of};

thread_local! {
    /// The request that this thread is at work on, which is 0 if there is none.
    static REQUEST: Cell<u32> = const { Cell::new(0) };
    /// A value with a destructor that is counted.
    static HELD: Cell<Option<Drops>> = const { Cell::new(None) };
}

fn request() -> u32 {
    REQUEST.get()
}

/// The request.
struct Request;

impl Ambient for Request {
    type Captured = u32;

    fn capture() -> u32 {
        request()
    }

    fn enter<R>(captured: &mut u32, work: impl FnOnce() -> R) -> R {
        struct Restore<'a>(&'a mut u32, u32);
        impl Drop for Restore<'_> {
            fn drop(&mut self) {
                *self.0 = REQUEST.replace(self.1);
            }
        }
        let former = REQUEST.replace(*captured);
        let _restored = Restore(captured, former);
        work()
    }
}

/// A token of the drops that this thread holds.
struct Held;

impl Ambient for Held {
    type Captured = Option<Token>;

    fn capture() -> Option<Token> {
        HELD.get().map(Drops::token)
    }

    fn enter<R>(_captured: &mut Option<Token>, work: impl FnOnce() -> R) -> R {
        work()
    }
}

/// Cannot be entered.
struct Closed;

impl Ambient for Closed {
    type Captured = ();

    fn capture() {}

    fn enter<R>(_captured: &mut (), _work: impl FnOnce() -> R) -> R {
        resume_unwind(Box::new("closed"))
    }
}

/// The pool's view for a request that this thread is at work on from now on.
fn at_request<F: Fixture>(
    fx: &F,
    number: u32,
) -> View<Carrying<Request, <F::Pool as Methods>::Spill>> {
    REQUEST.set(number);
    fx.pool().carrying::<Request>()
}

/// A job has its submitter's value, and leaves the worker's as it was. CPython:
/// `ToThreadTests.test_to_thread_contextvars`.
pub fn a_job_has_the_value_of_its_submitter<F: Fixture>() {
    let fx = F::start(1);
    let job = at_request(&fx, 7).submit(request).unwrap();
    REQUEST.set(8);
    assert_eq!(job.result().unwrap(), 7);
    REQUEST.set(0);
    assert_eq!(fx.pool().submit(request).unwrap().result().unwrap(), 0);
}

/// Each way to hand a job in carries the value.
pub fn every_way_to_hand_work_in_carries<F: Fixture>() {
    let fx = F::start(1);
    let view = at_request(&fx, 7);
    let told = Recorder::new();
    let tell = told.clone();
    view.submit_detached(move || tell.note(request())).unwrap();
    let jobs = [
        view.submit(request).unwrap(),
        view.submit_cancellable(|_| request()).unwrap(),
        view.submit_blocking(request).unwrap(),
        view.submit_timeout(request, LONG).unwrap(),
        view.at(1).submit(request).unwrap(),
        view.spawn(async { request() }).unwrap(),
        Executor::submit(&view, request).unwrap(),
    ];
    for job in jobs {
        assert_eq!(job.result().unwrap(), 7);
    }
    let options = MapOptions::<4> {
        buffer_size: 2,
        timeout: None,
    };
    let maps = view.map(0..3, |_: u32| request());
    let maps = maps.chain(view.map_with(options, 0..3, |_: u32| request()).unwrap());
    assert_eq!(maps.map(Result::unwrap).collect::<Vec<_>>(), [7; 6]);
    let scoped = view.scope(|scope| {
        let one = scope.submit(request).unwrap();
        let more = scope.map(0..2, |_: u32| request()).map(Result::unwrap);
        more.chain([one.result().unwrap()]).collect::<Vec<_>>()
    });
    assert_eq!(scoped, [7; 3]);
    all_slots_come_back(&fx);
    assert_eq!(told.take(), [7]);
}

/// A submit that is awaited takes the value of the task that awaits it.
pub fn an_awaited_submit_carries<F: Fixture>() {
    let fx = F::start(1);
    let view = at_request(&fx, 7);
    let job = crate::block_on(view.submit_async(request)).unwrap();
    assert_eq!(job.result().unwrap(), 7);
}

/// Each poll of a task has the value as the poll before has left it. CPython: `CurrentLoopTests`, `test_context_*`.
pub fn a_task_keeps_its_value_across_suspensions<F: Fixture>() {
    let fx = F::start(2);
    let task = at_request(&fx, 7).spawn(async {
        let mut seen = [request(); 3];
        for seen in &mut seen {
            *seen = request();
            REQUEST.set(*seen + 1);
            yield_now().await;
        }
        seen
    });
    assert_eq!(task.unwrap().result().unwrap(), [7, 8, 9]);
}

/// A map takes the value anew for each job that it submits.
pub fn a_map_carries_the_value_at_each_submit<F: Fixture>() {
    let fx = F::start(1);
    let options = MapOptions::<1> {
        buffer_size: 1,
        timeout: None,
    };
    let view = at_request(&fx, 1);
    let mut map = view.map_with(options, 0..3, |_: u32| request()).unwrap();
    let mut seen = Vec::new();
    for number in [2, 3, 4] {
        REQUEST.set(number);
        seen.push(map.next().unwrap().unwrap());
    }
    assert_eq!(seen, [1, 2, 3]);
}

/// A job that panics leaves the worker's value as it was.
pub fn a_panic_restores_the_value<F: Fixture>() {
    let fx = F::start(1);
    let failed = at_request(&fx, 7).submit(|| -> u32 { resume_unwind(Box::new("doh!")) });
    assert_eq!(text_of(failed.unwrap().result().unwrap_err()), "doh!");
    REQUEST.set(0);
    assert_eq!(fx.pool().submit(request).unwrap().result().unwrap(), 0);
}

/// A refused job comes back as it was, without the value.
pub fn a_refused_job_comes_back_without_the_value<F: Fixture>() {
    let fx = F::Small::start(1);
    let drops = Drops::new();
    HELD.set(Some(drops));
    let hold = fx.hold_workers();
    while fx.pool().submit_detached(|| ()).is_ok() {}
    let text = String::from("as it was");
    let refused = fx.pool().carrying::<Held>().submit(move || text);
    let Err(SubmitError::Full(job)) = refused else {
        panic!("a full pool took a job");
    };
    assert_eq!(job(), "as it was");
    assert_eq!((drops.made(), drops.dropped()), (1, 1));
    drop(hold);
}

/// The value ends with its job: run, cancelled, or given up between two polls.
pub fn the_value_is_dropped_with_its_job<F: Fixture>() {
    let fx = F::start(1);
    let drops = Drops::new();
    HELD.set(Some(drops));
    let view = fx.pool().carrying::<Held>();
    view.submit(|| ()).unwrap().result().unwrap();
    assert_eq!((drops.made(), drops.dropped()), (1, 1));
    let hold = fx.hold_workers();
    assert!(view.submit(|| ()).unwrap().cancel());
    assert_eq!((drops.made(), drops.dropped()), (2, 2));
    drop(hold);
    let task = view.spawn(std::future::pending::<()>()).unwrap();
    while !task.cancel() {
        crate::yield_now();
    }
    assert!(matches!(task.result(), Err(JobError::Cancelled)));
    assert_eq!((drops.made(), drops.dropped()), (3, 3));
}

/// A pair is carried as one, each half of it.
pub fn a_pair_is_carried<F: Fixture>() {
    let fx = F::start(1);
    let drops = Drops::new();
    HELD.set(Some(drops));
    REQUEST.set(7);
    let view = fx.pool().carrying::<(Request, Held)>();
    assert_eq!(view.submit(request).unwrap().result().unwrap(), 7);
    assert_eq!((drops.made(), drops.dropped()), (1, 1));
}

/// If the value cannot be entered, the job fails with that panic, and is dropped without being called.
pub fn a_value_that_cannot_be_entered_fails_the_job<F: Fixture>() {
    let fx = F::start(1);
    let drops = Drops::new();
    let view = fx.pool().carrying::<Closed>();
    let token = drops.token();
    let job = view.submit(move || drop(token)).unwrap();
    assert_eq!(text_of(job.result().unwrap_err()), "closed");
    let token = drops.token();
    let task = view.spawn(async move { drop(token) }).unwrap();
    assert_eq!(text_of(task.result().unwrap_err()), "closed");
    assert_eq!((drops.made(), drops.dropped()), (2, 2));
    all_slots_come_back(&fx);
}

/// A value that cannot be captured fails the submit, with nothing taken.
pub fn a_value_that_cannot_be_captured_costs_no_slot<F: Fixture>() {
    struct Open;
    impl Ambient for Open {
        type Captured = ();
        fn capture() {
            resume_unwind(Box::new("open"))
        }
        fn enter<R>(_captured: &mut (), work: impl FnOnce() -> R) -> R {
            work()
        }
    }
    let fx = F::start(1);
    let view = fx.pool().carrying::<Open>();
    assert!(catch_unwind(AssertUnwindSafe(|| view.submit(|| ()))).is_err());
    all_slots_come_back(&fx);
}

crate::suite!(ambient_tests:
    everywhere [
        a_job_has_the_value_of_its_submitter,
        every_way_to_hand_work_in_carries,
        an_awaited_submit_carries,
        a_task_keeps_its_value_across_suspensions,
        a_map_carries_the_value_at_each_submit,
        a_panic_restores_the_value,
        a_refused_job_comes_back_without_the_value,
        the_value_is_dropped_with_its_job,
        a_pair_is_carried,
        a_value_that_cannot_be_entered_fails_the_job,
        a_value_that_cannot_be_captured_costs_no_slot,
    ]
    in_parallel []
);
