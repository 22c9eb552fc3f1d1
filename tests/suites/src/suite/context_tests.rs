//! Work may be handed in from anywhere: a job, a callback, a task, a destructor.

use corepool::{JobError, SubmitError};

use crate::{Fixture, Methods, Recorder, SMALL, drain};

/// A job submits a job that submits a job.
pub fn submit_from_a_job<F: Fixture>() {
    let fx = F::start(1);
    let pool = fx.pool();
    let seen = Recorder::new();
    let note = seen.clone();
    pool.submit_detached(move || {
        let inner = note.clone();
        note.note("outer");
        pool.submit_detached(move || {
            let innermost = inner.clone();
            inner.note("inner");
            pool.submit_detached(move || innermost.note("innermost"))
                .unwrap();
        })
        .unwrap();
    })
    .unwrap();
    drain(&fx);
    assert_eq!(seen.take(), ["outer", "inner", "innermost"]);
}

/// A callback submits a job.
pub fn submit_from_a_callback<F: Fixture>() {
    let fx = F::start(1);
    let pool = fx.pool();
    let seen = Recorder::new();
    let (promise, mut future) = pool.promise().unwrap();
    let note = seen.clone();
    future
        .add_done_callback(move |outcome: Result<&u32, _>| {
            let result = *outcome.unwrap();
            pool.submit_detached(move || note.note(result + 1)).unwrap();
        })
        .unwrap();
    pool.submit_detached(move || promise.set_result(41).unwrap())
        .unwrap();
    assert_eq!(future.result().unwrap(), 41);
    drain(&fx);
    assert_eq!(seen.take(), [42]);
}

/// A task submits jobs and awaits them.
pub fn submit_from_a_task<F: Fixture>() {
    let fx = F::start(1);
    let pool = fx.pool();
    let task = pool.spawn(async move {
        let first = pool.submit(|| 2).unwrap().await.unwrap();
        pool.submit(move || 3 * first).unwrap().await.unwrap()
    });
    assert_eq!(task.unwrap().result().unwrap(), 6);
}

/// A destructor of a job's closure submits a job.
pub fn submit_from_a_destructor<F: Fixture>() {
    struct OnDrop<P: Methods>(P, Recorder<&'static str>);
    impl<P: Methods> Drop for OnDrop<P> {
        fn drop(&mut self) {
            let note = self.1.clone();
            self.0
                .submit_detached(move || note.note("from a destructor"))
                .unwrap();
        }
    }
    let fx = F::start(1);
    let seen = Recorder::new();
    let hold = fx.hold_workers();
    let on_drop = OnDrop(fx.pool(), seen.clone());
    let future = fx.pool().submit(move || drop(on_drop)).unwrap();
    assert!(future.cancel());
    drop(hold);
    drain(&fx);
    assert_eq!(seen.take(), ["from a destructor"]);
}

/// A job cancels another.
pub fn cancel_from_a_job<F: Fixture>() {
    let fx = F::start(1);
    let hold = fx.hold_workers();
    let victim = fx.pool().submit(|| ()).unwrap();
    // It overtakes the victim.
    let canceller = fx.pool().at(1).submit(move || victim.cancel()).unwrap();
    drop(hold);
    assert!(canceller.result().unwrap());
}

/// A callback cancels another job.
pub fn cancel_from_a_callback<F: Fixture>() {
    let fx = F::start(1);
    let seen = Recorder::new();
    let hold = fx.hold_workers();
    let victim = fx.pool().submit(|| ()).unwrap();
    let (promise, mut future) = fx.pool().promise::<()>().unwrap();
    let note = seen.clone();
    future
        .add_done_callback(move |_| note.note(victim.cancel()))
        .unwrap();
    promise.set_result(()).unwrap();
    assert_eq!(seen.take(), [true]);
    drop(hold);
}

/// A job that finds its pool full waits for room, and runs what is in the way.
pub fn blocking_submit_from_a_job_makes_its_own_room<F: Fixture>() {
    let fx = F::Small::start(1);
    let pool = fx.pool();
    let seen = Recorder::new();
    let note = seen.clone();
    let job = pool.submit(move || {
        for number in 0..3 * SMALL {
            let note = note.clone();
            pool.submit_blocking(move || note.note(number))
                .map(drop)
                .unwrap();
        }
    });
    job.unwrap().result().unwrap();
    drain(&fx);
    assert_eq!(seen.take(), (0..3 * SMALL).collect::<Vec<_>>());
}

/// A priority that the pool has not got is refused.
pub fn no_such_priority<F: Fixture>() {
    let fx = F::start(1);
    let refused = fx.pool().at(2).submit(|| 7);
    let Err(SubmitError::NoSuchPriority(job)) = refused else {
        panic!("a pool of two priorities took a job of a third");
    };
    assert_eq!(job(), 7);
    for priority in [2, 1 << 14] {
        let refused = fx.pool().at(priority).promise::<u8>();
        assert!(matches!(refused, Err(SubmitError::NoSuchPriority(()))));
    }
    let mut map = fx.pool().at(2).map(0..1, |n| n);
    assert!(matches!(map.next(), Some(Err(JobError::NoSuchPriority))));
    assert!(map.next().is_none());
}

crate::suite!(context_tests:
    everywhere [
        submit_from_a_job,
        submit_from_a_callback,
        submit_from_a_task,
        submit_from_a_destructor,
        cancel_from_a_job,
        cancel_from_a_callback,
        blocking_submit_from_a_job_makes_its_own_room,
        no_such_priority,
    ]
    in_parallel []
);
