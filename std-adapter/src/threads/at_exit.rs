//! The process's end: the pools that are alive finish their work before it.
//!
//! The first pool registers [`at_exit`] with the C library, which calls it when `main` has returned or
//! `std::process::exit` was called. By then the thread that ends the process has dropped its thread-locals, and a
//! wait needs those. So another thread waits for the pools, and the exiting thread joins that one.
//!
//! A job may call `exit`. The worker of that job cannot wait for the job's end, nor for jobs that wait for it. So
//! a worker's exit waits for no pool.

use std::{
    cell::Cell,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

/// A pool whose work is to be finished before the process ends.
pub(super) trait EndsWithProcess: Send + Sync {
    /// The pool takes no new work from now on.
    fn refuse_work(&self);

    /// Waits until the work is done and the pool's threads have ended. The caller is none of those.
    fn wait_for_end(&self);
}

/// The pools that are alive, and whose work is to be finished.
static POOLS: Mutex<Vec<Weak<dyn EndsWithProcess>>> = Mutex::new(Vec::new());

thread_local! {
    /// Whether this is a thread of a pool. It has no destructor, so it can be read while the thread ends the process.
    static IS_WORKER: Cell<bool> = const { Cell::new(false) };
}

fn pools() -> MutexGuard<'static, Vec<Weak<dyn EndsWithProcess>>> {
    // No foreign code runs under this lock, and the list is whole at each step.
    POOLS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The process's end waits for this pool, until [`forget`] is called.
pub(super) fn finish_at_exit(pool: Weak<dyn EndsWithProcess>) {
    pools().push(pool);
    #[cfg(unix)]
    system::register();
}

/// The pool is gone. It is one that the process's end may have waited for.
pub(super) fn forget(pool: *const ()) {
    let mut pools = pools();
    pools.retain(|other| !std::ptr::addr_eq(other.as_ptr(), pool));
    if pools.is_empty() {
        // No memory of the heap is left to a process without pools.
        *pools = Vec::new();
    }
}

/// The calling thread is one of a pool's.
pub(super) fn this_is_a_worker() {
    IS_WORKER.set(true);
}

/// Waits until all pools have finished their work, and those that their jobs build meanwhile.
#[cfg_attr(not(unix), allow(dead_code))]
fn finish_all() {
    loop {
        let pools = mem::take(&mut *pools());
        let pools: Vec<Arc<dyn EndsWithProcess>> = pools.iter().filter_map(Weak::upgrade).collect();
        if pools.is_empty() {
            return;
        }
        // All of them refuse work before any is waited for, so that the order of the pools has no effect.
        for pool in &pools {
            pool.refuse_work();
        }
        for pool in &pools {
            pool.wait_for_end();
        }
    }
}

#[cfg(unix)]
mod system {
    use std::{
        io::{self, Write},
        process,
        sync::OnceLock,
        thread,
    };

    use super::{IS_WORKER, finish_all, pools};
    use crate::panic::caught;

    /// The process that has registered [`at_exit`].
    static PROCESS: OnceLock<u32> = OnceLock::new();

    /// Has the C library call [`at_exit`] at the end of this process.
    pub(super) fn register() {
        PROCESS.get_or_init(|| {
            // SAFETY: `at_exit` may be called in any thread and at any time, and does not unwind. If the library has no
            // memory for it, the process ends as if the hook were off.
            let _refused = unsafe { libc::atexit(at_exit) };
            process::id()
        });
    }

    extern "C" fn at_exit() {
        // A forked copy of the process has the list of pools, but none of their threads.
        let is_copy = PROCESS.get() != Some(&process::id());
        if is_copy || IS_WORKER.get() || pools().is_empty() {
            return;
        }
        let finisher = || thread::Builder::new().name("corepool-exit".into());
        let started = caught(|| finisher().spawn(finish_all));
        match started {
            // If it panics, the standard library has reported that.
            Ok(Ok(finisher)) => drop(finisher.join()),
            Ok(Err(error)) => say(&error.to_string()),
            Err(_) => say("it panicked"),
        }
    }

    /// Tells the user that work is lost. If standard error is closed, nobody is told.
    fn say(error: &str) {
        let _ = writeln!(
            io::stderr(),
            "corepool: no thread can wait for the pools' work at the end of the process: {error}"
        );
    }
}
