//! A static pool, on threads that park.

corepool_tests::suites!(dropped corepool_tests::StaticThreads);

/// The tests of a static pool's own workers, port and memory.
mod static_pool_tests {
    use std::{
        future::Future,
        panic::{catch_unwind, resume_unwind},
        pin::pin,
        sync::{
            Mutex,
            mpsc::{Receiver, channel},
        },
        task::{Context, Waker},
        thread,
        time::Duration,
    };

    use corepool::{
        BrokenReason, ContextId, FutureSet, InitError, JobError, JobId, LossReason, MapError,
        MapOptions, NoWorker, OnLoss, Panic, Parker, Port, ReturnWhen, RunError, ShutdownError,
        SpinWorker, StaticPool, SubmitError, WaitError, Worker, WorkerId, as_completed, wait,
    };
    use corepool_std::{
        HostPort, PanicExt, StartError, Workers, run_workers, run_workers_with, to_thread_in,
    };
    use corepool_tests::{Drops, Gate, LONG, TellsOfParking};
    #[cfg(target_os = "linux")]
    use corepool_tests::{is_child, limit_address_space, must_pass_in_child};
    use futures_lite::future::block_on;

    /// CPython: `ExecutorTest.test_max_workers_negative`.
    #[test]
    fn max_workers_negative() {
        static POOL: StaticPool<4, 32, 1, 2> = StaticPool::new();
        let refused = run_workers(&POOL, 0).unwrap_err();
        assert!(matches!(refused, StartError::NoWorkers));
        let refused = run_workers(&POOL, 3).unwrap_err();
        let StartError::TooManyWorkers { asked: 3, free: 2 } = refused else {
            panic!("{refused}");
        };
        assert_eq!(
            refused.to_string(),
            "3 workers are too many: the pool has 2 free places: raise its WORKERS"
        );
    }

    /// So each of several tests can lend its own workers to one pool in a `static`.
    #[test]
    fn a_pool_whose_workers_have_left_stays_in_service() {
        static POOL: StaticPool<4, 64> = StaticPool::new();
        for n in 0..3 {
            let workers = run_workers(&POOL, 2).unwrap();
            assert_eq!(POOL.submit(move || n).unwrap().result().unwrap(), n);
            drop(workers);
            assert_eq!(POOL.workers(), 0);
        }
        assert!(!POOL.is_shut_down());
    }

    #[test]
    fn run_workers_on_a_pool_that_is_shut_down_is_an_error() {
        static POOL: StaticPool<4, 64> = StaticPool::new();
        POOL.shutdown(true, false).unwrap();
        let refused = run_workers(&POOL, 1).unwrap_err();
        assert!(matches!(refused, StartError::ShutDown), "{refused}");
    }

    #[test]
    fn run_workers_on_a_broken_pool_is_an_error_with_the_reason() {
        static POOL: StaticPool<4, 64> = StaticPool::new();
        POOL.break_pool("out of power");
        let refused = run_workers(&POOL, 1).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the pool is broken, for good: out of power"
        );
    }

    #[test]
    fn workers_that_are_sent_away_run_what_is_queued_first() {
        static POOL: StaticPool<8, 64> = StaticPool::new();
        let workers = run_workers(&POOL, 1).unwrap();
        let runs = Gate::new();
        for _ in 0..7 {
            let run = runs.clone();
            POOL.submit_detached(move || run.open()).unwrap();
        }
        drop(workers);
        assert_eq!(runs.times(), 7);
    }

    /// It waits in the pool meanwhile, and keeps no worker there.
    #[test]
    fn a_suspended_task_goes_on_with_the_next_workers() {
        static POOL: StaticPool<4, 64> = StaticPool::new();
        let (promise, future) = POOL.promise::<u32>().unwrap();
        let (started, is_started) = channel();
        let first = run_workers(&POOL, 1).unwrap();
        let task = POOL.spawn(async move {
            started.send(()).unwrap();
            future.await.unwrap()
        });
        is_started.recv().unwrap();
        drop(first);
        promise.set_result(7).unwrap();
        let next = run_workers(&POOL, 1).unwrap();
        assert_eq!(task.unwrap().result().unwrap(), 7);
        drop(next);
    }

    #[test]
    fn workers_of_a_pool_that_is_shut_down_stay_until_its_tasks_have_ended() {
        static POOL: StaticPool<4, 64> = StaticPool::new();
        let (promise, future) = POOL.promise::<u32>().unwrap();
        let workers = run_workers(&POOL, 1).unwrap();
        let (started, is_started) = channel();
        let task = POOL.spawn(async move {
            started.send(()).unwrap();
            future.await.unwrap()
        });
        is_started.recv().unwrap();
        POOL.shutdown(false, false).unwrap();
        thread::scope(|scope| {
            scope.spawn(|| {
                drop(workers);
                assert!(task.unwrap().done());
            });
            // Workers that leave too early have time to do so.
            let mut looks = 0..10_000;
            while POOL.workers() > 0 && looks.next().is_some() {
                thread::yield_now();
            }
            promise.set_result(7).unwrap();
        });
    }

    #[test]
    fn workers_that_are_sent_away_leave_those_of_other_guards() {
        static POOL: StaticPool<4, 64> = StaticPool::new();
        let guards = [1, 2].map(|count| run_workers(&POOL, count).unwrap());
        assert_eq!(POOL.workers(), 3);
        let [one, two] = guards;
        drop(two);
        assert_eq!(POOL.workers(), 1);
        assert_eq!(POOL.submit(|| 7).unwrap().result().unwrap(), 7);
        drop(one);
    }

    #[test]
    fn a_pool_runs_the_callers_in_its_jobs_and_no_others() {
        static POOL: StaticPool<4, 64> = StaticPool::new();
        static OTHER: StaticPool<4, 64> = StaticPool::new();
        let ask = || POOL.pool_ref().runs_caller();
        let without_a_port = POOL.submit(ask).unwrap();
        assert_eq!(POOL.run_pending(1), 1);
        assert!(!without_a_port.result().unwrap());
        POOL.install(&HostPort);
        let by_a_guest = POOL.submit(ask).unwrap();
        assert_eq!(POOL.run_pending(1), 1);
        assert!(by_a_guest.result().unwrap());
        let workers = [&POOL, &OTHER].map(|pool| run_workers(pool, 1).unwrap());
        assert!(POOL.submit(ask).unwrap().result().unwrap());
        assert!(!OTHER.submit(ask).unwrap().result().unwrap());
        assert!(!ask());
        drop(workers);
    }

    /// A worker of this pool joins slowly: it asks the port for its context meanwhile.
    #[test]
    fn workers_whose_places_others_have_taken_meanwhile_are_an_error() {
        static POOL: StaticPool<4, 64, 1, 1> = StaticPool::new();
        static PORT: SlowToJoin = SlowToJoin(Mutex::new(None));
        let (joins, is_joining) = (Gate::new(), Gate::new());
        *PORT.0.lock().unwrap() = Some((is_joining.clone(), joins.clone()));
        POOL.install(&PORT);
        thread::scope(|scope| {
            let slow = scope.spawn(|| run_workers_with(POOL.pool_ref(), "slow", 1, |_| Ok(())));
            is_joining.wait();
            let workers = run_workers(&POOL, 1).unwrap();
            joins.open();
            let refused = slow.join().unwrap().unwrap_err();
            assert!(
                matches!(refused, StartError::TooManyWorkers { asked: 1, free: 0 }),
                "{refused}"
            );
            assert_eq!(POOL.submit(|| 7).unwrap().result().unwrap(), 7);
            drop(workers);
        });
    }

    /// Where it panics, a job may wait for the caller. The threads end by themselves.
    #[test]
    fn a_thread_that_panics_does_not_wait_for_its_workers() {
        static POOL: StaticPool<4, 64> = StaticPool::new();
        let release = Gate::new();
        let held = release.clone();
        let panicked = catch_unwind(move || {
            let _workers = run_workers(&POOL, 1).unwrap();
            POOL.submit_detached(move || held.wait()).unwrap();
            resume_unwind(Box::new("doh!"));
        });
        assert!(panicked.is_err());
        release.open();
        assert_eq!(POOL.shutdown_timeout(LONG, false), Ok(()));
    }

    /// Holds up a worker of a thread named `slow-0` that joins.
    struct SlowToJoin(Mutex<Option<(Gate, Gate)>>);

    // SAFETY: contexts are those of the host's port, and no panic is caught.
    unsafe impl Port for SlowToJoin {
        fn context(&self) -> ContextId {
            if thread::current().name() == Some("slow-0")
                && let Some((is_joining, joins)) = self.0.lock().unwrap().take()
            {
                is_joining.open();
                joins.wait();
            }
            HostPort.context()
        }

        fn now(&self) -> Option<Duration> {
            HostPort.now()
        }

        fn with_parker(&self, f: &mut dyn FnMut(&dyn Parker)) {
            HostPort.with_parker(f);
        }
    }

    /// A name that no thread can have is an error, and the pool is as before.
    #[test]
    fn a_nul_in_the_threads_names_is_an_error() {
        static POOL: StaticPool<4, 32> = StaticPool::new();
        let refused = run_workers_with(POOL.pool_ref(), "a\0b", 1, |_| Ok(())).unwrap_err();
        assert!(matches!(&refused, StartError::ThreadName(prefix) if prefix == "a\0b"));
        let workers = run_workers(&POOL, 1).unwrap();
        assert_eq!(POOL.submit(|| 7).unwrap().result().unwrap(), 7);
        drop(workers);
    }

    /// A job that drops its own pool's workers does not wait for them; they end when the work is done.
    #[test]
    fn workers_dropped_by_a_job_end_by_themselves() {
        static POOL: StaticPool<4, 64> = StaticPool::new();
        let workers = run_workers(&POOL, 2).unwrap();
        let mut job = POOL.submit(move || drop(workers)).unwrap();
        job.result_timeout(LONG).unwrap();
        while POOL.workers() > 0 {
            thread::yield_now();
        }
        assert!(!POOL.is_shut_down());
    }

    /// So does a job that another context runs: one of the workers may wait for it.
    #[test]
    fn workers_dropped_by_a_job_elsewhere_are_not_waited_for() {
        static POOL: StaticPool<4, 64> = StaticPool::new();
        let workers = run_workers(&POOL, 1).unwrap();
        let (started, release) = (Gate::new(), Gate::new());
        let (start, held) = (started.clone(), release.clone());
        let busy = POOL.submit(move || {
            start.open();
            held.wait();
        });
        started.wait();
        let drops = POOL.submit(move || drop(workers)).unwrap();
        assert_eq!(POOL.run_pending(1), 1);
        drops.result().unwrap();
        release.open();
        busy.unwrap().result().unwrap();
    }

    /// The system refuses one of the threads: those that were started go, and the pool is as before.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_refused_thread_fails_run_workers_and_the_next_call_starts_all() {
        const NAME: &str = "static_pool_tests::\
                            a_refused_thread_fails_run_workers_and_the_next_call_starts_all";
        static POOL: StaticPool<4, 64, 1, 64> = StaticPool::new();
        if !is_child() {
            return must_pass_in_child(NAME);
        }
        // Room for some of them.
        limit_address_space(Some(40 << 20));
        let hook_runs = Gate::new();
        let hook = hook_runs.clone();
        let refused = run_workers_with(POOL.pool_ref(), "refused", 64, move |_| {
            hook.open();
            Ok(())
        });
        limit_address_space(None);
        let error = refused.unwrap_err();
        assert!(matches!(error, StartError::Spawn(_)), "{error}");
        assert_eq!((hook_runs.times(), POOL.workers()), (0, 0));
        assert!(!POOL.is_shut_down());
        let workers = run_workers(&POOL, 64).unwrap();
        assert_eq!(POOL.submit(|| 7).unwrap().result().unwrap(), 7);
        drop(workers);
    }

    /// An async caller runs no jobs, whatever pools its set is of.
    #[test]
    fn a_poll_for_the_next_of_several_pools_runs_no_job() {
        static ONE: StaticPool<4, 32> = StaticPool::new();
        static OTHER: StaticPool<4, 32> = StaticPool::new();
        let futures = [ONE.submit(|| 1).unwrap(), OTHER.submit(|| 2).unwrap()];
        let mut set = as_completed(FutureSet::<'_, u32, 2>::from_iter(futures), None);
        let mut cx = Context::from_waker(Waker::noop());
        assert!(pin!(set.next_done()).poll(&mut cx).is_pending());
        assert_eq!((ONE.unfinished(), OTHER.unfinished()), (1, 1));
    }

    /// Neither pool has a worker: the caller runs the jobs of both.
    #[test]
    fn a_set_of_several_pools_without_workers_ends() {
        static ONE: StaticPool<4, 32> = StaticPool::new();
        static OTHER: StaticPool<4, 32> = StaticPool::new();
        let mut futures = [ONE.submit(|| 1).unwrap(), OTHER.submit(|| 2).unwrap()];
        let waited = wait(&mut futures, None, ReturnWhen::AllCompleted).unwrap();
        assert_eq!(waited.done.len(), 2);

        let futures = [ONE.submit(|| 3).unwrap(), OTHER.submit(|| 4).unwrap()];
        let completed = as_completed(FutureSet::<'_, u32, 2>::from_iter(futures), None);
        let results = completed.map(|future| future.unwrap().result().unwrap());
        assert_eq!(results.sum::<u32>(), 7);
    }

    /// Nobody but the canceller is there to tell the caller of `shutdown` that the last task is gone.
    #[test]
    fn shutdown_without_workers_ends_with_the_last_task() {
        static PORT: TellsOfParking = TellsOfParking::new(false);
        static POOL: StaticPool<4, 64> = StaticPool::new();
        POOL.install(&PORT);
        let (promise, never) = POOL.promise::<()>().unwrap();
        let task = POOL.spawn(never).unwrap();
        assert_eq!(POOL.run_pending(1), 1);
        thread::scope(|scope| {
            let shutdown = scope.spawn(|| POOL.shutdown(true, false));
            PORT.parking().wait();
            assert!(task.cancel());
            assert_eq!(shutdown.join().unwrap(), Ok(()));
        });
        drop(promise);
    }

    /// Where every place for those who wait is taken, it is told so.
    #[test]
    fn shutdown_without_a_place_to_wait_is_an_error() {
        static POOL: StaticPool<4, 64, 1, 1, 1> = StaticPool::new();
        let (promise, never) = POOL.promise::<()>().unwrap();
        let mut set = as_completed(FutureSet::<'_, _, 1>::from_iter([never]), None);
        let next = std::pin::pin!(set.next_done());
        let mut cx = Context::from_waker(Waker::noop());
        assert!(next.poll(&mut cx).is_pending());

        let (started, release) = (Gate::new(), Gate::new());
        let (start, held) = (started.clone(), release.clone());
        let job = move || {
            start.open();
            held.wait();
        };
        POOL.submit_detached(job).unwrap();
        let workers = run_workers(&POOL, 1).unwrap();
        started.wait();
        assert_eq!(
            POOL.shutdown(true, false),
            Err(ShutdownError::TooManyWaiters)
        );
        release.open();
        drop((workers, promise));
    }

    /// Shuts its pool down as soon as work was queued for which nobody sleeps.
    struct ShutsDown(&'static StaticPool<4, 64>);

    // SAFETY: contexts are those of the host's port, and no panic is caught.
    unsafe impl Port for ShutsDown {
        fn context(&self) -> ContextId {
            HostPort.context()
        }

        fn now(&self) -> Option<Duration> {
            HostPort.now()
        }

        fn with_parker(&self, f: &mut dyn FnMut(&dyn Parker)) {
            HostPort.with_parker(f);
        }

        fn no_idle_worker(&self) -> Result<(), NoWorker> {
            self.0.shutdown(false, false).unwrap();
            Ok(())
        }
    }

    /// The pool ends while a job is being submitted, after it was queued: nobody might come for it, so
    /// it is taken back, and its slot with it.
    #[test]
    fn submit_that_the_shutdown_overtakes_gives_the_job_back() {
        static POOL: StaticPool<4, 64> = StaticPool::new();
        static PORT: ShutsDown = ShutsDown(&POOL);
        POOL.install(&PORT);
        let Err(SubmitError::ShutDown(job)) = POOL.submit(|| 7) else {
            panic!("a pool that was shut down took a job");
        };
        assert_eq!(job(), 7);
        assert_eq!(POOL.free_slots(), POOL.capacity());
    }

    /// Has no worker to start.
    struct StartsNone;

    const NONE: NoWorker = NoWorker("as asked for");

    // SAFETY: contexts are those of the host's port, and no panic is caught.
    unsafe impl Port for StartsNone {
        fn context(&self) -> ContextId {
            HostPort.context()
        }

        fn now(&self) -> Option<Duration> {
            HostPort.now()
        }

        fn with_parker(&self, f: &mut dyn FnMut(&dyn Parker)) {
            HostPort.with_parker(f);
        }

        fn no_idle_worker(&self) -> Result<(), NoWorker> {
            Err(NONE)
        }
    }

    /// Whatever submits says that no worker can be started, and gives back what it was given.
    #[test]
    fn a_submit_for_which_no_worker_can_be_started_fails_with_the_ports_reason() {
        static POOL: StaticPool<4, 64> = StaticPool::new();
        assert!(POOL.install(&StartsNone));
        let (promise, mut unharmed) = POOL.promise().unwrap();
        let error = POOL.submit(|| 7).map(drop).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the pool has no worker, and could not start one: try again later: as asked for"
        );
        assert!(matches!(error, SubmitError::NoWorker(job, NONE) if job() == 7));
        let error = POOL.submit_blocking(|| 7).map(drop).unwrap_err();
        assert!(matches!(error, SubmitError::NoWorker(_, NONE)));
        let error = POOL.submit_timeout(|| 7, LONG).map(drop).unwrap_err();
        assert!(matches!(error, SubmitError::NoWorker(_, NONE)));
        let error = block_on(POOL.submit_async(|| 7)).map(drop).unwrap_err();
        assert!(matches!(error, SubmitError::NoWorker(_, NONE)));
        let error = POOL.spawn(async { 7 }).map(drop).unwrap_err();
        assert!(matches!(error, SubmitError::NoWorker(_, NONE)));
        let error = POOL.scope(|scope| scope.submit(|| 7).map(drop).unwrap_err().map(drop));
        assert!(matches!(error, SubmitError::NoWorker((), NONE)));
        let mut results = POOL.map(0..2, |n: u32| n);
        assert!(matches!(
            results.next(),
            Some(Err(JobError::NoWorker(NONE)))
        ));
        drop(results);
        let error = block_on(to_thread_in(POOL.pool_ref(), || 7)).unwrap_err();
        assert!(matches!(error, JobError::NoWorker(NONE)));
        // Nothing else has changed.
        assert_eq!(POOL.free_slots(), POOL.capacity() - 1);
        assert_eq!(POOL.broken_reason(), None);
        assert!(!unharmed.done());
        promise.set_result(7).unwrap();
        assert_eq!(unharmed.try_result().unwrap().unwrap(), 7);
    }

    /// A job that a worker has begun is not taken back, and its submit succeeds.
    #[test]
    fn a_job_that_was_begun_meanwhile_is_not_refused() {
        struct RunsIt(&'static StaticPool<4, 64>);
        // SAFETY: contexts are those of the host's port, and no panic is caught.
        unsafe impl Port for RunsIt {
            fn context(&self) -> ContextId {
                HostPort.context()
            }

            fn now(&self) -> Option<Duration> {
                HostPort.now()
            }

            fn with_parker(&self, f: &mut dyn FnMut(&dyn Parker)) {
                HostPort.with_parker(f);
            }

            fn no_idle_worker(&self) -> Result<(), NoWorker> {
                assert_eq!(self.0.run_pending(1), 1);
                Err(NONE)
            }
        }
        static POOL: StaticPool<4, 64> = StaticPool::new();
        static PORT: RunsIt = RunsIt(&POOL);
        assert!(POOL.install(&PORT));
        assert_eq!(POOL.submit(|| 7).unwrap().result().unwrap(), 7);
    }

    /// The number by which a port starts workers on demand.
    #[test]
    fn a_worker_is_wanted_for_each_queued_job_and_for_each_stack_with_jobs() {
        static POOL: StaticPool<8, 64> = StaticPool::new();
        let pool = POOL.pool_ref();
        let (_promise, _never) = POOL.promise::<()>().unwrap();
        assert_eq!(pool.workers_wanted(), 0);
        let jobs = [(); 2].map(|()| POOL.submit(|| ()).unwrap());
        assert_eq!(pool.workers_wanted(), 2);
        let [done, cancelled] = jobs;
        assert!(cancelled.cancel());
        assert_eq!(pool.workers_wanted(), 1);
        let workers = run_workers(&POOL, 1).unwrap();
        done.result().unwrap();
        // One job waits for another, on the same stack.
        let wanted = POOL.submit(move || {
            let inner = POOL.submit(move || pool.workers_wanted()).unwrap();
            (pool.workers_wanted(), inner.result().unwrap())
        });
        assert_eq!(wanted.unwrap().result().unwrap(), (2, 1));
        drop(workers);
        assert_eq!(pool.workers_wanted(), 0);
    }

    /// A worker for which the pool has no place is told so.
    #[test]
    fn one_worker_too_many() {
        static POOL: StaticPool<4, 32, 1, 1> = StaticPool::new();
        let workers = run_workers(&POOL, 1).unwrap();
        POOL.submit(|| ()).unwrap().result().unwrap();
        assert_eq!(POOL.run(&SpinWorker), Err(RunError::TooManyWorkers));
        drop(workers);
    }

    /// The names are those of no other pool. CPython: `ThreadPoolShutdownTest.test_thread_names_default`.
    #[test]
    fn thread_names_default() {
        static POOL: StaticPool<4, 64> = StaticPool::new();
        static OTHER: StaticPool<4, 64> = StaticPool::new();
        let workers = [&POOL, &OTHER].map(|pool| run_workers(pool, 1).unwrap());
        let [one, other] = [&POOL, &OTHER].map(|pool| {
            let name = || thread::current().name().map(String::from);
            let name = pool.submit(name).unwrap().result().unwrap().unwrap();
            let prefix = name.strip_suffix("-0").unwrap();
            let number = prefix.strip_prefix("corepool-").unwrap();
            number.parse::<usize>().unwrap()
        });
        assert_ne!(one, other);
        drop(workers);
    }

    /// CPython: `ThreadPoolShutdownTest.test_thread_names_assigned`.
    #[test]
    fn thread_names_assigned() {
        static POOL: StaticPool<4, 64> = StaticPool::new();
        let workers = run_workers_with(POOL.pool_ref(), "SpecialPool", 1, |_| Ok(())).unwrap();
        let name = || thread::current().name().map(String::from);
        let name = POOL.submit(name).unwrap().result().unwrap();
        assert_eq!(name.as_deref(), Some("SpecialPool-0"));
        drop(workers);
    }

    /// The host, with a hook that keeps what nobody asked for.
    struct Hooked(Mutex<Vec<String>>);

    // SAFETY: the contexts are the host port's.
    unsafe impl Port for Hooked {
        fn context(&self) -> ContextId {
            HostPort.context()
        }

        fn now(&self) -> Option<Duration> {
            HostPort.now()
        }

        fn with_parker(&self, f: &mut dyn FnMut(&dyn Parker)) {
            HostPort.with_parker(f);
        }

        fn catch_panic(&self, f: &mut dyn FnMut()) -> Result<(), Panic> {
            HostPort.catch_panic(f)
        }

        fn unobserved_failure(&self, panic: Panic) {
            let text = panic.payload().unwrap().downcast::<&str>().unwrap();
            self.0.lock().unwrap().push(String::from(*text));
        }
    }

    /// So that less than was asked for means that the queue is empty.
    #[test]
    fn run_pending_counts_a_cancelled_job_as_well() {
        static POOL: StaticPool<4, 32> = StaticPool::new();
        let cancelled = POOL.submit(|| ()).unwrap();
        let mut live = POOL.submit(|| 42).unwrap();
        assert!(cancelled.cancel());
        assert_eq!(POOL.run_pending(1), 1);
        assert!(!live.done());
        assert_eq!(POOL.run_pending(9), 1);
        assert_eq!(live.try_result().unwrap().unwrap(), 42);
        assert_eq!(POOL.run_pending(9), 0);
    }

    /// Python: an error that nobody asked for is lost (#120508). Here the port's hook is told:
    /// of detached jobs, of handles that were dropped, of callbacks. CPython:
    /// `FutureTests.test_done_callback_raises` and `_raises_already_succeeded`, what they log.
    #[test]
    fn unobserved_failures_reach_the_hook() {
        static POOL: StaticPool<4, 32> = StaticPool::new();
        static PORT: Hooked = Hooked(Mutex::new(Vec::new()));
        assert!(POOL.install(&PORT));
        let told = || std::mem::take(&mut *PORT.0.lock().unwrap());

        POOL.submit_detached(|| resume_unwind(Box::new("a detached job")))
            .unwrap();
        POOL.run_pending(1);
        assert_eq!(told(), ["a detached job"]);

        let job = || resume_unwind(Box::new("a dropped handle"));
        let future = POOL.submit(job).unwrap();
        POOL.run_pending(1);
        assert!(told().is_empty());
        drop::<corepool::JobFuture<'_, ()>>(future);
        assert_eq!(told(), ["a dropped handle"]);

        let (promise, mut future) = POOL.promise().unwrap();
        future
            .add_done_callback(|_| resume_unwind(Box::new("a callback")))
            .unwrap();
        promise.set_result(1).unwrap();
        assert_eq!(told(), ["a callback"]);
        future
            .add_done_callback(|_| resume_unwind(Box::new("a late callback")))
            .unwrap();
        assert_eq!(told(), ["a late callback"]);

        let job = || -> u32 { resume_unwind(Box::new("asked for")) };
        let future = POOL.submit(job).unwrap();
        POOL.run_pending(1);
        assert!(matches!(future.result(), Err(JobError::Panicked(_))));
        assert!(told().is_empty());
    }

    /// A start hook that panics breaks the pool as one that fails does, with the panic's text.
    #[test]
    fn a_start_hook_that_panics_breaks_the_pool() {
        static POOL: StaticPool<4, 64> = StaticPool::new();
        let hook = |_| resume_unwind(Box::new("doh!"));
        let workers = run_workers_with(POOL.pool_ref(), "broken", 2, hook).unwrap();
        let outcome = POOL.submit(|| 7).map(|mut job| job.result_timeout(LONG));
        let reason = match outcome {
            Ok(Err(JobError::Broken(reason))) | Err(SubmitError::Broken(_, reason)) => reason,
            other => panic!("the pool is not broken: {other:?}"),
        };
        let text = "the start hook panicked: doh!";
        assert_eq!(reason, BrokenReason::Initializer(InitError(text)));
        drop(workers);
    }

    /// The worker leaves with the hook's panic, and its job, which has not run, ends like one that
    /// panicked.
    #[test]
    fn a_job_ends_although_its_workers_hook_panics() {
        static POOL: StaticPool<4, 32> = StaticPool::new();
        struct Unwinds;
        impl Parker for Unwinds {
            fn waker(&self) -> Waker {
                Waker::noop().clone()
            }

            fn park(&self, _deadline: Option<Duration>) {}
        }
        impl Worker for Unwinds {
            fn on_job_start(&self, _job: JobId) {
                resume_unwind(Box::new("a hook"));
            }
        }
        let job = POOL.submit(|| unreachable!()).unwrap();
        assert!(catch_unwind(|| POOL.run(&Unwinds)).is_err());
        assert_eq!(POOL.workers(), 0);
        assert!(job.done());
        assert!(matches!(job.result(), Err::<(), _>(JobError::Panicked(_))));
        assert_eq!(POOL.free_slots(), 4);
    }

    /// Without a port there is no clock: whatever is given a time-out says so, and nothing happens.
    #[test]
    fn no_port_no_clock() {
        static POOL: StaticPool<4, 32> = StaticPool::new();
        const SOON: Duration = Duration::from_millis(1);
        let mut futures = [POOL.submit(|| 42).unwrap()];
        assert!(matches!(
            futures[0].result_timeout(SOON),
            Err(JobError::NoClock)
        ));
        assert!(matches!(
            futures[0].error_timeout(SOON),
            Err(JobError::NoClock)
        ));
        assert_eq!(
            wait(&mut futures, Some(SOON), ReturnWhen::AllCompleted).unwrap_err(),
            WaitError::NoClock
        );
        let options = MapOptions::<4> {
            buffer_size: 4,
            timeout: Some(SOON),
        };
        let map = POOL.map_with(options, 0..4, |n: u32| n).map(drop);
        assert_eq!(map, Err(MapError::NoClock));
        assert_eq!(
            POOL.shutdown_timeout(SOON, false),
            Err(ShutdownError::NoClock)
        );
        assert!(!POOL.is_shut_down());
        let fill: Vec<_> = (1..4).map(|n| POOL.submit(move || n).unwrap()).collect();
        assert!(matches!(
            POOL.submit_timeout(|| 7, SOON),
            Err(SubmitError::NoClock(_))
        ));
        drop(fill);
        // And without a worker, the one who waits does the work.
        let [future] = futures;
        assert_eq!(future.result().unwrap(), 42);
    }

    /// A worker, and its number, by which it can be declared lost.
    fn one_worker<const SLOTS: usize>(
        pool: &'static StaticPool<SLOTS, 64>,
    ) -> (Workers, Receiver<WorkerId>) {
        let (sender, id) = channel();
        let workers = run_workers_with(pool.pool_ref(), "lost", 1, move |id| {
            let _ = sender.send(id);
            Ok(())
        });
        (workers.unwrap(), id)
    }

    /// A worker is lost with its job: that job's future fails, the other worker does the rest, and
    /// when the lost one comes back after all, its slot does, too. CPython:
    /// `ExecutorDeadlockTest.test_crash_during_func_exec_on_worker`.
    #[test]
    fn lost_worker_fails_its_job_only() {
        static POOL: StaticPool<4, 64> = StaticPool::new();
        let (sender, ids) = channel();
        let workers = run_workers_with(POOL.pool_ref(), "lost", 2, move |id| {
            LAST_ID.set(Some(id));
            let _ = sender.send(id);
            Ok(())
        })
        .unwrap();
        let drops = Drops::new();
        let (started, release) = (Gate::new(), Gate::new());
        let (start, held) = (started.clone(), release.clone());
        let (sender, lost) = channel();
        let stuck = POOL
            .submit(move || {
                sender.send(LAST_ID.get().unwrap()).unwrap();
                start.open();
                held.wait();
                drops.token()
            })
            .unwrap();
        started.wait();
        ids.recv().unwrap();
        // SAFETY: the worker runs no job of a scope.
        unsafe { POOL.worker_lost(lost.recv().unwrap(), OnLoss::Continue) };
        let error = stuck.result().unwrap_err();
        assert!(matches!(error, JobError::WorkerLost(LossReason::DECLARED)));
        assert_eq!(POOL.submit(|| 42).unwrap().result().unwrap(), 42);
        assert!(POOL.free_slots() < POOL.capacity());
        release.open();
        drop(workers);
        assert_eq!((drops.made(), drops.dropped()), (1, 1));
        assert_eq!(POOL.free_slots(), POOL.capacity());
    }

    /// A worker is lost while it waits for the end of a scope: it is told of that all the same.
    #[test]
    fn a_lost_worker_is_told_of_its_scopes_end() {
        static POOL: StaticPool<4, 64> = StaticPool::new();
        let workers = run_workers_with(POOL.pool_ref(), "lost", 2, |id| {
            LAST_ID.set(Some(id));
            Ok(())
        })
        .unwrap();
        let (started, release) = (Gate::new(), Gate::new());
        let (start, held) = (started.clone(), release.clone());
        let (sender, lost) = channel();
        let (left, end) = channel();
        let stuck = POOL
            .submit(move || {
                let inner = (start.clone(), held);
                POOL.scope(|scope| {
                    let job = scope.submit(move || {
                        inner.0.open();
                        inner.1.wait();
                    });
                    // Another worker runs it: this one does not block before.
                    start.wait();
                    drop(job);
                    sender.send(LAST_ID.get().unwrap()).unwrap();
                });
                left.send(()).unwrap();
            })
            .unwrap();
        started.wait();
        let id = lost.recv().unwrap();
        // SAFETY: the worker runs no job of a scope; the other one does.
        unsafe { POOL.worker_lost(id, OnLoss::Continue) };
        assert!(stuck.result().is_err());
        release.open();
        end.recv().unwrap();
        drop(workers);
        assert_eq!(POOL.free_slots(), POOL.capacity());
    }

    /// Nobody could declare it lost from a job that it began after that.
    #[test]
    fn a_lost_worker_takes_no_other_job_in_run_pending() {
        static POOL: StaticPool<4, 64> = StaticPool::new();
        let (workers, id) = one_worker(&POOL);
        let (counted, count) = channel();
        let held = Gate::new();
        let hold = held.clone();
        let outer = POOL
            .submit(move || {
                hold.wait();
                counted.send(POOL.run_pending(2)).unwrap();
            })
            .unwrap();
        let loses = POOL
            .submit(move || {
                // SAFETY: the worker runs no job of a scope.
                unsafe { POOL.worker_lost(id.recv().unwrap(), OnLoss::Continue) };
            })
            .unwrap();
        let left = POOL.submit(|| ()).unwrap();
        held.open();
        assert_eq!(count.recv().unwrap(), 1);
        assert!(matches!(
            outer.result(),
            Err(JobError::WorkerLost(LossReason::DECLARED))
        ));
        assert!(matches!(
            loses.result(),
            Err(JobError::WorkerLost(LossReason::DECLARED))
        ));
        assert!(left.cancel());
        drop(workers);
    }

    /// It is declared lost by a job that it runs while it waits for another one.
    #[test]
    fn a_lost_worker_takes_no_other_job_while_it_waits() {
        static POOL: StaticPool<4, 64> = StaticPool::new();
        let (workers, id) = one_worker(&POOL);
        let (sender, runs_itself) = channel();
        let outer = POOL
            .submit(move || {
                let loses = move || {
                    // SAFETY: the worker runs no job of a scope.
                    unsafe { POOL.worker_lost(id.recv().unwrap(), OnLoss::Continue) };
                };
                // The only worker is blocked, so it runs what is queued, until it is lost.
                POOL.submit_detached(loses).unwrap();
                let (promise, runner) = POOL.promise().unwrap();
                POOL.submit_detached(move || {
                    promise.set_result(thread::current().id()).unwrap();
                })
                .unwrap();
                let runner = runner.result().unwrap();
                sender.send(runner == thread::current().id()).unwrap();
            })
            .unwrap();
        assert!(matches!(
            outer.result(),
            Err(JobError::WorkerLost(LossReason::DECLARED))
        ));
        let (other, _id) = one_worker(&POOL);
        assert!(!runs_itself.recv().unwrap());
        drop((workers, other));
        assert_eq!(POOL.free_slots(), POOL.capacity());
    }

    /// A worker is lost in a callback of a job that has a result already: who waits for the job is
    /// told, and the result is dropped when the worker comes back from it.
    #[test]
    fn lost_worker_in_a_callback_fails_its_job() {
        static POOL: StaticPool<4, 64> = StaticPool::new();
        let (workers, id) = one_worker(&POOL);
        let drops = Drops::new();
        let (started, release) = (Gate::new(), Gate::new());
        let (start, held) = (started.clone(), release.clone());
        let made = drops;
        // The pool's only worker: the job does not run before it has its callback.
        let hold = Gate::new();
        let held_back = hold.clone();
        POOL.submit_detached(move || held_back.wait()).unwrap();
        let mut stuck = POOL.submit(move || made.token()).unwrap();
        stuck
            .add_done_callback(move |result| {
                assert!(result.is_ok());
                start.open();
                held.wait();
            })
            .unwrap();
        hold.open();
        started.wait();
        // SAFETY: the worker runs no job of a scope.
        unsafe { POOL.worker_lost(id.recv().unwrap(), OnLoss::Continue) };
        assert!(matches!(
            stuck.result(),
            Err(JobError::WorkerLost(LossReason::DECLARED))
        ));
        assert_eq!((drops.made(), drops.dropped()), (1, 0));
        release.open();
        drop(workers);
        assert_eq!((drops.made(), drops.dropped()), (1, 1));
        assert_eq!(POOL.free_slots(), POOL.capacity());
    }

    thread_local! {
        static LAST_ID: std::cell::Cell<Option<WorkerId>> =
            const { std::cell::Cell::new(None) };
    }

    /// A worker is lost, and the pool is to break with it: what is queued fails and names the cause,
    /// and so does every later submit.
    #[test]
    fn lost_worker_breaks_the_pool() {
        static POOL: StaticPool<8, 64> = StaticPool::new();
        let (workers, id) = one_worker(&POOL);
        let (started, release) = (Gate::new(), Gate::new());
        let (start, held) = (started.clone(), release.clone());
        let stuck = POOL
            .submit(move || {
                start.open();
                held.wait();
            })
            .unwrap();
        started.wait();
        let queued = POOL.submit(|| 42).unwrap();
        // SAFETY: the worker runs no job of a scope.
        unsafe { POOL.worker_lost(id.recv().unwrap(), OnLoss::Break) };
        assert!(matches!(
            stuck.result(),
            Err(JobError::WorkerLost(LossReason::DECLARED))
        ));
        let error = queued.result().unwrap_err();
        assert!(matches!(error, JobError::Broken(_)));
        assert!(error.to_string().contains("a worker was lost"));
        assert!(matches!(POOL.submit(|| 1), Err(SubmitError::Broken(..))));
        assert_eq!(
            POOL.broken_reason(),
            Some(BrokenReason::WorkerLost(LossReason::DECLARED))
        );
        release.open();
        drop(workers);
    }

    /// A pool that goes away drops what is queued in it.
    #[test]
    fn dropped_pool_drops_its_jobs() {
        let drops = Drops::new();
        let pool = StaticPool::<4, 32>::new();
        for _ in 0..3 {
            let token = drops.token();
            pool.submit_detached(move || drop(token)).unwrap();
        }
        drop(pool);
        assert_eq!((drops.made(), drops.dropped()), (3, 3));
    }
}
