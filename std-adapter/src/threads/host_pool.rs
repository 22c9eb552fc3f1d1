//! A pool of the host, whose threads start on demand.

use std::{
    ptr,
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use corepool::{ContextId, NoWorker, Panic, Parker, PoolConfig, PoolRef, Port, ShutdownError};

use super::{
    at_exit::{self, EndsWithProcess},
    boxed::{Boxed, SLOT_BYTES},
    host_port::context,
    list::{NotEnded, ThreadList},
    owned_pool::OwnedPool,
};
use crate::{
    clock,
    intern::intern,
    panic::{catch_panic, report},
    spin::{blocked, parker::own_parker},
};

/// The view of a host pool, which has the pool's methods.
pub(crate) type View<'p> = PoolRef<'p, SLOT_BYTES, Boxed>;

/// The work of a pool's threads.
pub(crate) trait ThreadMain: Send + Sync + Sized + 'static {
    /// The whole life of the pool's thread with this number, counted from 0. It drops `coming` when it has joined
    /// the pool.
    fn run(pool: &HostPool<Self>, number: usize, coming: Coming<Self>);

    /// How many threads have something to do.
    fn threads_wanted(pool: &HostPool<Self>) -> usize;
}

/// How many callers may wait at a time.
const WAITERS: usize = 32;

/// How a pool's threads are made.
#[derive(Clone, Debug)]
pub(crate) struct ThreadOptions {
    /// How many threads there are at most.
    pub(crate) max: usize,
    /// The beginning of the threads' names, without a NUL.
    pub(crate) name_prefix: String,
    /// How many bytes of stack a thread has; the system's choice if `None`.
    pub(crate) stack_size: Option<usize>,
    /// How often a thread that waits looks again before it parks.
    pub(crate) spins: u32,
    /// Whether the process's end waits for the work.
    pub(crate) finish_at_exit: bool,
}

/// A pool and what its threads share. Each thread holds it. So it is there until the last of them has left, even if
/// one of the pool's own jobs drops the pool.
pub(crate) struct HostPool<M> {
    /// It uses `port`, and is dropped before that, since fields are dropped in their order.
    pool: OwnedPool,
    port: PoolPort<M>,
    /// The work of the threads.
    pub(crate) main: M,
}

/// The pool's port: the host's, and the place where threads start on demand.
struct PoolPort<M> {
    pool: Weak<HostPool<M>>,
    options: ThreadOptions,
    threads: Arc<ThreadList>,
    /// How many threads have started and have not joined the pool yet.
    coming: AtomicUsize,
}

impl<M> PoolPort<M> {
    fn has_all_threads(&self) -> bool {
        self.threads.started() >= self.options.max
    }
}

// SAFETY: `context` gives each thread a name of its own.
unsafe impl<M: ThreadMain> Port for PoolPort<M> {
    fn context(&self) -> ContextId {
        context()
    }

    fn now(&self) -> Option<Duration> {
        Some(clock::now())
    }

    fn with_parker(&self, f: &mut dyn FnMut(&dyn Parker)) {
        f(&own_parker());
    }

    fn spin(&self, round: u32, queued: &dyn Fn() -> usize) -> bool {
        blocked::looks_again(round, self.options.spins, queued)
    }

    fn blocked_callers_run_jobs(&self) -> bool {
        false
    }

    fn catch_panic(&self, f: &mut dyn FnMut()) -> Result<(), Panic> {
        catch_panic(f)
    }

    fn no_idle_worker(&self) -> Result<(), NoWorker> {
        // Every submitter that finds no idle worker comes here. Most often all threads have started. Then it writes no
        // count that others share.
        if !self.has_all_threads()
            && let Some(pool) = self.pool.upgrade()
        {
            pool.start_worker()?;
        }
        Ok(())
    }

    fn worker_is_coming(&self) -> bool {
        self.coming.load(Ordering::SeqCst) > 0
    }

    fn unobserved_failure(&self, panic: Panic) {
        report(panic);
    }
}

/// A thread that has started and has not joined the pool yet. Until this is dropped, a worker that blocks counts on
/// that thread.
pub(crate) struct Coming<M>(Arc<HostPool<M>>);

impl<M> Drop for Coming<M> {
    fn drop(&mut self) {
        self.0.port.coming.fetch_sub(1, Ordering::SeqCst);
    }
}

impl<M: ThreadMain> EndsWithProcess for HostPool<M> {
    fn refuse_work(&self) {
        // Without `wait`, it does not fail.
        let _ = self.shutdown(false, false);
    }

    fn wait_for_end(&self) {
        // The threads stay until the work is done. The caller is none of them.
        let _ = self.wait_for_threads(None);
    }
}

impl<M> Drop for HostPool<M> {
    fn drop(&mut self) {
        if self.port.options.finish_at_exit {
            at_exit::forget(ptr::from_ref(self).cast());
        }
    }
}

impl<M: ThreadMain> HostPool<M> {
    /// A pool of this size, whose numbers are in bounds. No thread starts before the first job.
    pub(crate) fn new(
        capacity: usize,
        priorities: usize,
        options: ThreadOptions,
        main: M,
    ) -> Arc<Self> {
        let config = PoolConfig {
            slots: capacity,
            priorities,
            workers: options.max,
            waiters: WAITERS,
        };
        let pool = Arc::new_cyclic(|weak| Self {
            pool: OwnedPool::new(config),
            port: PoolPort {
                pool: weak.clone(),
                options,
                threads: Arc::default(),
                coming: AtomicUsize::new(0),
            },
            main,
        });
        let port: *const PoolPort<M> = &raw const pool.port;
        // SAFETY: the port is in the pool's `Arc`, which does not move, and outlives the pool in it, by the order
        // of the fields.
        pool.view().install(unsafe { &*port });
        if pool.options().finish_at_exit {
            let weak = Arc::downgrade(&pool);
            at_exit::finish_at_exit(weak);
        }
        pool
    }

    #[inline]
    pub(crate) fn view(&self) -> View<'_> {
        self.pool.lent().pool_ref().spill_to()
    }

    pub(crate) fn options(&self) -> &ThreadOptions {
        &self.port.options
    }

    /// The calling thread, which has this number, is to end before the others, which do the work. A later submit
    /// may start another thread in its place. False if there are no others.
    #[cfg(feature = "process")]
    pub(crate) fn leave_to_others(&self, number: usize) -> bool {
        self.port.threads.leave(number)
    }

    pub(crate) fn threads_started(&self) -> usize {
        self.port.threads.started()
    }

    /// Shuts the pool down, and waits for its work until `timeout` is over. The caller waits for the threads next,
    /// by [`wait_for_threads`](Self::wait_for_threads).
    pub(crate) fn finish_work(
        &self,
        timeout: Option<Duration>,
        cancel_futures: bool,
    ) -> Result<(), ShutdownError> {
        let view = self.view();
        // A thread that drops its thread-locals is one of the pool's, and may be no worker any more.
        if self.port.threads.has_caller() {
            view.shutdown(false, cancel_futures)?;
            return Err(ShutdownError::WouldDeadlock);
        }
        match timeout {
            Some(timeout) => view.shutdown_timeout(timeout, cancel_futures),
            None => view.shutdown(true, cancel_futures),
        }
    }

    /// Waits until the threads, whose work is finished, have ended, or until `deadline`.
    pub(crate) fn wait_for_threads(&self, deadline: Option<Duration>) -> Result<(), ShutdownError> {
        match self.port.threads.wait_for_end(deadline) {
            Ok(()) => Ok(()),
            Err(NotEnded::IsOneOfThem) => Err(ShutdownError::WouldDeadlock),
            Err(NotEnded::TimedOut(workers)) => {
                Err(ShutdownError::StillRunning { jobs: 0, workers })
            }
        }
    }

    /// Shuts the pool down. With `wait`, returns when its work is finished and its threads have ended.
    pub(crate) fn shutdown(&self, wait: bool, cancel_futures: bool) -> Result<(), ShutdownError> {
        if !wait {
            return self.view().shutdown(false, cancel_futures);
        }
        self.finish_work(None, cancel_futures)?;
        self.wait_for_threads(None)
    }

    /// Starts a thread if fewer have started than are wanted and allowed. If the system refuses it, the others do
    /// the work.
    ///
    /// # Errors
    ///
    /// The system refuses the thread, and there is no other.
    fn start_worker(self: &Arc<Self>) -> Result<(), NoWorker> {
        let options = self.options();
        let started = self.port.threads.start(|started, number| {
            // A thread that has nothing to do, or has not come to its queue yet, will take the job.
            if started >= options.max || started >= M::threads_wanted(self) {
                return None;
            }
            let mut builder = thread::Builder::new();
            builder = builder.name(format!("{}-{number}", options.name_prefix));
            if let Some(bytes) = options.stack_size {
                builder = builder.stack_size(bytes);
            }
            let pool = Arc::clone(self);
            self.port.coming.fetch_add(1, Ordering::SeqCst);
            let coming = Coming(Arc::clone(self));
            Some((builder, move || M::run(&pool, number, coming)))
        });
        match started {
            Err(error) if self.threads_started() == 0 => {
                let text = intern("cannot start a worker thread", &error.to_string());
                Err(NoWorker(text))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Threads without work.
    struct Nothing;

    impl ThreadMain for Nothing {
        fn run(_pool: &HostPool<Self>, _number: usize, _coming: Coming<Self>) {}

        fn threads_wanted(_pool: &HostPool<Self>) -> usize {
            0
        }
    }

    fn pool(spins: u32) -> Arc<HostPool<Nothing>> {
        let threads = ThreadOptions {
            max: 1,
            name_prefix: String::from("nothing"),
            stack_size: None,
            spins,
            finish_at_exit: false,
        };
        HostPool::new(1, 1, threads, Nothing)
    }

    #[test]
    fn a_blocked_caller_looks_as_often_as_the_pools_options_say() {
        let looks = |spins, round| pool(spins).port.spin(round, &|| 0);
        assert!(!looks(0, 0));
        assert!(looks(2, 1));
        assert!(!looks(2, 2));
    }

    /// Not even one that blocks before the pool's first thread has joined: jobs run after the initializer.
    #[test]
    fn no_blocked_caller_runs_jobs_of_a_pool_with_threads() {
        assert!(!pool(0).port.blocked_callers_run_jobs());
    }

    #[test]
    fn a_worker_is_coming_from_when_its_thread_is_to_start_until_it_has_joined() {
        let pool = pool(0);
        assert!(!pool.port.worker_is_coming());
        pool.port.coming.fetch_add(1, Ordering::SeqCst);
        let coming = Coming(Arc::clone(&pool));
        assert!(pool.port.worker_is_coming());
        drop(coming);
        assert!(!pool.port.worker_is_coming());
    }
}
