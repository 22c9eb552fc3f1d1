//! Async tasks: wake, poll, cancel and the pool's end, against each other.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Poll, Waker},
};

use loom::{sync::Mutex, thread};

use super::{Counted, MACHINE, Sleeper, explore, run_one, spawn, with_pool};
use crate::{JobFuture, StaticPool, memory::joined::Stay};

type Pool = StaticPool<2, 32, 1, 1, 1>;

/// The event that a task waits for.
#[derive(Clone)]
struct Event(Arc<Mutex<(bool, Option<Waker>)>>);

impl Event {
    fn new() -> Self {
        Self(Arc::new(Mutex::new((false, None))))
    }

    fn happen(&self) {
        let waker = {
            let mut event = self.0.lock().unwrap();
            event.0 = true;
            event.1.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn poll(&self, waker: &Waker) -> Poll<()> {
        let mut event = self.0.lock().unwrap();
        if event.0 {
            return Poll::Ready(());
        }
        event.1 = Some(waker.clone());
        Poll::Pending
    }
}

/// A task that waits for an event, and then returns its captured value.
fn with_task(
    name: &str,
    preemptions: usize,
    race: impl Fn(&'static Pool, JobFuture<'static, Counted>, Event) + Send + Sync + 'static,
) {
    explore(name, Some(preemptions), move || {
        let alive = Arc::new(AtomicUsize::new(0));
        with_pool(&MACHINE, |pool: &'static Pool| {
            let (event, mut value) = (Event::new(), Some(Counted::new(&alive)));
            let awaited = event.clone();
            let task = pool
                .spawn(poll_fn(move |cx| {
                    awaited.poll(cx.waker()).map(|()| value.take().unwrap())
                }))
                .unwrap();
            race(pool, task, event);
        });
        assert_eq!(alive.load(Relaxed), 0, "something was not dropped");
    });
}

fn run_until_done(pool: &'static Pool, task: &JobFuture<'_, Counted>) {
    while !task.done() {
        if !run_one(pool) {
            thread::yield_now();
        }
    }
}

#[test]
fn wake_and_poll() {
    with_task("tasks: poll, wake", 4, |pool, task, event| {
        let waker = spawn(move || event.happen());
        run_until_done(pool, &task);
        waker.join().unwrap();
        assert!(task.result().is_ok());
    });
}

/// The task is in the queue at most once, even if several threads wake it.
#[test]
fn two_wake() {
    with_task("tasks: poll, wake, wake", 2, |pool, task, event| {
        run_one(pool);
        let waker = event.0.lock().unwrap().1.clone().unwrap();
        let other = spawn(move || waker.wake());
        let worker = spawn(move || {
            run_one(pool);
            run_one(pool);
        });
        event.happen();
        other.join().unwrap();
        worker.join().unwrap();
        run_until_done(pool, &task);
        assert!(task.result().is_ok());
    });
}

/// A task ends itself as cancelled, while another thread wakes it or cancels it, too.
#[test]
fn cancels_itself() {
    explore("tasks: cancels itself, wake, cancel", Some(3), || {
        let alive = Arc::new(AtomicUsize::new(0));
        with_pool(&MACHINE, |pool: &'static Pool| {
            let (left, value) = (Arc::new(Mutex::new(None)), Counted::new(&alive));
            let (leave, mut cancels) = (left.clone(), pool.cancel_current_task());
            let task = pool
                .spawn(poll_fn(move |cx| {
                    let _held = &value;
                    *leave.lock().unwrap() = Some(cx.waker().clone());
                    Pin::new(&mut cancels).poll(cx)
                }))
                .unwrap();
            let waker = spawn(move || {
                let waker = left.lock().unwrap().take();
                if let Some(waker) = waker {
                    waker.wake();
                }
            });
            let task = Arc::new(task);
            let cancelled = task.clone();
            let canceller = spawn(move || cancelled.cancel());
            while !task.done() {
                if !run_one(pool) {
                    thread::yield_now();
                }
            }
            waker.join().unwrap();
            canceller.join().unwrap();
            assert!(task.cancelled());
        });
        assert_eq!(alive.load(Relaxed), 0, "something was not dropped");
    });
}

/// A worker waits for a task in the queue, and polls it, while another worker pops its index, and a
/// third thread wakes it. No thread sleeps for ever.
#[test]
fn polled_by_who_waits() {
    with_task(
        "tasks: polled by who waits, pop, wake",
        1,
        |pool, task, event| {
            let sleeper = Sleeper::new();
            // SAFETY: left below, before the sleeper goes.
            let seat =
                unsafe { pool.pool_ref().erased.seats().join(&sleeper, Stay::Worker) }.unwrap();
            let waker = spawn(move || event.happen());
            let popper = spawn(move || run_one(pool));
            assert!(task.result().is_ok());
            waker.join().unwrap();
            popper.join().unwrap();
            // SAFETY: joined above.
            unsafe { seat.leave() };
        },
    );
}

/// Cancel reaches a task wherever it is: queued, polled, or between two polls.
#[test]
fn poll_and_cancel() {
    with_task("tasks: poll, cancel", 4, |pool, task, _| {
        let worker = spawn(move || {
            run_one(pool);
        });
        task.cancel();
        worker.join().unwrap();
        assert!(task.cancelled(), "the request was lost");
    });
}

#[test]
fn wake_and_cancel() {
    with_task("tasks: poll, wake, cancel", 2, |pool, task, event| {
        let waker = spawn(move || event.happen());
        let worker = spawn(move || {
            run_one(pool);
            run_one(pool);
        });
        let cancelled = task.cancel();
        worker.join().unwrap();
        waker.join().unwrap();
        run_until_done(pool, &task);
        assert!(!cancelled || task.cancelled());
    });
}

/// A waker is woken when its task is gone and the slot has another tenant.
#[test]
fn a_stale_waker() {
    with_task("tasks: stale wake, next tenant", 3, |pool, task, event| {
        run_one(pool);
        let waker = event.0.lock().unwrap().1.take().unwrap();
        assert!(task.cancel());
        drop(task);
        let stale = spawn(move || waker.wake());
        let next = pool.submit(|| 7).unwrap();
        run_one(pool);
        assert_eq!(next.result().unwrap(), 7);
        stale.join().unwrap();
    });
}

/// A task that is being polled while its pool breaks ends when it is suspended.
#[test]
fn poll_and_break() {
    with_task("tasks: poll, break", 4, |pool, task, _| {
        let worker = spawn(move || {
            run_one(pool);
        });
        pool.break_pool("model");
        worker.join().unwrap();
        assert!(task.result().is_err());
    });
}

/// A submit that finds the pool shut down takes its task back only if no worker has polled it.
#[test]
fn spawn_and_shutdown() {
    explore("tasks: spawn, poll, shutdown", Some(2), || {
        let moved = Arc::new(AtomicUsize::new(0));
        with_pool(&MACHINE, |pool: &'static Pool| {
            let worker = spawn(move || {
                run_one(pool);
            });
            let ending = spawn(move || pool.shutdown(false, false).unwrap());
            let (polls, event) = (moved.clone(), Event::new());
            let awaited = event.clone();
            let task = pool.spawn(poll_fn(move |cx| {
                polls.fetch_add(1, Relaxed);
                awaited.poll(cx.waker())
            }));
            worker.join().unwrap();
            ending.join().unwrap();
            match task {
                Ok(task) => {
                    event.happen();
                    while run_one(pool) {}
                    task.result().unwrap();
                }
                Err(_) => assert_eq!(moved.load(Relaxed), 0, "a pinned task was moved"),
            }
        });
    });
}
