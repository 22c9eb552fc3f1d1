//! What the pools of the host have in common: memory of their own, and threads that are started on
//! demand.

use std::{
    mem::MaybeUninit,
    ptr::NonNull,
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use corepool::{
    ContextId, LentPool, NoWorker, Panic, Parker, PoolConfig, PoolRef, Port, ShutdownError, Spill,
};

use crate::{
    port,
    text::kept,
    thread_list::{NotEnded, ThreadList},
};

/// How many bytes a slot of a host pool has: jobs and results up to this size take no heap.
pub const SLOT_BYTES: usize = 64;

/// The view of a host pool to work with.
pub(crate) type Handle<'p> = PoolRef<'p, SLOT_BYTES, Boxed>;

/// Stores jobs and results that do not fit a slot on the heap.
#[derive(Clone, Copy, Debug)]
pub struct Boxed;

// SAFETY: a box stays where it is until it is freed, and is freed here without dropping its value.
unsafe impl Spill for Boxed {
    const CAN_SPILL: bool = true;

    fn store<V>(value: V) -> NonNull<V> {
        NonNull::from(Box::leak(Box::new(value)))
    }

    unsafe fn release<V>(place: NonNull<V>) {
        // SAFETY: from `store`, by the caller's promise; a `MaybeUninit` does not drop its value.
        drop(unsafe { Box::from_raw(place.cast::<MaybeUninit<V>>().as_ptr()) });
    }
}

/// What the threads of a pool do.
pub(crate) trait ThreadMain: Send + Sync + Sized + 'static {
    /// The whole life of the pool's thread with this number, from 0 on.
    /// `coming` is to be dropped when it has joined the pool.
    fn run(pool: &HostPool<Self>, number: usize, coming: Coming<Self>);

    /// How many threads have something to do.
    fn threads_wanted(pool: &HostPool<Self>) -> usize;
}

/// How a pool's threads are made.
#[derive(Clone, Debug)]
pub(crate) struct Threads {
    /// How many at most.
    pub(crate) max: usize,
    /// Without a NUL.
    pub(crate) name_prefix: String,
    /// As the system likes, if `None`.
    pub(crate) stack_size: Option<usize>,
    /// How often a caller that is about to sleep looks again first.
    pub(crate) spins: u32,
}

/// A pool and what its threads share. The threads hold it, so that it is there until the last of
/// them has left, even if the pool is dropped by one of its own jobs.
pub(crate) struct HostPool<M> {
    /// In `_memory`; dropped before it, since fields drop in order.
    pool: LentPool<'static, SLOT_BYTES>,
    /// Not to be touched while `pool` is there.
    _memory: Memory,
    port: PoolPort<M>,
    /// What the threads do.
    pub(crate) main: M,
}

/// The pool's memory: freed when dropped, otherwise only kept.
struct Memory(NonNull<[MaybeUninit<u64>]>);

// SAFETY: it is only kept and freed.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: it was leaked from a box in `HostPool::new`, and the pool in it is gone.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

/// The host, and the place where threads are started on demand.
struct PoolPort<M> {
    pool: Weak<HostPool<M>>,
    options: Threads,
    threads: Arc<ThreadList>,
    /// How many threads have been started that have not joined the pool yet.
    coming: AtomicUsize,
}

impl<M> PoolPort<M> {
    fn has_all_threads(&self) -> bool {
        self.threads.started() >= self.options.max
    }
}

// SAFETY: each thread has a number of its own.
unsafe impl<M: ThreadMain> Port for PoolPort<M> {
    fn context(&self) -> ContextId {
        port::context()
    }

    fn now(&self) -> Option<Duration> {
        Some(port::now())
    }

    fn with_parker(&self, f: &mut dyn FnMut(&dyn Parker)) {
        port::with_parker(f);
    }

    fn spin(&self, round: u32, queued: &dyn Fn() -> usize) -> bool {
        port::wait(round, self.options.spins, queued)
    }

    fn lends_blocked_callers(&self) -> bool {
        false
    }

    fn catch_panic(&self, f: &mut dyn FnMut()) -> Result<(), Panic> {
        port::catch_panic(f)
    }

    fn no_idle_worker(&self) -> Result<(), NoWorker> {
        // Most often nothing is to be done. All who submit come by here: no count of theirs is touched.
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
        port::report(panic);
    }
}

/// A thread that was started and has not joined the pool yet. Until this is dropped, a worker that blocks counts on
/// it.
pub(crate) struct Coming<M>(Arc<HostPool<M>>);

impl<M> Drop for Coming<M> {
    fn drop(&mut self) {
        self.0.port.coming.fetch_sub(1, Ordering::SeqCst);
    }
}

impl<M: ThreadMain> HostPool<M> {
    /// A pool of this size, whose numbers are in bounds. No thread starts before the first job.
    pub(crate) fn new(config: PoolConfig, options: Threads, main: M) -> Arc<Self> {
        let words = vec![MaybeUninit::uninit(); config.words::<SLOT_BYTES>()];
        let memory = NonNull::from(Box::leak(words.into_boxed_slice()));
        let pool = Arc::new_cyclic(|weak| Self {
            // SAFETY: leaked just now, so it is unique; `Memory` frees it after the pool is gone.
            pool: LentPool::new(unsafe { &mut *memory.as_ptr() }, config)
                .unwrap_or_else(|error| unreachable!("{error}")),
            _memory: Memory(memory),
            port: PoolPort {
                pool: weak.clone(),
                options,
                threads: Arc::default(),
                coming: AtomicUsize::new(0),
            },
            main,
        });
        let port: *const PoolPort<M> = &raw const pool.port;
        // SAFETY: the port is in the pool's `Arc`, which does not move and outlives the pool in it.
        pool.handle().install(unsafe { &*port });
        pool
    }

    #[inline]
    pub(crate) fn handle(&self) -> Handle<'_> {
        self.pool.handle().spill_to()
    }

    pub(crate) fn options(&self) -> &Threads {
        &self.port.options
    }

    /// The thread that calls, which has this number, ends before the others, which do the work. A later submit may
    /// start another in its place. False if there are no others.
    #[cfg(feature = "process")]
    pub(crate) fn leave_to_others(&self, number: usize) -> bool {
        self.port.threads.leave(number)
    }

    pub(crate) fn threads_started(&self) -> usize {
        self.port.threads.started()
    }

    /// Ends the pool, and waits for its work, for no longer than `timeout`. For its threads the caller waits next, by
    /// [`wait_for_threads`](Self::wait_for_threads).
    pub(crate) fn finish_work(
        &self,
        timeout: Option<Duration>,
        cancel_futures: bool,
    ) -> Result<(), ShutdownError> {
        let handle = self.handle();
        // Such a thread may be no worker any more, while its thread-locals are dropped.
        if self.port.threads.has_caller() {
            handle.shutdown(false, cancel_futures)?;
            return Err(ShutdownError::WouldDeadlock);
        }
        match timeout {
            Some(timeout) => handle.shutdown_timeout(timeout, cancel_futures),
            None => handle.shutdown(true, cancel_futures),
        }
    }

    /// Waits for the threads, whose work is finished, for no longer than until `deadline`.
    pub(crate) fn wait_for_threads(&self, deadline: Option<Duration>) -> Result<(), ShutdownError> {
        match self.port.threads.wait_for_end(deadline) {
            Ok(()) => Ok(()),
            Err(NotEnded::IsOneOfThem) => Err(ShutdownError::WouldDeadlock),
            Err(NotEnded::TimedOut(workers)) => {
                Err(ShutdownError::StillRunning { jobs: 0, workers })
            }
        }
    }

    /// Ends the pool, and with `wait` returns when its work is finished and its threads have ended.
    pub(crate) fn shutdown(&self, wait: bool, cancel_futures: bool) -> Result<(), ShutdownError> {
        if !wait {
            return self.handle().shutdown(false, cancel_futures);
        }
        self.finish_work(None, cancel_futures)?;
        self.wait_for_threads(None)
    }

    /// Starts a thread if there are fewer than have something to do, and fewer than allowed. If the system refuses,
    /// the others do the work; an error if there is none.
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
                let text = kept("cannot start a worker thread", &error.to_string());
                Err(NoWorker(text))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How threads without work spend their time.
    struct Nothing;

    impl ThreadMain for Nothing {
        fn run(_pool: &HostPool<Self>, _number: usize, _coming: Coming<Self>) {}

        fn threads_wanted(_pool: &HostPool<Self>) -> usize {
            0
        }
    }

    fn pool(spins: u32) -> Arc<HostPool<Nothing>> {
        let config = PoolConfig {
            slots: 1,
            priorities: 1,
            workers: 1,
            waiters: 1,
        };
        let threads = Threads {
            max: 1,
            name_prefix: String::from("nothing"),
            stack_size: None,
            spins,
        };
        HostPool::new(config, threads, Nothing)
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
        assert!(!pool(0).port.lends_blocked_callers());
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
