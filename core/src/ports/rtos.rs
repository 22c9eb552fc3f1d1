//! Tasks of an RTOS: the port for a kernel in C, over four functions. Needs the feature `rtos`.
//!
//! The application compiles and links a source of this crate's folder `shims`: `freertos.c` or
//! `zephyr.c`, each for one core and for SMP. It implements the functions of [`shim`] for the kernel.
//! Another kernel needs about forty lines.
//!
//! A worker is a task that calls `POOL.run(&Task)`, at the priority that the jobs are to have. Of
//! several sleeping workers, a submit wakes the one of the most urgent task. Any task submits, and any
//! handler that may call the kernel.
//!
//! ```no_run
//! use corepool::{
//!     StaticPool,
//!     ports::rtos::{Rtos, Task},
//! };
//!
//! static POOL: StaticPool<8, 32> = StaticPool::new();
//!
//! // SAFETY: the shim is linked, and tasks are deleted as `may_be_deleted` says.
//! static PORT: Rtos = unsafe { Rtos::new() };
//!
//! /// The function of a task.
//! extern "C" fn worker(_: *mut core::ffi::c_void) {
//!     POOL.run(&Task).unwrap();
//! }
//!
//! fn start() {
//!     POOL.install(&PORT);
//!     // create the tasks, and start the scheduler
//! }
//! ```

use core::{
    ffi::c_void,
    ptr,
    task::{RawWaker, RawWakerVTable, Waker},
    time::Duration,
};

use crate::{
    lockfree::sync::{AtomicUsize, Ordering},
    machine::{
        port::{ContextId, Parker, Port},
        worker::Worker,
    },
};

/// The functions of the shim, in C.
pub mod shim {
    use core::ffi::c_void;

    unsafe extern "C" {
        /// The name of the calling context, which is never 0. The name of a task is the task's address,
        /// and that of a handler a small number. Sets `task` to the calling task, or to null if the
        /// context may not block: a handler, or any context before the scheduler runs.
        pub fn corepool_port_context(task: *mut *mut c_void) -> usize;

        /// Ends the current or the next wait of a task. Any context that may call the kernel may call
        /// this.
        pub fn corepool_port_notify(task: *mut c_void);

        /// Waits until the calling task has been notified since its last wait, or until the time has
        /// passed. `u64::MAX` is for ever. The call may return early.
        pub fn corepool_port_wait(microseconds: u64);

        /// The time since the start of the kernel, in microseconds. It never goes back.
        pub fn corepool_port_now() -> u64;

        /// The priority of the calling task. A more urgent task has a greater one, and 0 is the least.
        pub fn corepool_port_urgency() -> u8;
    }
}

/// The name of the calling context, and the calling task if it may block.
fn this_task() -> (usize, *mut c_void) {
    let mut task = ptr::null_mut();
    // SAFETY: `Rtos::new` promises a shim that may be called in any context of a pool.
    let name = unsafe { shim::corepool_port_context(&mut task) };
    (name, task)
}

/// The most tasks whose wakers are counted.
const TASKS: usize = 32;

/// The wakers of one task.
struct Counted {
    /// The address of the task. 0 until its first waker. The entry stays that task's.
    task: AtomicUsize,
    wakers: AtomicUsize,
}

static COUNTS: [Counted; TASKS] = [const {
    Counted {
        task: AtomicUsize::new(0),
        wakers: AtomicUsize::new(0),
    }
}; TASKS];

/// The count of a task's wakers. `None` for a null task, and if the task has no count and none is free.
fn count_of(task: *mut c_void) -> Option<&'static AtomicUsize> {
    if task.is_null() {
        return None;
    }
    let own = |entry: &&Counted| {
        // Relaxed: an entry goes from 0 to one task, and stays that task's. The compare-and-swap
        // sees the task even if this load does not.
        let found = entry.task.load(Ordering::Relaxed);
        found == task.addr()
            || found == 0
                && entry
                    .task
                    .compare_exchange(0, task.addr(), Ordering::Relaxed, Ordering::Relaxed)
                    .map_or_else(|other| other == task.addr(), |_| true)
    };
    COUNTS.iter().find(own).map(|entry| &entry.wakers)
}

/// Whether the wakers of a task are gone, so that the task may be deleted.
///
/// A pool and its callers keep wakers of the tasks that are workers, block, or open a scope. A party
/// that wakes a task may be delayed for any time while it holds the waker. So a task may be deleted if
/// it has returned from its last call of a pool, and this function returns true. The function may
/// return false for some time after that call.
///
/// A task that only submits has no waker, so it may be deleted. The port counts the wakers of the first
/// 32 tasks that have any. From then on, the function returns false for each other task: such a task
/// is never deleted. If the kernel gives a deleted task's handle to a new task, the new one has the old
/// one's count.
///
/// * **Context**: any.
/// * **Cost**: O(1): up to 32 loads.
///
/// ```no_run
/// use core::ffi::c_void;
/// use corepool::ports::rtos::may_be_deleted;
///
/// /// Deletes a task that has returned from the pool, as soon as no waker of it is left.
/// fn delete(task: *mut c_void, delay: impl Fn(), delete: impl Fn(*mut c_void)) {
///     while !may_be_deleted(task) {
///         delay();
///     }
///     delete(task);
/// }
/// ```
pub fn may_be_deleted(task: *mut c_void) -> bool {
    let is_free = |entry: &Counted| {
        // Relaxed: the application has seen the task return, and so sees the entries that the task saw.
        let found = entry.task.load(Ordering::Relaxed);
        if found == task.addr() {
            // Acquire: pairs with the Release in `drop_waker`.
            Some(entry.wakers.load(Ordering::Acquire) == 0)
        } else {
            // The entries are taken in order. So a task that has one has it before a free one.
            (found == 0).then_some(true)
        }
    };
    COUNTS.iter().find_map(is_free).unwrap_or(false)
}

/// The functions of a task's wakers, whose data is the task's handle. The wakers are counted.
const VTABLE: &RawWakerVTable = &RawWakerVTable::new(clone_waker, wake, wake_by_ref, drop_waker);

fn clone_waker(task: *const ()) -> RawWaker {
    if let Some(count) = count_of(task.cast_mut().cast()) {
        // Relaxed: the caller has a waker already, or is the task itself, so the task is not deleted.
        count.fetch_add(1, Ordering::Relaxed);
    }
    RawWaker::new(task, VTABLE)
}

fn wake(task: *const ()) {
    wake_by_ref(task);
    drop_waker(task);
}

fn wake_by_ref(task: *const ()) {
    if task.is_null() {
        return;
    }
    // SAFETY: the task is not deleted while it has a waker, as `Rtos::new` promises.
    unsafe { shim::corepool_port_notify(task.cast_mut().cast()) };
}

fn drop_waker(task: *const ()) {
    if let Some(count) = count_of(task.cast_mut().cast()) {
        // Release: pairs with the Acquire in `may_be_deleted`. The party has used the handle for the
        // last time.
        count.fetch_sub(1, Ordering::Release);
    }
}

/// The calling task, as a worker and as a parker. It sleeps in the kernel.
///
/// In a handler there is no such task: the waker wakes no task then, and the park returns at once.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Task;

impl Parker for Task {
    fn waker(&self) -> Waker {
        let (_, task) = this_task();
        // SAFETY: for a null task the functions of the table do nothing. They use any other handle as
        // the shim allows, in any context, and while the handle is counted.
        unsafe { Waker::from_raw(clone_waker(task.cast_const().cast())) }
    }

    fn park(&self, deadline: Option<Duration>) {
        let microseconds = deadline.map_or(u64::MAX, |deadline| {
            let left = deadline.saturating_sub(now());
            // `as_micros` would count in 128 bits.
            let micros = left.as_secs().saturating_mul(MICROS);
            micros.saturating_add(left.subsec_micros().into())
        });
        if !this_task().1.is_null() {
            // SAFETY: the caller is a task that may block, by `this_task`.
            unsafe { shim::corepool_port_wait(microseconds) };
        }
    }
}

impl Worker for Task {
    /// The priority of the task when it joins.
    fn urgency(&self) -> u8 {
        if this_task().1.is_null() {
            // A handler, or `main` before the scheduler: the kernel knows no priority of the caller.
            return 0;
        }
        // SAFETY: the caller is a task that may block, by `this_task`.
        unsafe { shim::corepool_port_urgency() }
    }
}

fn now() -> Duration {
    // SAFETY: as for `this_task`.
    since_the_start(unsafe { shim::corepool_port_now() })
}

/// The microseconds of a second.
const MICROS: u64 = 1_000_000;

/// The duration of so many microseconds, as `from_micros` has it. A chip of 32 bits has no instruction
/// for a division of 64 bits, and this function needs none.
fn since_the_start(micros: u64) -> Duration {
    // A second has 2^6 * 15,625 microseconds. The division by 15,625 goes by digits of 16 bits.
    const STEPS: u32 = (MICROS >> 6) as u32;
    let (mut seconds, mut rest) = (0, 0);
    for digit in [48, 32, 16, 0] {
        let part = rest << 16 | (micros >> 6 >> digit) as u32 & 0xffff;
        seconds = seconds << 16 | u64::from(part / STEPS);
        rest = part % STEPS;
    }
    let micros = rest << 6 | micros as u32 & 0x3f;
    Duration::new(seconds, micros * 1_000)
}

/// The port of a pool whose workers are tasks of an RTOS.
///
/// ```no_run
/// use corepool::{StaticPool, ports::rtos::Rtos};
///
/// static POOL: StaticPool<8, 32> = StaticPool::new();
/// // SAFETY: the shim is linked, tasks are deleted as `may_be_deleted` says, and handlers may call the kernel.
/// static PORT: Rtos = unsafe { Rtos::new() };
///
/// fn before_the_scheduler_starts() {
///     POOL.install(&PORT);
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Rtos(());

impl Rtos {
    /// The port. It has no state.
    ///
    /// # Safety
    ///
    /// * The functions of [`shim`] are linked, and keep to their documentation.
    /// * A task that has called a pool with this port is not deleted before [`may_be_deleted`] says so.
    /// * No handler that may not call the kernel uses the pool, nor wakes its tasks.
    pub const unsafe fn new() -> Self {
        Self(())
    }
}

// SAFETY: the contexts that can be under way at the same time are tasks and handlers. The shim has a
// name for each, as the caller of `new` promises. The default `catch_panic` calls `f` once.
unsafe impl Port for Rtos {
    fn context(&self) -> ContextId {
        let (name, _) = this_task();
        ContextId::new(name).unwrap_or(ContextId::MIN)
    }

    fn now(&self) -> Option<Duration> {
        Some(now())
    }

    /// Tasks block, while the scheduler runs. Handlers may not, nor may `main`.
    fn with_parker(&self, f: &mut dyn FnMut(&dyn Parker)) {
        let (_, task) = this_task();
        if !task.is_null() {
            f(&Task);
        }
    }

    /// Tasks are sure to come as workers.
    fn blocked_callers_run_jobs(&self) -> bool {
        false
    }
}
