//! The thread pool of the host.

corepool_tests::suites!(dropped corepool_tests::HostThreads);

/// The parts that only the thread pool has. CPython: `test_thread_pool.py`, `test_shutdown.py`.
mod thread_pool_tests {
    use std::{
        cell::RefCell,
        future::Future,
        hint::black_box,
        panic::resume_unwind,
        pin::Pin,
        process::Stdio,
        sync::{Arc, Barrier, Mutex, mpsc::channel},
        task::{Context, Waker},
        thread,
        time::Duration,
    };

    use corepool::{
        BrokenReason, Executor, InitError, JobError, MapOptions, NoWorker, ShutdownError,
        SubmitError,
    };
    use corepool_std::{MAX_STACK_SIZE, ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};
    use corepool_tests::{
        Drops, Gate, LONG, PATIENCE, Recorder, Token, is_child, run_for, run_in_child,
    };
    #[cfg(target_os = "linux")]
    use corepool_tests::{limit_address_space, must_pass_in_child};
    use futures_lite::future::block_on;

    fn pool(max_workers: usize) -> ThreadPool {
        ThreadPool::builder()
            .max_workers(max_workers)
            .build()
            .unwrap()
    }

    /// CPython: `ExecutorTest.test_max_workers_negative`.
    #[test]
    fn max_workers_negative() {
        let built = ThreadPool::builder().max_workers(0).build();
        let error = built.map(drop).unwrap_err();
        assert!(matches!(error, ThreadPoolBuildError::MaxWorkers(0)));
        assert!(error.to_string().contains("max_workers must be 1 to"));
    }

    /// Other options out of bounds are errors, too.
    #[test]
    fn options_out_of_bounds() {
        let builder = ThreadPool::builder;
        let error = |built: Result<ThreadPool, _>| built.map(drop).unwrap_err();
        assert!(matches!(
            error(builder().max_workers(1_001).build()),
            ThreadPoolBuildError::MaxWorkers(1_001)
        ));
        assert!(matches!(
            error(builder().capacity(0).build()),
            ThreadPoolBuildError::Capacity(0)
        ));
        assert!(matches!(
            error(builder().capacity(65_001).build()),
            ThreadPoolBuildError::Capacity(65_001)
        ));
        assert!(matches!(
            error(builder().priorities(0).build()),
            ThreadPoolBuildError::Priorities(0)
        ));
        assert!(matches!(
            error(builder().priorities(17).build()),
            ThreadPoolBuildError::Priorities(17)
        ));
    }

    /// A name that no thread can have is an error before any thread is to have it.
    #[test]
    fn a_nul_in_the_threads_names_is_an_error() {
        let built = ThreadPool::builder().thread_name_prefix("a\0b").build();
        let error = built.map(drop).unwrap_err();
        assert!(matches!(&error, ThreadPoolBuildError::ThreadName(prefix) if prefix == "a\0b"));
        assert!(error.to_string().contains(r#""a\0b""#));
    }

    /// So are stacks that no system can be asked for.
    #[test]
    fn a_stack_size_out_of_bounds_is_an_error() {
        for bytes in [0, MAX_STACK_SIZE + 1, usize::MAX] {
            let built = ThreadPool::builder().stack_size(bytes).build();
            let error = built.map(drop).unwrap_err();
            assert!(matches!(error, ThreadPoolBuildError::StackSize(n) if n == bytes));
        }
        // So that the system can round it up.
        let twice = MAX_STACK_SIZE.checked_mul(2);
        assert!(twice.is_some_and(|bytes| isize::try_from(bytes).is_ok()));
    }

    /// A job's frame does not fit the stack that a thread has by default, and fits this one.
    #[test]
    fn threads_have_the_stack_that_was_asked_for() {
        const BYTES: usize = 32 << 20;
        let pool = ThreadPool::builder()
            .max_workers(1)
            .stack_size(BYTES + (1 << 20))
            .build()
            .unwrap();
        let job = || {
            let mut frame = [0_u8; BYTES];
            for page in frame.chunks_mut(4_096) {
                page[0] = 1;
            }
            black_box(&frame).iter().filter(|&&byte| byte == 1).count()
        };
        assert_eq!(pool.submit(job).unwrap().result().unwrap(), BYTES / 4_096);
    }

    /// CPython: `ThreadPoolExecutorTest.test_default_workers`; asyncio: `test_default_executor`.
    #[test]
    fn default_workers() {
        let cores = thread::available_parallelism().unwrap().get();
        assert_eq!(ThreadPool::new().max_workers(), (cores + 4).min(32));
    }

    /// No thread starts before it is needed.
    #[test]
    fn threads_start_on_demand() {
        let pool = ThreadPool::new();
        assert_eq!(pool.threads_started(), 0);
        pool.submit(|| ()).unwrap().result().unwrap();
        assert_eq!(pool.threads_started(), 1);
    }

    /// Workers that have no core to look for work with come all the same when it is there for each.
    #[test]
    fn as_many_jobs_run_at_a_time_as_there_are_workers() {
        let workers = 8 * thread::available_parallelism().unwrap().get();
        let pool = pool(workers);
        for _ in 0..50 {
            // In between few have anything to do.
            for number in 0..100 {
                assert_eq!(
                    pool.submit(move || number).unwrap().result().unwrap(),
                    number
                );
            }
            let meeting = Arc::new(Barrier::new(workers));
            let jobs: Vec<_> = (0..workers)
                .map(|_| {
                    let meeting = Arc::clone(&meeting);
                    pool.submit(move || meeting.wait()).unwrap()
                })
                .collect();
            let leaders = jobs.into_iter().map(|job| job.result().unwrap());
            assert_eq!(leaders.filter(|leader| leader.is_leader()).count(), 1);
        }
    }

    /// CPython: `ThreadPoolExecutorTest.test_saturation`.
    #[test]
    fn saturation() {
        let pool = pool(4);
        let release = Gate::new();
        for _ in 0..15 * 4 {
            let held = release.clone();
            pool.submit_detached(move || held.wait()).unwrap();
        }
        assert_eq!(pool.threads_started(), 4);
        release.open();
        pool.shutdown(true, false).unwrap();
        assert_eq!(pool.threads_started(), 4);
    }

    /// CPython: `ThreadPoolExecutorTest.test_idle_thread_reuse`.
    #[test]
    fn idle_thread_reuse() {
        let pool = ThreadPool::new();
        assert_eq!(pool.submit(|| 21 * 2).unwrap().result().unwrap(), 42);
        assert_eq!(pool.submit(|| 6 * 7).unwrap().result().unwrap(), 42);
        assert_eq!(pool.submit(|| 3 * 14).unwrap().result().unwrap(), 42);
        assert_eq!(pool.threads_started(), 1);
    }

    /// CPython: `ThreadPoolShutdownTest.test_threads_terminate`. The threads hold the initializer;
    /// when they have ended, nobody does.
    #[test]
    fn threads_terminate() {
        let held = Arc::new(());
        let by_threads = Arc::clone(&held);
        let pool = ThreadPool::builder()
            .max_workers(3)
            .initializer(move || {
                let _ = &by_threads;
                Ok(())
            })
            .build()
            .unwrap();
        let release = Gate::new();
        for _ in 0..3 {
            let held = release.clone();
            pool.submit_detached(move || held.wait()).unwrap();
        }
        assert_eq!(pool.threads_started(), 3);
        release.open();
        drop(pool);
        assert_eq!(Arc::strong_count(&held), 1);
    }

    fn names_of_three(pool: &ThreadPool) -> Vec<String> {
        let met = Gate::new();
        let jobs = [(); 3].map(|()| {
            let met = met.clone();
            let job = move || {
                met.open();
                met.wait_for(3);
                thread::current().name().map(String::from)
            };
            pool.submit(job).unwrap()
        });
        let mut names = jobs.map(|job| job.result().unwrap().unwrap()).to_vec();
        names.sort_unstable();
        names
    }

    /// CPython: `ThreadPoolShutdownTest.test_thread_names_assigned`; interpreter pool:
    /// `test_thread_name_prefix`.
    #[test]
    fn thread_names_assigned() {
        let pool = ThreadPool::builder()
            .max_workers(5)
            .thread_name_prefix("SpecialPool")
            .build()
            .unwrap();
        let names = names_of_three(&pool);
        assert_eq!(names, ["SpecialPool-0", "SpecialPool-1", "SpecialPool-2"]);
    }

    /// The names are those of no other pool. CPython: `ThreadPoolShutdownTest.test_thread_names_default`, whose
    /// names have the number of the pool in them.
    #[test]
    fn thread_names_default() {
        let pools = [pool(5), pool(5)];
        let [one, other] = pools.each_ref().map(|pool| {
            let names = names_of_three(pool);
            let prefix = names[0].strip_suffix("-0").unwrap();
            let number = prefix.strip_prefix("ThreadPool-").unwrap();
            number.parse::<usize>().unwrap();
            assert_eq!(names, [0, 1, 2].map(|thread| format!("{prefix}-{thread}")));
            String::from(prefix)
        });
        assert_ne!(one, other);
    }

    /// Dropping the pool waits for its work, all of which is done. CPython:
    /// `ThreadPoolShutdownTest.test_del_shutdown`.
    #[test]
    fn del_shutdown() {
        let pool = pool(1);
        let release = Gate::new();
        let held = release.clone();
        pool.submit_detached(move || held.wait()).unwrap();
        let runs = Recorder::new();
        for number in 0..10 {
            let runs = runs.clone();
            pool.submit_detached(move || runs.note(number)).unwrap();
        }
        release.open();
        drop(pool);
        assert_eq!(runs.take(), (0..10).collect::<Vec<_>>());
    }

    /// A pool that is dropped by one of its own jobs ends by itself, and does its work before.
    #[test]
    fn dropped_by_its_own_job() {
        run_for(PATIENCE, || {
            let initializer = Arc::new(());
            let by_threads = Arc::clone(&initializer);
            let pool = ThreadPool::builder().max_workers(1).initializer(move || {
                let _ = &by_threads;
                Ok(())
            });
            let pool = Arc::new(pool.build().unwrap());
            let (release, ran) = (Gate::new(), Gate::new());
            let (held, own, runs) = (release.clone(), Arc::clone(&pool), ran.clone());
            pool.submit_detached(move || {
                held.wait();
                drop(own);
            })
            .unwrap();
            pool.submit_detached(move || runs.open()).unwrap();
            drop(pool);
            release.open();
            ran.wait();
            // The thread goes, and the pool with it.
            while Arc::strong_count(&initializer) > 1 {
                thread::yield_now();
            }
        });
    }

    /// The last thing that a thread does when its pool lets it go: it opens a gate, waits at another one, and calls a
    /// function.
    struct LastAct {
        begun: Gate,
        may_end: Gate,
        act: Option<Box<dyn FnOnce() + Send>>,
    }

    impl LastAct {
        /// Sets the last act of each of the pool's `threads` threads.
        fn of_threads(
            pool: &ThreadPool,
            threads: usize,
            act: impl FnOnce() + Clone + Send + 'static,
        ) -> [Gate; 2] {
            let gates = [Gate::new(), Gate::new()];
            let met = Gate::new();
            let jobs = (0..threads).map(|_| {
                let ([begun, may_end], met) = (gates.clone(), met.clone());
                let act: Box<dyn FnOnce() + Send> = Box::new(act.clone());
                let last = Self {
                    begun,
                    may_end,
                    act: Some(act),
                };
                let job = move || {
                    LAST_ACT.set(Some(last));
                    met.open();
                    met.wait_for(threads);
                };
                pool.submit(job).unwrap()
            });
            for job in jobs.collect::<Vec<_>>() {
                job.result().unwrap();
            }
            gates
        }
    }

    impl Drop for LastAct {
        fn drop(&mut self) {
            self.begun.open();
            self.may_end.wait();
            if let Some(act) = self.act.take() {
                act();
            }
        }
    }

    thread_local! {
        static LAST_ACT: RefCell<Option<LastAct>> = const { RefCell::new(None) };
    }

    /// A pool with one thread, which a job holds until the gate is opened.
    fn held_pool(builder: ThreadPoolBuilder) -> (ThreadPool, Gate) {
        let pool = builder.max_workers(1).build().unwrap();
        let (started, release) = (Gate::new(), Gate::new());
        let (start, held) = (started.clone(), release.clone());
        pool.submit_detached(move || {
            start.open();
            held.wait();
        })
        .unwrap();
        started.wait();
        (pool, release)
    }

    /// With `cancel_futures`, what is queued is cancelled at once; without, it is done.
    #[test]
    fn shutdown_cancels_what_is_queued_only_if_it_is_to() {
        run_for(PATIENCE, || {
            let (pool, release) = held_pool(ThreadPool::builder());
            let job = pool.submit(|| 7).unwrap();
            pool.shutdown(false, false).unwrap();
            assert!(!job.done());
            release.open();
            assert_eq!(job.result().unwrap(), 7);

            let (pool, release) = held_pool(ThreadPool::builder());
            let job = pool.submit(|| 7).unwrap();
            pool.shutdown(false, true).unwrap();
            assert!(job.cancelled());
            release.open();
        });
    }

    /// With `wait`, what runs comes to its end. CPython: `ExecutorShutdownTest.test_cancel_futures`.
    #[test]
    fn shutdown_with_wait_cancels_what_is_queued_if_it_is_to() {
        run_for(PATIENCE, || {
            let (pool, release) = held_pool(ThreadPool::builder());
            let cancelled = pool.submit(|| ()).unwrap();
            thread::scope(|scope| {
                let shutdown = scope.spawn(|| pool.shutdown(true, true));
                // The pool's only thread does not run it: it waits for the gate.
                assert!(matches!(cancelled.result(), Err(JobError::Cancelled)));
                assert!(!shutdown.is_finished());
                release.open();
                assert_eq!(shutdown.join().unwrap(), Ok(()));
            });
        });
    }

    /// It says what still runs, it cancels what is queued if it is to, and another call waits for the rest.
    #[test]
    fn shutdown_timeout_cancels_what_is_queued_only_if_it_is_to() {
        const SOON: Duration = Duration::from_millis(1);
        let still_running = Err(ShutdownError::StillRunning {
            jobs: 1,
            workers: 1,
        });
        run_for(PATIENCE, move || {
            let (pool, release) = held_pool(ThreadPool::builder());
            let job = pool.submit(|| 7).unwrap();
            assert_eq!(pool.shutdown_timeout(SOON, false), still_running);
            assert!(!job.done());
            assert!(matches!(pool.submit(|| ()), Err(SubmitError::ShutDown(_))));
            release.open();
            assert_eq!(pool.shutdown_timeout(LONG, false), Ok(()));
            assert_eq!(job.result().unwrap(), 7);

            let (pool, release) = held_pool(ThreadPool::builder());
            let job = pool.submit(|| 7).unwrap();
            assert_eq!(pool.shutdown_timeout(SOON, true), still_running);
            assert!(job.cancelled());
            release.open();
        });
    }

    /// The trait's methods are those of the pool: its shutdown takes the same arguments in the same order.
    #[test]
    fn the_trait_executor_is_the_pools_own_methods() {
        fn shut_down(executor: &impl Executor, wait: bool, cancel_futures: bool) {
            executor.shutdown(wait, cancel_futures).unwrap();
        }
        run_for(PATIENCE, || {
            let (pool, release) = held_pool(ThreadPool::builder());
            let job = Executor::submit(&pool, || 7).unwrap();
            shut_down(&pool, false, true);
            assert!(job.cancelled());
            release.open();

            let pool = ThreadPool::new();
            let job = Executor::submit(&pool, || 7).unwrap();
            let squares = Executor::map(&pool, 1..5_u32, |n| n * n);
            assert_eq!(squares.map(Result::unwrap).sum::<u32>(), 30);
            shut_down(&pool, true, false);
            assert_eq!(job.result().unwrap(), 7);
            assert_eq!(pool.pool_ref().workers(), 0);
        });
    }

    /// Calls `submit` in a job of a pool that is full then, and whose only thread waits there: the job that is queued
    /// makes room.
    fn in_a_full_pool<R: Send + 'static>(
        submit: impl FnOnce(&'static ThreadPool) -> R + Send + 'static,
    ) -> R {
        let pool = ThreadPool::builder().max_workers(1).capacity(2);
        let pool: &'static ThreadPool = Box::leak(Box::new(pool.build().unwrap()));
        let (sender, returned) = channel();
        pool.submit_detached(move || {
            pool.submit_detached(|| ()).unwrap();
            assert!(matches!(pool.submit(|| ()), Err(SubmitError::Full(_))));
            sender.send(submit(pool)).unwrap();
        })
        .unwrap();
        returned.recv_timeout(LONG).unwrap()
    }

    #[test]
    fn submit_blocking_waits_for_room() {
        let submitted = in_a_full_pool(|pool| {
            let job = pool.submit_blocking(|| 7);
            job.map_err(|error| error.map(drop))
        });
        assert_eq!(submitted.unwrap().result().unwrap(), 7);
    }

    #[test]
    fn submit_timeout_waits_for_room() {
        let submitted = in_a_full_pool(|pool| {
            let job = pool.submit_timeout(|| 7, LONG);
            job.map_err(|error| error.map(drop))
        });
        assert_eq!(submitted.unwrap().result().unwrap(), 7);
    }

    /// The job comes back.
    #[test]
    fn submit_timeout_gives_up_when_its_time_is_over() {
        run_for(PATIENCE, || {
            let (pool, release) = held_pool(ThreadPool::builder().capacity(1));
            let refused = pool.submit_timeout(|| 7, Duration::from_millis(1));
            assert!(matches!(refused, Err(SubmitError::Full(job)) if job() == 7));
            release.open();
        });
    }

    /// It submits nothing before there is room, and then it does.
    #[test]
    fn submit_async_waits_for_room() {
        run_for(PATIENCE, || {
            let (pool, release) = held_pool(ThreadPool::builder().capacity(1));
            let mut submit = pool.submit_async(|| 7);
            let mut cx = Context::from_waker(Waker::noop());
            assert!(Pin::new(&mut submit).poll(&mut cx).is_pending());
            release.open();
            assert_eq!(block_on(submit).unwrap().result().unwrap(), 7);
        });
    }

    /// The most urgent job is done first, and there are no more priorities than were asked for.
    #[test]
    fn at_submits_with_a_priority() {
        let (pool, release) = held_pool(ThreadPool::builder().priorities(3));
        let runs = Recorder::new();
        for priority in [1, 0, 2] {
            let runs = runs.clone();
            let job = move || runs.note(priority);
            pool.at(priority).submit_detached(job).unwrap();
        }
        let refused = pool.at(3).submit_detached(|| ());
        assert!(matches!(refused, Err(SubmitError::NoSuchPriority(_))));
        release.open();
        pool.shutdown(true, false).unwrap();
        assert_eq!(runs.take(), [2, 1, 0]);
    }

    /// The job is asked to stop where it runs.
    #[test]
    fn submit_cancellable_gives_the_job_its_token() {
        run_for(PATIENCE, || {
            let pool = pool(1);
            let started = Gate::new();
            let start = started.clone();
            let job = pool.submit_cancellable(move |token| {
                start.open();
                while !token.is_cancelled() {
                    thread::yield_now();
                }
                7
            });
            let job = job.unwrap();
            started.wait();
            assert!(!job.cancel(), "it runs");
            assert_eq!(job.result().unwrap(), 7);
        });
    }

    /// The task awaits what somebody promised.
    #[test]
    fn spawn_runs_a_task() {
        let pool: &'static ThreadPool = Box::leak(Box::new(pool(1)));
        let (promise, awaited) = pool.promise::<u32>().unwrap();
        let task = pool.spawn(async { awaited.await.unwrap() + 1 }).unwrap();
        promise.set_result(6).unwrap();
        assert_eq!(task.result().unwrap(), 7);
    }

    /// Each call is made by one of the pool's threads, and no more of them ahead than the buffer's size.
    #[test]
    fn map_calls_the_function_in_the_pools_threads() {
        let pool = pool(2);
        let here = thread::current().id();
        let squares = pool.map(1..5_u32, move |n| (n * n, thread::current().id() == here));
        let squares: Vec<_> = squares.map(Result::unwrap).collect();
        assert_eq!(squares, [1, 4, 9, 16].map(|square| (square, false)));
        let taken = Gate::new();
        let items = (0..9).inspect(|_| taken.open());
        let options = MapOptions::<4> {
            buffer_size: 3,
            timeout: None,
        };
        let map = pool.map_with(options, items, |n: u32| n).unwrap();
        assert_eq!(taken.times(), 3);
        assert_eq!(map.map(Result::unwrap).sum::<u32>(), 36);
    }

    /// Its jobs borrow, and have ended when it returns.
    #[test]
    fn scope_waits_for_its_jobs() {
        let pool = pool(2);
        let runs = Gate::new();
        pool.scope(|scope| {
            for _ in 0..10 {
                drop(scope.submit(|| runs.open()).unwrap());
            }
        });
        assert_eq!(runs.times(), 10);
    }

    /// No system has room for such a stack, so each thread is refused.
    fn pool_without_threads() -> ThreadPool {
        let pool = ThreadPool::builder().stack_size(MAX_STACK_SIZE);
        pool.build().unwrap()
    }

    /// The submit that wanted the thread fails with the system's text, and the pool is as before.
    #[test]
    fn a_refused_thread_fails_the_submit_with_the_systems_text() {
        let pool = pool_without_threads();
        let called = Gate::new();
        let (_promise, mut unharmed) = pool.promise::<()>().unwrap();
        let call = called.clone();
        unharmed.add_done_callback(move |_| call.open()).unwrap();
        let error = pool.submit(|| 7).map(drop).unwrap_err();
        let SubmitError::NoWorker(job, NoWorker(reason)) = error else {
            panic!("not refused for its thread: {error}");
        };
        let beginning = "cannot start a worker thread: ";
        assert!(reason.starts_with(beginning) && reason.len() > beginning.len());
        assert_eq!(job(), 7);
        let again = pool.submit(|| 7).map(drop).unwrap_err();
        assert!(matches!(again, SubmitError::NoWorker(..)));
        assert_eq!((pool.threads_started(), called.times()), (0, 0));
        assert_eq!(pool.pool_ref().broken_reason(), None);
        // One of the promise, one of its callback.
        assert_eq!(pool.pool_ref().free_slots(), pool.pool_ref().capacity() - 2);
    }

    /// A destructor of what is refused may use the pool, and end it.
    #[test]
    fn what_is_refused_may_end_the_pool() {
        struct Ends(&'static ThreadPool);
        impl Drop for Ends {
            fn drop(&mut self) {
                self.0.submit(|| ()).map(drop).unwrap_err();
                self.0.shutdown(true, false).unwrap();
            }
        }
        run_for(PATIENCE, || {
            let pool: &'static ThreadPool = Box::leak(Box::new(pool_without_threads()));
            let ends = Ends(pool);
            assert!(pool.submit_detached(move || drop(ends)).is_err());
            let ended = pool.submit(|| ()).map(drop).unwrap_err();
            assert!(matches!(ended, SubmitError::ShutDown(_)));
        });
    }

    /// Where threads are refused for a while: the first submit fails, the next ones try again. A job for which no
    /// second thread comes waits for the first.
    #[cfg(target_os = "linux")]
    #[test]
    fn each_submit_tries_again_to_start_a_thread() {
        const NAME: &str = "thread_pool_tests::each_submit_tries_again_to_start_a_thread";
        if !is_child() {
            return must_pass_in_child(NAME);
        }
        let pool = ThreadPool::builder().stack_size(64 << 20).build().unwrap();
        limit_address_space(Some(16 << 20));
        let refused = pool.submit(|| 1).map(drop);
        limit_address_space(None);
        assert!(matches!(refused, Err(SubmitError::NoWorker(..))));
        assert_eq!(pool.submit(|| 2).unwrap().result().unwrap(), 2);
        let (started, release) = (Gate::new(), Gate::new());
        let (start, held) = (started.clone(), release.clone());
        let busy = pool.submit(move || {
            start.open();
            held.wait();
        });
        started.wait();
        limit_address_space(Some(16 << 20));
        let waits = pool.submit(|| 3).unwrap();
        assert_eq!(pool.threads_started(), 1);
        limit_address_space(None);
        assert_eq!(pool.submit(|| 4).unwrap().result().unwrap(), 4);
        assert_eq!(pool.threads_started(), 2);
        release.open();
        assert_eq!(waits.result().unwrap(), 3);
        busy.unwrap().result().unwrap();
    }

    /// A promise is no work: no thread is started for it.
    #[test]
    fn outstanding_promises_start_no_thread() {
        let pool = ThreadPool::new();
        let promises = [(); 6].map(|()| pool.promise::<()>().unwrap());
        for number in 0..20 {
            let job = pool.submit(move || number).unwrap();
            assert_eq!(job.result().unwrap(), number);
        }
        assert_eq!(pool.threads_started(), 1);
        drop(promises);
    }

    /// A thread whose job waits does not count as one that will take the next, and the one beside it does.
    #[test]
    fn one_thread_is_started_beside_one_that_waits() {
        let pool: &'static ThreadPool = Box::leak(Box::new(ThreadPool::new()));
        let (promise, awaited) = pool.promise::<u32>().unwrap();
        let started = Gate::new();
        let start = started.clone();
        let waits = pool.submit(move || {
            start.open();
            awaited.result().unwrap()
        });
        started.wait();
        for number in 0..20 {
            let job = pool.submit(move || number).unwrap();
            assert_eq!(job.result().unwrap(), number);
        }
        assert_eq!(pool.threads_started(), 2);
        promise.set_result(7).unwrap();
        assert_eq!(waits.unwrap().result().unwrap(), 7);
        pool.shutdown(true, false).unwrap();
    }

    /// The threads have ended with the destructors of their locals, for each of those who wait.
    #[test]
    fn each_caller_of_shutdown_waits_for_the_threads_end() {
        let pool = pool(1);
        let ended = Gate::new();
        let end = ended.clone();
        let [begun, may_end] = LastAct::of_threads(&pool, 1, move || end.open());
        thread::scope(|scope| {
            let callers = [(); 3].map(|()| {
                scope.spawn(|| {
                    pool.shutdown(true, false).unwrap();
                    assert!(ended.is_open());
                })
            });
            begun.wait();
            // The work is done, the thread is not: a wait with a limit says so.
            assert_eq!(
                pool.shutdown_timeout(Duration::from_millis(1), false),
                Err(ShutdownError::StillRunning {
                    jobs: 0,
                    workers: 1
                })
            );
            may_end.open();
            assert_eq!(pool.shutdown_timeout(LONG, false), Ok(()));
            assert!(ended.is_open());
            for caller in callers {
                caller.join().unwrap();
            }
        });
    }

    /// A thread of the pool does not wait for its own end, nor for that of another one, which may wait for it.
    #[test]
    fn a_pools_thread_is_told_that_it_would_wait_for_itself() {
        run_for(PATIENCE, || {
            let pool: &'static ThreadPool = Box::leak(Box::new(pool(2)));
            let told = Recorder::new();
            let notes = told.clone();
            let [begun, may_end] = LastAct::of_threads(pool, 2, move || {
                notes.note(pool.shutdown(true, false));
                notes.note(pool.shutdown_timeout(LONG, false));
            });
            pool.shutdown(false, false).unwrap();
            begun.wait_for(2);
            may_end.open();
            pool.shutdown(true, false).unwrap();
            assert_eq!(told.take(), [Err(ShutdownError::WouldDeadlock); 4]);
        });
    }

    /// Nor does it wait for a job of another one, which may wait for it, too.
    #[test]
    fn a_pools_thread_that_ends_does_not_wait_for_a_job() {
        run_for(PATIENCE, || {
            let pool: &'static ThreadPool = Box::leak(Box::new(pool(2)));
            let (told, release) = (Recorder::new(), Gate::new());
            let (notes, end) = (told.clone(), release.clone());
            let [_, may_end] = LastAct::of_threads(pool, 2, move || {
                notes.note(pool.shutdown(true, false));
                end.open();
            });
            may_end.open();
            let job = pool.submit(move || release.wait()).unwrap();
            pool.shutdown(false, false).unwrap();
            // The other thread has nothing to do, and ends.
            job.result().unwrap();
            pool.shutdown(true, false).unwrap();
            assert_eq!(told.take(), [Err(ShutdownError::WouldDeadlock); 2]);
        });
    }

    /// A pool whose last owner is a thread-local of its own thread is dropped there, when the thread ends.
    #[test]
    fn dropped_by_a_thread_local_of_its_own_thread() {
        run_for(PATIENCE, || {
            let pool = Arc::new(pool(1));
            let dropped = Gate::new();
            let (own, end) = (Arc::downgrade(&pool), dropped.clone());
            let held = Mutex::new(None);
            let held = Arc::new(held);
            let owner = Arc::clone(&held);
            let [begun, may_end] = LastAct::of_threads(&pool, 1, move || {
                drop(owner.lock().unwrap().take());
                assert!(own.upgrade().is_none());
                end.open();
            });
            pool.shutdown(false, false).unwrap();
            begun.wait();
            *held.lock().unwrap() = Some(pool);
            may_end.open();
            dropped.wait();
        });
    }

    /// An initializer that panics breaks the pool like one that fails, with the panic's text.
    #[test]
    fn initializer_panics() {
        let pool = ThreadPool::builder()
            .max_workers(1)
            .initializer(|| resume_unwind(Box::new("doh!")))
            .build()
            .unwrap();
        let reason = match pool.submit(|| 1).map(corepool::JobFuture::result) {
            Ok(Err(JobError::Broken(reason))) | Err(SubmitError::Broken(_, reason)) => reason,
            other => panic!("the pool is not broken: {other:?}"),
        };
        let text = "the initializer panicked: doh!";
        assert_eq!(reason, BrokenReason::Initializer(InitError(text)));
    }

    /// The initializer goes with the pool. A panic of its destructor ends there.
    #[test]
    fn an_initializer_that_panics_when_dropped_harms_nobody() {
        struct Bomb(Gate);
        impl Drop for Bomb {
            fn drop(&mut self) {
                self.0.open();
                resume_unwind(Box::new("doh!"));
            }
        }
        let dropped = Gate::new();
        let bomb = Bomb(dropped.clone());
        let pool = ThreadPool::builder().initializer(move || {
            let _ = &bomb;
            Ok(())
        });
        drop(pool.build().unwrap());
        assert!(dropped.is_open());
    }

    /// CPython: `FutureTests.test_done_callback_raises`, what it logs.
    #[test]
    fn an_unobserved_failure_is_told_on_standard_error() {
        if is_child() {
            let pool = pool(1);
            pool.submit_detached(|| resume_unwind(Box::new("out of paper")))
                .unwrap();
            return pool.shutdown(true, false).unwrap();
        }
        let name = "thread_pool_tests::an_unobserved_failure_is_told_on_standard_error";
        let output = run_in_child(name, Stdio::piped());
        assert!(output.status.success());
        let stderr = String::from_utf8(output.stderr).unwrap();
        let told = "corepool: a job or callback panicked, and nobody asked: out of paper\n";
        assert!(stderr.contains(told), "{stderr}");
    }

    /// Standard error takes nothing more: the report is lost, and the worker goes on.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_standard_error_costs_no_worker() {
        if is_child() {
            let pool = pool(1);
            pool.submit_detached(|| resume_unwind(Box::new("out of paper")))
                .unwrap();
            assert_eq!(pool.submit(|| 7).unwrap().result().unwrap(), 7);
            return;
        }
        let full = std::fs::File::options()
            .write(true)
            .open("/dev/full")
            .unwrap();
        let name = "thread_pool_tests::a_full_standard_error_costs_no_worker";
        assert!(run_in_child(name, full.into()).status.success());
    }

    /// Nobody asks for the failure, and its payload panics when it is dropped.
    #[test]
    fn a_payload_that_panics_when_dropped_costs_no_worker() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                resume_unwind(Box::new(Bomb));
            }
        }
        let pool = pool(1);
        pool.submit_detached(|| resume_unwind(Box::new(Bomb)))
            .unwrap();
        assert_eq!(pool.submit(|| 7).unwrap().result().unwrap(), 7);
    }

    /// A value that does not fit a slot, by size or by alignment.
    #[repr(align(64))]
    struct Large {
        bytes: [u8; 500],
        _token: Token,
    }

    fn large(drops: Drops) -> Large {
        Large {
            bytes: [7; 500],
            _token: drops.token(),
        }
    }

    /// Jobs and results of any size and alignment: each is dropped once, on every path.
    #[test]
    fn large_jobs_are_boxed_and_dropped_once() {
        let drops = Drops::new();
        let pool = pool(1);
        let job = |drops| {
            let captured = large(drops);
            move || {
                assert_eq!((&raw const captured).addr() % 64, 0);
                assert_eq!(captured.bytes, [7; 500]);
                captured
            }
        };
        // Run and taken.
        let result = pool.submit(job(drops)).unwrap().result().unwrap();
        assert_eq!(result.bytes, [7; 500]);
        assert_eq!(drops.dropped(), 0);
        drop(result);
        assert_eq!(drops.dropped(), 1);
        // Run, and the handle dropped after.
        let mut future = pool.submit(job(drops)).unwrap();
        assert!(future.error().is_none());
        drop(future);
        assert_eq!(drops.dropped(), 2);
        // Seen by a callback.
        let release = Gate::new();
        let held = release.clone();
        let mut future = pool
            .submit(move || {
                held.wait();
                large(drops)
            })
            .unwrap();
        future
            .add_done_callback(|outcome| assert_eq!(outcome.unwrap().bytes, [7; 500]))
            .unwrap();
        release.open();
        drop(future.result().unwrap());
        assert_eq!(drops.dropped(), 3);
        // Panicked.
        let captured = large(drops);
        let job_that_panics = move || -> Large {
            let _captured = captured;
            resume_unwind(Box::new("doh!"))
        };
        assert!(pool.submit(job_that_panics).unwrap().result().is_err());
        assert_eq!(drops.dropped(), 4);
        // Cancelled; detached.
        let (started, release) = (Gate::new(), Gate::new());
        let (start, held) = (started.clone(), release.clone());
        pool.submit_detached(move || {
            start.open();
            held.wait();
        })
        .unwrap();
        started.wait();
        assert!(pool.submit(job(drops)).unwrap().cancel());
        assert_eq!(drops.dropped(), 5);
        drop(pool.submit(job(drops)).unwrap());
        release.open();
        pool.shutdown(true, false).unwrap();
        assert_eq!(drops.dropped(), 6);
        // Refused.
        let refused = pool.submit(job(drops)).unwrap_err();
        drop(refused.into_inner()());
        assert_eq!((drops.made(), drops.dropped()), (7, 7));
    }
}
