//! `submit` and `map`. CPython: `executor.py`, `test_thread_pool.py`.

use std::{
    panic::{AssertUnwindSafe, catch_unwind, panic_any, resume_unwind},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use corepool::{
    DEFAULT_WINDOW, DynExecutor, Executor, JobError, MapError, MapOptions, SubmitError,
};

use crate::{Drops, Fixture, Gate, LONG, Methods, Recorder, SMALL, Token, drain, text_of};

const TINY: Duration = Duration::from_millis(2);

fn options<const WINDOW: usize>(buffer_size: usize) -> MapOptions<WINDOW> {
    MapOptions {
        buffer_size,
        timeout: None,
    }
}

/// A job's result comes back. CPython: `ExecutorTest.test_submit`.
pub fn submit<F: Fixture>() {
    let fx = F::start(1);
    let (base, exponent) = (2_u32, 8);
    let future = fx.pool().submit(move || base.pow(exponent)).unwrap();
    assert_eq!(future.result().unwrap(), 256);
}

/// Jobs of one worker run in the order in which they were submitted.
pub fn first_in_first_out<F: Fixture>() {
    let fx = F::start(1);
    let order = Recorder::new();
    let hold = fx.hold_workers();
    for number in 0..50 {
        let order = order.clone();
        fx.pool()
            .submit_detached(move || order.note(number))
            .unwrap();
    }
    drop(hold);
    drain(&fx);
    assert_eq!(order.take(), (0..50).collect::<Vec<_>>());
}

/// The same code works for any executor, through the trait.
pub fn through_the_trait<F: Fixture>() {
    fn work(executor: &impl Executor) -> u32 {
        let one = executor.submit(|| 1).unwrap().result().unwrap();
        let more: Result<u32, _> = Executor::map(executor, [2, 3], |n: u32| n).sum();
        executor.shutdown(true, false).unwrap();
        assert!(matches!(
            executor.submit(|| 4),
            Err(SubmitError::ShutDown(_))
        ));
        one + more.unwrap()
    }
    let fx = F::start(1);
    assert_eq!(work(fx.pool().executor()), 6);
}

/// The trait's `shutdown` takes the executor's own arguments: not to wait, and to cancel.
pub fn through_the_trait_cancel_without_wait<F: Fixture>() {
    let fx = F::start(1);
    let pool = fx.pool();
    let hold = fx.hold_workers();
    let queued = pool.executor().submit(|| 1).unwrap();
    pool.executor().shutdown(false, true).unwrap();
    assert!(queued.cancelled());
    drop(hold);
}

/// And to wait, and not to cancel.
pub fn through_the_trait_wait_without_cancel<F: Fixture>() {
    let fx = F::start(1);
    let pool = fx.pool();
    let mut jobs: Vec<_> = (0..20)
        .map(|n| pool.executor().submit(move || n).unwrap())
        .collect();
    pool.executor().shutdown(true, false).unwrap();
    let results = jobs.iter_mut().map(|job| job.try_result().unwrap());
    let results: Result<Vec<_>, _> = results.collect();
    assert_eq!(results.unwrap(), (0..20).collect::<Vec<_>>());
}

/// A function that is not generic submits, maps and shuts down.
pub fn of_no_known_type<F: Fixture>() {
    fn library(executor: &dyn DynExecutor) -> u32 {
        let job = executor.submit(|| 5_u32).unwrap();
        let squares: u32 = executor.map(1..4_u32, |n| n * n).map(Result::unwrap).sum();
        let sum = job.result().unwrap() + squares;
        executor.shutdown(true, false).unwrap();
        sum
    }
    let fx = F::start(1);
    assert_eq!(library(fx.pool().dyn_executor()), 19);
    let refused = fx.pool().dyn_executor().submit(|| 5).map(drop);
    assert!(matches!(refused, Err(SubmitError::ShutDown(_))));
}

/// Work that is handed in at a priority has it, however it is handed in.
pub fn every_way_to_hand_work_in_keeps_the_priority<F: Fixture>() {
    let fx = F::start(1);
    let order = Recorder::new();
    let note = |what| {
        let order = order.clone();
        move || order.note(what)
    };
    let hold = fx.hold_workers();
    fx.pool().submit_detached(note("not urgent")).unwrap();
    let urgent = fx.pool().at(1);
    drop(urgent.submit(note("submit")).unwrap());
    urgent.submit_detached(note("detached")).unwrap();
    let job = note("cancellable");
    drop(urgent.submit_cancellable(move |_| job()).unwrap());
    drop(urgent.submit_blocking(note("blocking")).unwrap());
    drop(urgent.submit_timeout(note("timeout"), TINY).unwrap());
    let submitted = crate::block_on(urgent.submit_async(note("async")));
    drop(submitted.unwrap());
    let task = note("task");
    drop(urgent.spawn(async move { task() }).unwrap());
    let each = order.clone();
    let map = urgent.map(["map"], move |what| each.note(what));
    let each = order.clone();
    let map_with = urgent.map_with(options::<1>(1), ["map_with"], move |what| each.note(what));
    drop(hold);
    drain(&fx);
    assert_eq!(
        order.take(),
        [
            "submit",
            "detached",
            "cancellable",
            "blocking",
            "timeout",
            "async",
            "task",
            "map",
            "map_with",
            "not urgent"
        ]
    );
    drop((map, map_with));
}

/// Results come in the items' order. CPython: `ExecutorTest.test_map`.
pub fn map<F: Fixture>() {
    let fx = F::start(3);
    let powers: Result<Vec<u32>, _> = fx
        .pool()
        .map((0..10).zip(0..10), |(n, m): (u32, u32)| n.pow(m))
        .collect();
    let expected: Vec<u32> = (0_u32..10).map(|n| n.pow(n)).collect();
    assert_eq!(powers.unwrap(), expected);
}

/// A failure takes its place, with what it says, and the iteration goes on. CPython's ends there.
/// CPython: `ExecutorTest.test_map_exception`.
pub fn map_exception<F: Fixture>() {
    let fx = F::start(2);
    let divide = |divisor: u32| match 1_u32.checked_div(divisor) {
        Some(quotient) => quotient,
        None => resume_unwind(Box::new("division by zero")),
    };
    let mut map = fx.pool().map([1, 1, 0, 1], divide);
    assert_eq!(map.next().unwrap().unwrap(), 1);
    assert_eq!(map.next().unwrap().unwrap(), 1);
    let failed = map.next().unwrap().unwrap_err();
    assert_eq!(text_of(failed), "division by zero");
    assert_eq!(map.next().unwrap().unwrap(), 1);
    assert!(map.next().is_none());
}

/// When the time is over, what is done has come, then the error, then nothing; what has not begun is
/// cancelled. CPython: `ExecutorTest.test_map_timeout`.
pub fn map_timeout<F: Fixture>() {
    let fx = F::start(1);
    let ran = Recorder::new();
    let note = ran.clone();
    let options = MapOptions::<2> {
        buffer_size: 2,
        timeout: Some(TINY),
    };
    let mut map = fx
        .pool()
        .map_with(options, 0..4, move |n: u32| note.note(n))
        .unwrap();
    drain(&fx);
    let hold = fx.hold_workers();
    assert!(matches!(map.next(), Some(Ok(()))));
    assert!(matches!(map.next(), Some(Ok(()))));
    assert!(matches!(map.next(), Some(Err(JobError::TimedOut))));
    assert!(map.next().is_none());
    drop(hold);
    drain(&fx);
    assert_eq!(ran.take(), [0, 1]);
}

/// A function's own time-out is its result, not the iteration's end, whether or not the map has a time
/// limit. CPython: `ExecutorTest.test_map_timeout_from_callable`.
pub fn map_timeout_from_callable<F: Fixture>() {
    let fx = F::start(1);
    for timeout in [None, Some(LONG)] {
        let options = MapOptions::<4> {
            buffer_size: 4,
            timeout,
        };
        let function = |n: u32| match n {
            1 => Err(JobError::TimedOut),
            n => Ok(n),
        };
        let results: Vec<_> = fx
            .pool()
            .map_with(options, 0..3, function)
            .unwrap()
            .collect();
        assert!(matches!(
            results[..],
            [Ok(Ok(0)), Ok(Err(JobError::TimedOut)), Ok(Ok(2))]
        ));
    }
}

/// Whatever the buffer size, the results are the same. CPython: `ExecutorTest.test_map_buffersize`.
pub fn map_buffersize<F: Fixture>() {
    let fx = F::start(2);
    let items = [1, 2, 3, 4, 5];
    for buffer_size in [1, 2, 5, 6, 8] {
        let results: Result<Vec<u32>, _> = fx
            .pool()
            .map_with(options::<8>(buffer_size), items, |n: u32| n * n)
            .unwrap()
            .collect();
        assert_eq!(results.unwrap(), [1, 4, 9, 16, 25]);
    }
}

/// Several sources are zipped. CPython: `ExecutorTest.test_map_buffersize_on_multiple_iterables`.
pub fn map_buffersize_on_multiple_iterables<F: Fixture>() {
    let fx = F::start(2);
    let items = [1, 2, 3].into_iter().zip([10, 20, 30]);
    for buffer_size in [1, 2, 4] {
        let sums: Result<Vec<u32>, _> = fx
            .pool()
            .map_with(options::<4>(buffer_size), items.clone(), |(a, b)| a + b)
            .unwrap()
            .collect();
        assert_eq!(sums.unwrap(), [11, 22, 33]);
    }
}

/// The source may be endless. CPython: `ExecutorTest.test_map_buffersize_on_infinite_iterable`.
pub fn map_buffersize_on_infinite_iterable<F: Fixture>() {
    let fx = F::start(2);
    let mut squares = fx
        .pool()
        .map_with(options::<4>(2), 1.., |n: u32| n * n)
        .unwrap();
    assert_eq!(squares.next().unwrap().unwrap(), 1);
    assert_eq!(squares.next().unwrap().unwrap(), 4);
    assert_eq!(squares.next().unwrap().unwrap(), 9);
}

/// So may several. CPython: `ExecutorTest.test_map_buffersize_on_multiple_infinite_iterables`.
pub fn map_buffersize_on_multiple_infinite_iterables<F: Fixture>() {
    let fx = F::start(2);
    let mut sums = fx
        .pool()
        .map_with(options::<4>(2), (1..).zip(1..), |(a, b): (u32, u32)| a + b)
        .unwrap();
    assert_eq!(sums.next().unwrap().unwrap(), 2);
    assert_eq!(sums.next().unwrap().unwrap(), 4);
    assert_eq!(sums.next().unwrap().unwrap(), 6);
}

/// A map of no items has no results. CPython: `ExecutorTest.test_map_buffersize_on_empty_iterable`.
pub fn map_buffersize_on_empty_iterable<F: Fixture>() {
    let fx = F::start(1);
    let mut none = fx
        .pool()
        .map_with(options::<4>(2), [0_u32; 0], |n| n)
        .unwrap();
    assert!(none.next().is_none());
}

/// No more items are drawn than the buffer holds, and one more for each result. CPython:
/// `ExecutorTest.test_map_buffersize_when_buffer_is_full`.
pub fn map_buffersize_when_buffer_is_full<F: Fixture>() {
    let fx = F::start(1);
    let drawn = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&drawn);
    let items = (0..).inspect(move |_: &u32| {
        count.fetch_add(1, Ordering::SeqCst);
    });
    let hold = fx.hold_workers();
    let mut map = fx.pool().map_with(options::<8>(4), items, |n| n).unwrap();
    assert_eq!(drawn.load(Ordering::SeqCst), 4);
    drop(hold);
    drain(&fx);
    assert_eq!(drawn.load(Ordering::SeqCst), 4);
    assert_eq!(map.next().unwrap().unwrap(), 0);
    assert_eq!(drawn.load(Ordering::SeqCst), 5);
}

/// A buffer of 0, or one larger than its window, is an error. CPython:
/// `ExecutorTest.test_map_buffersize_value_validation`.
pub fn map_buffersize_value_validation<F: Fixture>() {
    let fx = F::start(1);
    let map = |buffer_size| {
        fx.pool()
            .map_with(options::<4>(buffer_size), [0_u32; 0], |n| n)
            .map(drop)
    };
    assert_eq!(map(0), Err(MapError::ZeroBuffer));
    assert_eq!(map(5), Err(MapError::BufferTooLarge));
    assert_eq!(map(1), Ok(()));
    assert_eq!(map(4), Ok(()));
}

/// Without options, the window is bounded.
pub fn map_has_a_window_by_default<F: Fixture>() {
    let fx = F::start(1);
    let drawn = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&drawn);
    let items = (0..).inspect(move |_: &u32| {
        count.fetch_add(1, Ordering::SeqCst);
    });
    let map = fx.pool().map(items, |n| n);
    assert_eq!(drawn.load(Ordering::SeqCst), DEFAULT_WINDOW);
    drop(map);
}

/// A map larger than the pool goes on as the pool has room.
pub fn map_larger_than_the_pool<F: Fixture>() {
    let fx = F::Small::start(1);
    let doubled: Result<Vec<u32>, _> = fx.pool().map(0..100, |n: u32| 2 * n).collect();
    let expected: Vec<u32> = (0..100).map(|n| 2 * n).collect();
    assert_eq!(doubled.unwrap(), expected);
}

/// A full pool keeps a map waiting, no longer than its time.
pub fn map_waits_for_room_until_its_time_is_over<F: Fixture>() {
    let fx = F::Small::start(1);
    let kept: Vec<_> = (0..SMALL)
        .map(|_| fx.pool().promise::<()>().unwrap())
        .collect();
    let options = MapOptions::<4> {
        buffer_size: 4,
        timeout: Some(TINY),
    };
    let mut map = fx.pool().map_with(options, 0..4, |n: u32| n).unwrap();
    assert!(matches!(map.next(), Some(Err(JobError::TimedOut))));
    assert!(map.next().is_none());
    drop(kept);
}

/// Dropped early, the iterator cancels what has not begun. CPython: `ExecutorTest.test_map_close`.
pub fn map_close<F: Fixture>() {
    let fx = F::start(1);
    let ran = Recorder::new();
    let note = ran.clone();
    let hold = fx.hold_workers();
    let map = fx.pool().map(0..5, move |n: u32| note.note(n));
    drop(map);
    drop(hold);
    drain(&fx);
    assert_eq!(ran.take(), []);
}

/// A source that panics takes no result with it: what was asked for comes after the panic, and so does the rest.
pub fn map_gives_every_result_though_its_source_panics<F: Fixture>() {
    let fx = F::start(1);
    let mut panicked = false;
    let items = (0..4).inspect(|&n| {
        if n == 2 {
            panic_any("the source");
        }
    });
    let mut results = fx
        .pool()
        .map_with(options::<2>(1), items, |n: u32| n)
        .unwrap();
    let mut got = Vec::new();
    loop {
        match catch_unwind(AssertUnwindSafe(|| results.next())) {
            Ok(Some(result)) => got.push(result.unwrap()),
            Ok(None) => break,
            Err(_) => panicked = true,
        }
    }
    assert!(panicked);
    // The source's third item was lost by the source.
    assert_eq!(got, [0, 1, 3]);
}

/// A function whose clone panics takes no item with it.
pub fn map_calls_its_function_with_every_item_though_a_clone_panics<F: Fixture>() {
    struct Once(Drops, Token);
    impl Clone for Once {
        fn clone(&self) -> Self {
            if self.0.made() == 2 {
                drop(self.0.token());
                panic_any("the clone");
            }
            Self(self.0, self.0.token())
        }
    }
    impl Once {
        fn call(&self, n: u32) -> u32 {
            let Self(_, _token) = self;
            n
        }
    }
    let fx = F::start(1);
    let clones = Drops::new();
    let function = Once(clones, clones.token());
    let function = move |n: u32| function.call(n);
    let mut results = fx.pool().map_with(options::<2>(1), 0..4, function).unwrap();
    let mut got = Vec::new();
    let mut panics = 0;
    loop {
        match catch_unwind(AssertUnwindSafe(|| results.next())) {
            Ok(Some(result)) => got.push(result.unwrap()),
            Ok(None) => break,
            Err(_) => panics += 1,
        }
    }
    assert_eq!((got, panics), (vec![0, 1, 2, 3], 1));
}

/// Jobs run without the iterator being asked. CPython:
/// `ThreadPoolExecutorTest.test_map_submits_without_iteration`.
pub fn map_submits_without_iteration<F: Fixture>() {
    let fx = F::start(2);
    let finished = Recorder::new();
    let note = finished.clone();
    let map = fx.pool().map(0..10, move |n: u32| note.note(n));
    fx.pool().shutdown(true, false).unwrap();
    let mut finished = finished.take();
    finished.sort_unstable();
    assert_eq!(finished, (0..10).collect::<Vec<_>>());
    drop(map);
}

/// After a time-out, the job that was waited for is cancelled as well as the later ones. CPython:
/// `ThreadPoolExecutorTest.test_executor_map_current_future_cancel`.
pub fn executor_map_current_future_cancel<F: Fixture>() {
    let fx = F::start(1);
    let log = Recorder::new();
    let note = log.clone();
    let hold = fx.hold_workers();
    let options = MapOptions::<4> {
        buffer_size: 4,
        timeout: Some(Duration::ZERO),
    };
    let mut map = fx
        .pool()
        .map_with(options, ["second", "third"], move |name| note.note(name))
        .unwrap();
    assert!(matches!(map.next(), Some(Err(JobError::TimedOut))));
    drop(map);
    drop(hold);
    drain(&fx);
    assert_eq!(log.take(), [""; 0]);
}

/// After a shutdown, a map says so in the place of each item.
pub fn map_after_shutdown<F: Fixture>() {
    let fx = F::start(1);
    fx.pool().shutdown(true, false).unwrap();
    let results: Vec<_> = fx.pool().map(0..2, |n: u32| n).collect();
    assert!(matches!(
        results[..],
        [Err(JobError::ShutDown), Err(JobError::ShutDown)]
    ));
}

/// Shutting down while jobs are queued is no race. CPython:
/// `ExecutorTest.test_shutdown_race_issue12456`.
pub fn shutdown_race_issue12456<F: Fixture>() {
    let fx = F::start(2);
    let map = fx.pool().map([2; 3], |n: u32| n.to_string());
    fx.pool().shutdown(true, false).unwrap();
    assert!(map.into_iter().all(|text| text.unwrap() == "2"));
}

/// A job's captures are dropped when it has run, even if no party has its future. CPython:
/// `ExecutorTest.test_no_stale_references`.
pub fn no_stale_references<F: Fixture>() {
    let fx = F::start(1);
    let drops = Drops::new();
    let token = drops.token();
    drop(fx.pool().submit(move || drop(token)).unwrap());
    while drops.dropped() == 0 {
        drain(&fx);
    }
}

/// The iterator does not hold on to results that it has handed out. CPython:
/// `ExecutorTest.test_free_reference`.
pub fn free_reference<F: Fixture>() {
    let fx = F::start(1);
    let drops = Drops::new();
    let map = fx.pool().map(0..10, move |_: u32| drops.token());
    for (number, result) in map.enumerate() {
        drop(result.unwrap());
        assert_eq!(drops.dropped(), number + 1);
    }
}

/// A map in a job works on the pool's only worker.
pub fn map_from_a_job<F: Fixture>() {
    let fx = F::start(1);
    let pool = fx.pool();
    let sum = pool.submit(move || {
        pool.map(1..=10, |n: u32| n)
            .map(Result::unwrap)
            .sum::<u32>()
    });
    assert_eq!(sum.unwrap().result().unwrap(), 55);
}

/// Jobs of a scope borrow from the caller, and have ended when the scope has.
pub fn scope_borrows<F: Fixture>() {
    let fx = F::start(2);
    let text = String::from("borrowed");
    let ended = AtomicUsize::new(0);
    let length = fx.pool().scope(|scope| {
        for _ in 0..5 {
            let job = || ended.fetch_add(1, Ordering::SeqCst);
            drop(scope.submit(job).unwrap());
        }
        scope.submit(|| text.len()).unwrap().result().unwrap()
    });
    assert_eq!(length, text.len());
    assert_eq!(ended.load(Ordering::SeqCst), 5);
}

/// A scope's jobs that are cancelled do not keep it waiting.
pub fn scope_ends_after_cancel<F: Fixture>() {
    let fx = F::start(1);
    let ran = AtomicUsize::new(0);
    let hold = fx.hold_workers();
    fx.pool().scope(|scope| {
        let job = scope.submit(|| ran.fetch_add(1, Ordering::SeqCst)).unwrap();
        assert!(job.cancel());
    });
    drop(hold);
    assert_eq!(ran.load(Ordering::SeqCst), 0);
}

/// Scopes nest in jobs, on the pool's only worker.
pub fn scope_in_a_job<F: Fixture>() {
    let fx = F::start(1);
    let pool = fx.pool();
    let job = pool.submit(move || {
        let numbers = [1, 2, 3, 4];
        let (left, right) = numbers.split_at(2);
        pool.scope(|scope| {
            let left = scope.submit(|| left.iter().sum::<u32>()).unwrap();
            let right = scope.submit(|| right.iter().sum::<u32>()).unwrap();
            left.result().unwrap() + right.result().unwrap()
        })
    });
    assert_eq!(job.unwrap().result().unwrap(), 10);
}

/// As many jobs run at the same time as there are workers.
pub fn workers_run_in_parallel<F: Fixture>() {
    let fx = F::start(3);
    let arrived = Gate::new();
    let meet = |_: u32| {
        let arrived = arrived.clone();
        let job = move || {
            arrived.open();
            arrived.wait_for(3);
        };
        fx.pool().submit(job).unwrap()
    };
    for future in [0, 1, 2].map(meet) {
        future.result().unwrap();
    }
}

/// However much is queued, there are no more workers than were asked for. CPython:
/// `ThreadPoolExecutorTest.test_saturation`.
pub fn saturation<F: Fixture>() {
    let fx = F::start(4);
    let (started, release) = (Gate::new(), Gate::new());
    for _ in 0..15 * 4 {
        let (start, held) = (started.clone(), release.clone());
        let job = move || {
            start.open();
            held.wait();
        };
        fx.pool().submit_detached(job).unwrap();
    }
    started.wait_for(4);
    assert_eq!(fx.pool().workers(), 4);
    assert_eq!(started.times(), 4);
    release.open();
    fx.pool().shutdown(true, false).unwrap();
    assert_eq!(started.times(), 15 * 4);
}

/// Jobs that block each have a worker, if there are enough. CPython: interpreter pool,
/// `test_blocking`.
pub fn blocking<F: Fixture>() {
    let fx = F::start(3);
    let (ready, release) = (Gate::new(), Gate::new());
    let futures = [0, 1, 2].map(|n| {
        let (ready, held) = (ready.clone(), release.clone());
        let job = move || {
            ready.open();
            held.wait();
            n
        };
        fx.pool().submit(job).unwrap()
    });
    ready.wait_for(3);
    assert!(futures.iter().all(|future| future.running()));
    release.open();
    assert_eq!(futures.map(|future| future.result().unwrap()), [0, 1, 2]);
}

/// If there are not, the others wait for their turn. CPython: interpreter pool,
/// `test_blocking_with_limited_workers`.
pub fn blocking_with_limited_workers<F: Fixture>() {
    let fx = F::start(2);
    let (ready, release) = (Gate::new(), Gate::new());
    let futures = [0, 1, 2, 3].map(|n| {
        let (ready, held) = (ready.clone(), release.clone());
        let job = move || {
            ready.open();
            held.wait();
            n
        };
        fx.pool().submit(job).unwrap()
    });
    ready.wait_for(2);
    let running = futures.iter().filter(|future| future.running()).count();
    assert_eq!((running, ready.times()), (2, 2));
    release.open();
    assert_eq!(futures.map(|future| future.result().unwrap()), [0, 1, 2, 3]);
}

/// Every job that was accepted from any of several threads runs once, and gives its own result.
pub fn many_threads_submit<F: Fixture>() {
    let fx = F::start(2);
    let pool = fx.pool();
    let runs = Arc::new(AtomicUsize::new(0));
    thread::scope(|scope| {
        for thread in 0..4_usize {
            let runs = Arc::clone(&runs);
            scope.spawn(move || {
                for round in 0..200 {
                    let runs = Arc::clone(&runs);
                    let future = pool
                        .submit_blocking(move || {
                            runs.fetch_add(1, Ordering::Relaxed);
                            thread * 1000 + round
                        })
                        .unwrap();
                    assert_eq!(future.result().unwrap(), thread * 1000 + round);
                }
            });
        }
    });
    assert_eq!(runs.load(Ordering::Relaxed), 800);
}

crate::suite!(executor_tests:
    everywhere [
        submit,
        first_in_first_out,
        through_the_trait,
        through_the_trait_cancel_without_wait,
        through_the_trait_wait_without_cancel,
        of_no_known_type,
        every_way_to_hand_work_in_keeps_the_priority,
        map,
        map_exception,
        map_timeout,
        map_timeout_from_callable,
        map_buffersize,
        map_buffersize_on_multiple_iterables,
        map_buffersize_on_infinite_iterable,
        map_buffersize_on_multiple_infinite_iterables,
        map_buffersize_on_empty_iterable,
        map_buffersize_when_buffer_is_full,
        map_buffersize_value_validation,
        map_has_a_window_by_default,
        map_larger_than_the_pool,
        map_waits_for_room_until_its_time_is_over,
        map_close,
        map_gives_every_result_though_its_source_panics,
        map_calls_its_function_with_every_item_though_a_clone_panics,
        map_submits_without_iteration,
        executor_map_current_future_cancel,
        map_after_shutdown,
        shutdown_race_issue12456,
        no_stale_references,
        free_reference,
        map_from_a_job,
        scope_borrows,
        scope_ends_after_cancel,
        scope_in_a_job,
    ]
    in_parallel [
        workers_run_in_parallel,
        saturation,
        blocking,
        blocking_with_limited_workers,
        many_threads_submit,
    ]
);
