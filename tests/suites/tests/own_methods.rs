//! Methods that the generic suite has no use for: each of the type that it is called on by name.

use std::{
    future::{Future, poll_fn},
    mem::MaybeUninit,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::pin,
    process::Stdio,
    sync::mpsc::channel,
    task::{Context, Poll, Waker},
    thread,
    time::Duration,
};

use corepool::{
    CallbackError, DynExecutor, JobError, LentPool, LossReason, MapError, MapOptions, NotInTask,
    OnLoss, Panic, PanicLocation, PanicPayload, PoolConfig, PoolRef, RunError, Scope, SpinWorker,
    StaticPool, SubmitError, Worker, WorkerId,
    remote::{Buffers, Link, RemoteConfig, RemoteExecutor, RemoteWorker, serve_catching},
};
use corepool_std::{
    Boxed, HostPort, PanicExt, StreamLink, ThreadParker, ThreadPool, ThreadWorker, remote_panic,
    run_workers, run_workers_with,
};
use corepool_tests::{
    Gate, is_child, run_in_child,
    travelling::{JOBS, Number},
    wire::{Wire, catch_panic as catch},
};
use futures_lite::future::{block_on, yield_now};

const TINY: Duration = Duration::from_millis(2);

/// Jobs of a scope, and of its maps, borrow.
#[test]
fn a_scope_submits_and_maps() {
    let pool = StaticPool::<8, 64>::new();
    let (tens, ones) = (vec![10, 20, 30], 5);
    let sums = pool.scope(|scope| {
        let one = Scope::submit(scope, || tens[0] + ones).unwrap();
        let map = Scope::map(scope, &tens, |ten| ten + ones);
        let options = MapOptions::<2> {
            buffer_size: 1,
            timeout: None,
        };
        let map_with = Scope::map_with(scope, options, &tens, |ten| ten - ones).unwrap();
        let mut sums = vec![one.result().unwrap()];
        sums.extend(map.chain(map_with).map(Result::unwrap));
        sums
    });
    assert_eq!(sums, [15, 15, 25, 35, 5, 15, 25]);
}

/// A job that travels runs where it is, if it can go nowhere; and waits for room.
#[test]
fn a_pool_takes_jobs_that_travel() {
    static POOL: StaticPool<1, 64> = StaticPool::new();
    let first = StaticPool::submit_remote(&POOL, Number(1)).unwrap();
    let full = StaticPool::submit_remote(&POOL, Number(2)).unwrap_err();
    assert_eq!(full.into_inner(), Number(2));
    drop(first);
    let second = StaticPool::submit_remote_blocking(&POOL, Number(3)).unwrap();
    assert_eq!(second.result().unwrap(), 3);
    let third = block_on(StaticPool::submit_remote_async(&POOL, Number(4))).unwrap();
    let refused = StaticPool::submit_remote_timeout(&POOL, Number(5), TINY);
    assert_eq!(refused.map(drop), Err(SubmitError::NoClock(Number(5))));
    assert_eq!(third.result().unwrap(), 4);
    let fourth = StaticPool::submit_remote_timeout(&POOL, Number(6), TINY).unwrap();
    assert_eq!(fourth.result().unwrap(), 6);
}

/// So does its view.
#[test]
fn a_view_takes_jobs_that_travel() {
    static POOL: StaticPool<1, 64> = StaticPool::new();
    let view = POOL.pool_ref();
    let first = PoolRef::submit_remote(view, Number(1)).unwrap();
    assert!(PoolRef::submit_remote(view, Number(2)).is_err());
    drop(first);
    let second = PoolRef::submit_remote_blocking(view, Number(3)).unwrap();
    assert_eq!(second.result().unwrap(), 3);
    let third = block_on(PoolRef::submit_remote_async(view, Number(4))).unwrap();
    assert_eq!(third.result().unwrap(), 4);
    let fourth = PoolRef::submit_remote_timeout(view, Number(6), TINY).unwrap();
    assert_eq!(fourth.result().unwrap(), 6);
}

/// A static pool is an executor of such jobs, too. Without a port it has no clock, and so no time limits.
#[test]
fn a_static_pool_maps_jobs_that_travel() {
    static POOL: StaticPool<2, 64> = StaticPool::new();
    let sum = RemoteExecutor::map_remote(&POOL, (0..5).map(Number)).map(Result::unwrap);
    assert_eq!(sum.sum::<u32>(), 10);
    assert_eq!(RemoteExecutor::now(&POOL), None);
    let options = MapOptions::<2> {
        buffer_size: 1,
        timeout: Some(TINY),
    };
    let refused = RemoteExecutor::map_remote_with(&POOL, options, [Number(1)]).map(drop);
    assert_eq!(refused, Err(MapError::NoClock));
    POOL.install(&HostPort);
    assert!(RemoteExecutor::now(&POOL).is_some());
}

/// A view can store what does not fit elsewhere.
#[test]
fn a_view_that_spills_takes_what_does_not_fit() {
    static POOL: StaticPool<1, 64> = StaticPool::new();
    let large = [7_u8; 200];
    let job = PoolRef::spill_to::<Boxed>(POOL.pool_ref()).submit(move || large);
    assert_eq!(job.unwrap().result().unwrap(), large);
}

/// A view can be one of smaller slots. Its scopes find their jobs in the pool's larger ones.
#[test]
fn a_view_of_smaller_slots_has_the_pools_methods() {
    static POOL: StaticPool<4, 128> = StaticPool::new();
    fn library(pool: PoolRef<'_, 64>) -> u32 {
        let (tens, job) = ([10, 20], pool.submit(|| 5).unwrap());
        let sum = pool.scope(|scope| scope.submit(|| tens.iter().sum::<u32>()).unwrap().result());
        sum.unwrap() + job.result().unwrap()
    }
    assert_eq!(library(PoolRef::limit_to::<64>(POOL.pool_ref())), 35);
    assert_eq!(POOL.free_slots(), 4);
}

/// An executor of no known type is a view of the slots that are asked for, with the pool's methods.
#[test]
fn an_executor_of_no_known_type_is_a_view() {
    fn capacity<const BYTES: usize>(executor: &dyn DynExecutor<BYTES>) -> usize {
        DynExecutor::dyn_ref(executor).capacity()
    }
    let config = PoolConfig {
        slots: 4,
        priorities: 1,
        workers: 1,
        waiters: 1,
    };
    let mut memory = vec![MaybeUninit::uninit(); config.words::<64>()];
    let lent = LentPool::<64>::new(&mut memory, config).unwrap();
    let (large, small) = (StaticPool::<3, 128>::new(), StaticPool::<2, 32>::new());
    let threads = ThreadPool::builder().capacity(5).build().unwrap();
    assert_eq!(
        [&lent, &large as &dyn DynExecutor, &threads].map(capacity),
        [4, 3, 5]
    );
    assert_eq!(capacity::<32>(&small), 2);
}

/// A view lends its pool a port, once, and a worker.
#[test]
fn a_view_installs_and_runs() {
    static POOL: StaticPool<2, 64> = StaticPool::new();
    let view = POOL.pool_ref();
    assert!(PoolRef::install(view, &HostPort));
    assert!(!PoolRef::install(view, &HostPort));
    let job = view.submit(|| 42).unwrap();
    view.shutdown(false, false).unwrap();
    assert_eq!(PoolRef::run(view, &SpinWorker), Ok::<(), RunError>(()));
    assert_eq!(job.result().unwrap(), 42);
}

/// A static pool's port is the host's, if nobody has installed another: a blocked caller runs no job as a guest, and
/// a panic is caught.
#[test]
fn a_static_pool_on_the_hosts_port_leaves_its_jobs_to_its_threads() {
    static POOL: StaticPool<4, 64> = StaticPool::new();
    let workers = run_workers(&POOL, 1).unwrap();
    let (started, release) = (Gate::new(), Gate::new());
    let (start, held) = (started.clone(), release.clone());
    let busy = POOL.submit(move || {
        start.open();
        held.wait();
    });
    started.wait();
    let mut queued = POOL.submit(|| resume_unwind(Box::new("doh!"))).unwrap();
    assert!(queued.error_timeout(Duration::from_millis(1)).is_err());
    assert!(!queued.done());
    release.open();
    busy.unwrap().result().unwrap();
    assert!(matches!(queued.result(), Err(JobError::Panicked(_))));
    drop(workers);
}

/// Its threads tell on standard error of a failure that nobody asks for.
#[test]
fn a_static_pool_on_the_hosts_port_tells_of_an_unobserved_failure() {
    static POOL: StaticPool<4, 64> = StaticPool::new();
    if is_child() {
        let workers = run_workers(&POOL, 1).unwrap();
        POOL.submit_detached(|| resume_unwind(Box::new("out of paper")))
            .unwrap();
        return drop(workers);
    }
    let name = "a_static_pool_on_the_hosts_port_tells_of_an_unobserved_failure";
    let output = run_in_child(name, Stdio::piped());
    assert!(output.status.success());
    let stderr = String::from_utf8(output.stderr).unwrap();
    let told = "corepool: a job or callback panicked, and nobody asked: out of paper\n";
    assert!(stderr.contains(told), "{stderr}");
}

/// A view declares a worker lost.
#[test]
fn a_view_declares_a_worker_lost() {
    static POOL: StaticPool<4, 64> = StaticPool::new();
    let (sender, ids) = channel();
    let workers = run_workers_with(POOL.pool_ref(), "corepool", 1, move |id| {
        sender.send(id).unwrap();
        Ok(())
    });
    let (started, release) = (Gate::new(), Gate::new());
    let (start, held) = (started.clone(), release.clone());
    let stuck = POOL.submit(move || {
        start.open();
        held.wait();
    });
    started.wait();
    let id: WorkerId = ids.recv().unwrap();
    assert_eq!(WorkerId::index(id), 0);
    // SAFETY: the worker runs no job of a scope.
    unsafe { PoolRef::worker_lost(POOL.pool_ref(), id, OnLoss::Continue) };
    assert!(matches!(
        stuck.unwrap().result(),
        Err(JobError::WorkerLost(LossReason::DECLARED))
    ));
    release.open();
    drop(workers.unwrap());
}

/// A callback that is refused comes out of its error.
#[test]
fn a_refused_callback_is_in_its_error() {
    let pool = StaticPool::<1, 64>::new();
    let (promise, mut future) = pool.promise::<u32>().unwrap();
    let refused = future.add_done_callback(|outcome| assert_eq!(*outcome.unwrap(), 5));
    CallbackError::into_inner(refused.unwrap_err())(Ok(&5));
    promise.set_result(5).unwrap();
}

/// A job's panic goes on in the thread that has its error: with the payload, or else with the text.
#[test]
fn a_panic_is_resumed() {
    let resumed = |panic: Panic| {
        let caught = catch_unwind(AssertUnwindSafe(|| PanicExt::resume(panic))).unwrap_err();
        match caught.downcast::<&str>() {
            Ok(text) => format!("payload {text}"),
            Err(text) => format!("text {}", text.downcast::<String>().unwrap()),
        }
    };
    let pool = ThreadPool::new();
    let job = || -> u32 { resume_unwind(Box::new("doh!")) };
    let mut failed = pool.submit(job).unwrap();
    let Some(JobError::Panicked(panic)) = failed.error() else {
        panic!("the job has not failed");
    };
    assert_eq!(resumed(panic), "payload doh!");
    let Err(JobError::Panicked(panic)) = failed.result() else {
        panic!("the job has not failed");
    };
    assert_eq!(resumed(panic), "text doh!");
    assert_eq!(resumed(Panic::new(5_u32)), "payload a job panicked");
}

/// A thread that never looks again before it sleeps does its work all the same.
#[test]
fn threads_need_not_spin() {
    assert!(!ThreadWorker::new(0).spin(0));
    assert!(ThreadWorker::new(2).spin(1));
    let pool = ThreadPool::builder().spins(0).max_workers(1).build();
    let pool = pool.unwrap();
    for number in 0..20 {
        assert_eq!(
            pool.submit(move || number).unwrap().result().unwrap(),
            number
        );
    }
}

/// A remote worker's link can be used while nobody runs it.
#[test]
fn a_remote_workers_link_can_be_had() {
    let wire = Wire::new(true);
    let (mut outbox, mut inbox) = ([0; 1_024], [0; 1_024]);
    let buffers = Buffers {
        outbox: &mut outbox,
        inbox: &mut inbox,
    };
    let config = RemoteConfig::default();
    let mut worker = RemoteWorker::<_>::new(wire.client.clone(), &JOBS, buffers, config);
    assert!(!RemoteWorker::has_met(&worker));
    worker.link_mut().send(b"hello").unwrap();
    let mut heard = [0; 5];
    assert_eq!(wire.server.clone().receive(&mut heard), Ok(5));
    assert_eq!(&heard, b"hello");
}

/// A remote worker whose other side has answered says so.
#[test]
fn a_remote_worker_has_met_who_answers() {
    static POOL: StaticPool<2, 64> = StaticPool::new();
    POOL.install(&HostPort);
    let wire = Wire::new(true);
    let mut server = wire.server.clone();
    let serves = thread::spawn(move || {
        let (mut outbox, mut inbox) = ([0; 1_024], [0; 1_024]);
        let buffers = Buffers {
            outbox: &mut outbox,
            inbox: &mut inbox,
        };
        serve_catching(&mut server, &JOBS, buffers, &ThreadParker::new(), catch)
    });
    let works = thread::spawn(move || {
        let (mut outbox, mut inbox) = ([0; 1_024], [0; 1_024]);
        let buffers = Buffers {
            outbox: &mut outbox,
            inbox: &mut inbox,
        };
        let config = RemoteConfig::default();
        let mut worker = RemoteWorker::<_>::new(wire.client.clone(), &JOBS, buffers, config);
        worker
            .run(POOL.pool_ref(), &ThreadWorker::default())
            .unwrap();
        RemoteWorker::has_met(&worker)
    });
    let job = POOL.submit_remote(Number(5)).unwrap();
    assert_eq!(job.result().unwrap(), 5);
    POOL.shutdown(true, false).unwrap();
    assert!(works.join().unwrap());
    assert_eq!(serves.join().unwrap(), Ok(()));
}

/// A stream's bytes arrive as they are.
#[test]
fn a_stream_is_a_link() {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let [mut ours, mut theirs] =
        [ours, theirs].map(|end| StreamLink::new(end.try_clone().unwrap(), end).unwrap());
    ours.send(b"hello").unwrap();
    let mut heard = [0; 5];
    let mut count = 0;
    while count < heard.len() {
        count += theirs.receive(&mut heard[count..]).unwrap();
        thread::yield_now();
    }
    assert_eq!(&heard, b"hello");
}

/// A thread pool says how it is, as its view does.
#[test]
fn a_thread_pool_says_how_it_is() {
    let pool = ThreadPool::builder()
        .max_workers(1)
        .capacity(4)
        .build()
        .unwrap();
    assert_eq!(
        (ThreadPool::capacity(&pool), ThreadPool::workers(&pool)),
        (4, 0)
    );
    let gate = Gate::new();
    let wait = gate.clone();
    let job = pool.submit(move || wait.wait()).unwrap();
    assert_eq!(
        (ThreadPool::unfinished(&pool), ThreadPool::free_slots(&pool)),
        (1, 3)
    );
    gate.open();
    job.result().unwrap();
    while ThreadPool::idle_workers(&pool) == 0 {
        thread::yield_now();
    }
    assert!(ThreadPool::broken_reason(&pool).is_none() && !ThreadPool::is_shut_down(&pool));
    ThreadPool::break_pool(&pool, "no supply voltage");
    assert!(ThreadPool::broken_reason(&pool).is_some());
    ThreadPool::shutdown(&pool, true, false).unwrap();
    assert!(ThreadPool::is_shut_down(&pool));
}

/// So does a static pool.
#[test]
fn a_static_pool_says_how_many_jobs_and_workers_it_has() {
    static POOL: StaticPool<2, 64, 1, 3, 1> = StaticPool::new();
    assert_eq!(StaticPool::max_workers(&POOL), 3);
    assert_eq!(PoolRef::max_workers(POOL.pool_ref()), 3);
    let job = POOL.submit(|| ()).unwrap();
    assert_eq!(StaticPool::unfinished(&POOL), 1);
    job.result().unwrap();
    assert_eq!(StaticPool::unfinished(&POOL), 0);
}

/// A waker that has outlived its task does not make the next task in that slot end as cancelled.
#[test]
fn a_waker_of_an_ended_task_cancels_no_other_task() {
    static POOL: StaticPool<1, 64> = StaticPool::new();
    let workers = run_workers(&POOL, 1).unwrap();
    let own_waker = || poll_fn(|cx| Poll::Ready(cx.waker().clone()));
    let stale = POOL.spawn(own_waker()).unwrap().result().unwrap();
    let (polled, go_on) = (Gate::new(), Gate::new());
    let (poll, gate) = (polled.clone(), go_on.clone());
    let task = POOL.spawn(async move {
        let waker = own_waker().await;
        poll.open();
        gate.wait();
        yield_now().await;
        waker
    });
    let task = task.unwrap();
    polled.wait();
    let mut cancels = pin!(StaticPool::cancel_current_task(&POOL));
    let here = cancels.as_mut().poll(&mut Context::from_waker(&stale));
    assert_eq!(here, Poll::Ready(NotInTask));
    go_on.open();
    assert!(
        task.result().unwrap().will_wake(&stale),
        "it is the same slot"
    );
    drop(workers);
}

/// A holder of a shared future that finds no place to wait in is told so, and can look later.
#[test]
fn a_holder_without_a_place_is_refused() {
    static POOL: StaticPool<2, 64, 1, 1, 1> = StaticPool::new();
    let (promise, future) = POOL.promise::<u32>().unwrap();
    let (one, mut cx) = (future.share(), Context::from_waker(Waker::noop()));
    let (mut first, mut second) = (pin!(one.result_async()), pin!(one.result_async()));
    assert!(first.as_mut().poll(&mut cx).is_pending());
    assert!(matches!(
        second.as_mut().poll(&mut cx),
        Poll::Ready(Err(JobError::TooManyWaiters))
    ));
    promise.set_result(5).unwrap();
    assert!(matches!(second.poll(&mut cx), Poll::Ready(Ok(5))));
    assert!(matches!(first.poll(&mut cx), Poll::Ready(Ok(5))));
}

/// More holders than the count has room for keep the slot for ever. The result stays valid.
#[test]
fn forgotten_holders_keep_the_slot() {
    static POOL: StaticPool<2, 64> = StaticPool::new();
    let job = POOL.submit(|| 5).unwrap();
    POOL.run_pending(1);
    let one = job.share();
    for _ in 0..1 << 17 {
        std::mem::forget(one.clone());
    }
    drop(one.clone());
    assert_eq!(one.try_result().unwrap().unwrap(), &5);
    drop(one);
    assert_eq!(POOL.free_slots(), 1);
}

/// A port's own payload tells its text, and several can have it.
#[test]
fn a_payload_that_is_shared_tells_its_text_to_each_asker() {
    #[derive(Debug)]
    struct Reason(&'static str);
    impl PanicPayload for Reason {
        fn text(&self) -> Option<&str> {
            Some(self.0)
        }
        fn share(&self) -> Self {
            Self(self.0)
        }
    }
    assert_eq!(
        PanicPayload::text(&PanicPayload::share(&Reason("a"))),
        Some("a")
    );
    let panic = Panic::shared(Reason("out of ink"));
    assert_eq!(Panic::text(&panic), Some("out of ink"));
    assert_eq!(
        format!("{panic:?}: {panic}"),
        "Panic(\"out of ink\"): the job panicked: out of ink"
    );
    assert_eq!(Panic::location(&panic), None);
    assert_eq!(panic.into_payload::<Reason>().unwrap().0, "out of ink");
    assert_eq!(Panic::text(&Panic::new(5_u32)), None);
    assert_eq!(PanicPayload::location(&Reason("a")), None);
}

/// A port's own payload tells its location, with a text or without.
#[test]
fn a_payload_tells_its_location_to_each_asker() {
    struct Place(Option<&'static str>);
    impl PanicPayload for Place {
        fn text(&self) -> Option<&str> {
            self.0
        }
        fn location(&self) -> Option<PanicLocation<'_>> {
            Some(PanicLocation {
                file: "printer.rs",
                line: 8,
                column: 5,
            })
        }
        fn share(&self) -> Self {
            Self(self.0)
        }
    }
    let panic = Panic::shared(Place(None));
    assert_eq!(
        format!("{panic:?}: {panic}"),
        "Panic(printer.rs:8:5): the job panicked at printer.rs:8:5"
    );
    let panic = Panic::shared(Place(Some("out of ink")));
    assert_eq!(
        format!("{panic:?}: {panic}"),
        "Panic(\"out of ink\", printer.rs:8:5): the job panicked at printer.rs:8:5: out of ink"
    );
}

/// A location of the standard library's is one of the pool's.
#[test]
fn a_location_is_made_of_the_standard_librarys() {
    let here = std::panic::Location::caller();
    let at = PanicLocation::from(here);
    assert_eq!((at.file, at.line), (file!(), here.line()));
    assert_eq!(at.to_string(), here.to_string());
}

/// A panic on the other side of a link has a text or none, and a payload in both cases.
#[test]
fn a_panic_of_another_side_has_its_text_as_payload() {
    let panic = remote_panic(Some("out of paper"), None);
    assert_eq!(Panic::text(&panic), Some("out of paper"));
    let payload = PanicExt::payload(panic).unwrap();
    assert_eq!(*payload.downcast::<String>().unwrap(), "out of paper");
    let panic = remote_panic(None, None);
    assert_eq!((Panic::text(&panic), Panic::location(&panic)), (None, None));
    let payload = PanicExt::payload(panic).unwrap();
    assert_eq!(
        *payload.downcast::<&str>().unwrap(),
        "a payload that is no text"
    );
}
