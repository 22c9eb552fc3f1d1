//! The port for an RTOS: this file is the shim, and threads are the tasks.

use std::{
    cell::Cell,
    ffi::c_void,
    ptr,
    sync::{Condvar, Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};

use corepool::{
    JobError, Parker, Port, StaticPool, Worker,
    ports::rtos::{Rtos, Task, may_be_deleted},
};

/// A task's notification.
#[derive(Default)]
struct Notification {
    is_given: Mutex<bool>,
    given: Condvar,
}

thread_local! {
    /// Never freed, as the memory of a task that is not deleted.
    static OWN: &'static Notification = Box::leak(Box::default());
    static IN_HANDLER: Cell<bool> = const { Cell::new(false) };
    static PRIORITY: Cell<u8> = const { Cell::new(0) };
    /// The kernel's clock, if it stands still, and the last wait by it.
    static STOPPED_AT: Cell<Option<u64>> = const { Cell::new(None) };
    static WAITED: Cell<u64> = const { Cell::new(0) };
}

fn this_task() -> *mut c_void {
    OWN.with(|own| ptr::from_ref::<Notification>(own).cast_mut().cast())
}

#[unsafe(no_mangle)]
extern "C" fn corepool_port_context(task: *mut *mut c_void) -> usize {
    let in_handler = IN_HANDLER.get();
    let own = if in_handler {
        ptr::null_mut()
    } else {
        this_task()
    };
    // SAFETY: the port gives a place for it.
    unsafe { *task = own };
    if in_handler { 1 } else { own.addr() }
}

#[unsafe(no_mangle)]
extern "C" fn corepool_port_notify(task: *mut c_void) {
    // SAFETY: a task's handle is the address of its notification, which is never freed.
    let task = unsafe { &*task.cast::<Notification>() };
    *task.is_given.lock().unwrap() = true;
    task.given.notify_one();
}

#[unsafe(no_mangle)]
extern "C" fn corepool_port_wait(microseconds: u64) {
    if STOPPED_AT.get().is_some() {
        WAITED.set(microseconds);
        return;
    }
    OWN.with(|own| {
        let limit = Duration::from_micros(microseconds.min(60_000_000));
        let is_given = own.is_given.lock().unwrap();
        let waited = own
            .given
            .wait_timeout_while(is_given, limit, |given| !*given);
        *waited.unwrap().0 = false;
    });
}

#[unsafe(no_mangle)]
extern "C" fn corepool_port_now() -> u64 {
    if let Some(now) = STOPPED_AT.get() {
        return now;
    }
    static START: Mutex<Option<Instant>> = Mutex::new(None);
    let start = *START.lock().unwrap().get_or_insert_with(Instant::now);
    start.elapsed().as_micros() as u64
}

#[unsafe(no_mangle)]
extern "C" fn corepool_port_urgency() -> u8 {
    assert!(!IN_HANDLER.get(), "a handler has no priority in the kernel");
    PRIORITY.get()
}

/// Calls `f` as a handler.
fn in_handler<R>(f: impl FnOnce() -> R) -> R {
    IN_HANDLER.set(true);
    let returned = f();
    IN_HANDLER.set(false);
    returned
}

// SAFETY: the shim is above, and no task is deleted.
static PORT: Rtos = unsafe { Rtos::new() };

#[test]
fn a_task_runs_jobs_and_sleeps_in_between() {
    static POOL: StaticPool<2, 32> = StaticPool::new();
    POOL.install(&PORT);
    thread::scope(|scope| {
        scope.spawn(|| POOL.run(&Task).unwrap());
        for number in 0..100 {
            // In half of the rounds the worker sleeps before.
            while number % 2 == 0 && POOL.idle_workers() == 0 {
                thread::yield_now();
            }
            let job = POOL.submit(move || number).unwrap();
            assert_eq!(job.result().unwrap(), number);
        }
        POOL.shutdown(true, false).unwrap();
    });
}

#[test]
fn of_the_sleeping_tasks_a_submit_wakes_the_most_urgent() {
    static POOL: StaticPool<2, 32, 1, 3> = StaticPool::new();
    POOL.install(&PORT);
    let sleeping = |workers| {
        while POOL.idle_workers() < workers {
            thread::yield_now();
        }
    };
    thread::scope(|scope| {
        // The most urgent is neither the first nor the last.
        for (number, priority) in [(1, 1), (2, 3), (3, 2)] {
            scope.spawn(move || {
                PRIORITY.set(priority);
                POOL.run(&Task).unwrap();
            });
            sleeping(number);
        }
        for _ in 0..100 {
            sleeping(3);
            let job = POOL.submit(|| PRIORITY.get()).unwrap();
            assert_eq!(job.result().unwrap(), 3);
        }
        POOL.shutdown(true, false).unwrap();
    });
}

#[test]
fn a_handler_submits_and_is_refused_a_wait() {
    static POOL: StaticPool<2, 32> = StaticPool::new();
    POOL.install(&PORT);
    let (_promise, future) = POOL.promise::<u32>().unwrap();
    let told = in_handler(|| future.result());
    assert!(matches!(told, Err(JobError::WouldDeadlock)));
    assert_ne!(PORT.context(), in_handler(|| PORT.context()));
}

#[test]
fn a_handler_has_no_urgency() {
    PRIORITY.set(3);
    assert_eq!((Task.urgency(), in_handler(|| Task.urgency())), (3, 0));
}

#[test]
fn a_wait_ends_by_the_kernels_clock() {
    static POOL: StaticPool<2, 32> = StaticPool::new();
    POOL.install(&PORT);
    let (_promise, mut future) = POOL.promise::<u32>().unwrap();
    let limit = Duration::from_millis(5);
    let start = PORT.now().unwrap();
    let told = future.result_timeout(limit);
    assert!(matches!(told, Err(JobError::TimedOut)));
    assert!(PORT.now().unwrap() - start >= limit);
}

/// Numbers of microseconds: some about each power of two and of ten, and the greatest.
fn microseconds() -> impl Iterator<Item = u64> {
    let powers = (0..64)
        .map(|power| 1 << power)
        .chain((0..20).map(|power| 10_u64.pow(power)));
    powers
        .flat_map(|power| [power - 1, power, power + 1])
        .chain([u64::MAX])
}

#[test]
fn the_ports_time_is_the_kernels() {
    for now in microseconds() {
        STOPPED_AT.set(Some(now));
        assert_eq!(PORT.now(), Some(Duration::from_micros(now)));
    }
}

#[test]
fn a_task_waits_in_the_kernel_until_its_deadline() {
    let start = 1_500_000;
    STOPPED_AT.set(Some(start));
    for left in microseconds() {
        let deadline = Duration::from_micros(start) + Duration::from_micros(left);
        Task.park(Some(deadline));
        assert_eq!(WAITED.get(), left);
    }
    // The kernel is told whole microseconds.
    Task.park(Some(
        Duration::from_micros(start) + Duration::from_nanos(2_999),
    ));
    assert_eq!(WAITED.get(), 2);
    for no_wait in [Duration::ZERO, Duration::from_micros(start)] {
        Task.park(Some(no_wait));
        assert_eq!(WAITED.get(), 0);
    }
    for for_ever in [None, Some(Duration::MAX)] {
        Task.park(for_ever);
        assert_eq!(WAITED.get(), u64::MAX);
    }
}

#[test]
fn a_task_may_be_deleted_when_it_has_left_and_its_wakers_are_gone() {
    static POOL: StaticPool<2, 32> = StaticPool::new();
    POOL.install(&PORT);
    let (tell, told) = mpsc::channel();
    let worker = thread::spawn(move || {
        tell.send(this_task().addr()).unwrap();
        POOL.run(&Task).unwrap();
    });
    let worker_task = ptr::with_exposed_provenance_mut(told.recv().unwrap());
    while POOL.workers() == 0 {
        thread::yield_now();
    }
    assert!(!may_be_deleted(worker_task));
    POOL.shutdown(true, false).unwrap();
    worker.join().unwrap();
    assert!(may_be_deleted(worker_task));
}

#[test]
fn a_task_that_only_submits_may_be_deleted() {
    static POOL: StaticPool<2, 32> = StaticPool::new();
    POOL.install(&PORT);
    let submitter = thread::spawn(|| {
        POOL.submit_detached(|| ()).unwrap();
        this_task().addr()
    });
    let task = ptr::with_exposed_provenance_mut(submitter.join().unwrap());
    assert!(may_be_deleted(task));
}

#[test]
fn a_waker_of_a_handler_wakes_nobody_and_its_park_returns() {
    IN_HANDLER.set(true);
    let waker = Task.waker();
    Task.park(None);
    waker.wake_by_ref();
    waker.wake();
    IN_HANDLER.set(false);
}
