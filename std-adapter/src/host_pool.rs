//! What the pools of the host have in common: memory of their own, and threads that are started on
//! demand.

use std::{
    io,
    mem::MaybeUninit,
    ptr::NonNull,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use corepool::{ContextId, LentPool, Panic, Parker, PoolConfig, PoolRef, Port, Spill};

use crate::port;

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
    fn run(pool: &HostPool<Self>, number: usize);
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
    threads: Mutex<Vec<JoinHandle<()>>>,
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
    started: AtomicUsize,
}

impl<M> PoolPort<M> {
    fn has_all_threads(&self) -> bool {
        self.started.load(Ordering::Relaxed) >= self.options.max
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

    fn no_idle_worker(&self) {
        // Most often nothing is to be done. All who submit come by here: no count of theirs is touched.
        if !self.has_all_threads()
            && let Some(pool) = self.pool.upgrade()
        {
            pool.start_worker();
        }
    }

    fn unobserved_failure(&self, panic: Panic) {
        port::report(panic);
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
                started: AtomicUsize::new(0),
            },
            threads: Mutex::new(Vec::new()),
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

    pub(crate) fn threads_started(&self) -> usize {
        self.port.started.load(Ordering::Relaxed)
    }

    /// Waits for the threads, which have been told to leave.
    pub(crate) fn join(&self) {
        let threads = std::mem::take(&mut *self.threads());
        for thread in threads {
            // Jobs' panics are caught; the thread has nothing else that could panic.
            let _ = thread.join();
        }
    }

    fn threads(&self) -> MutexGuard<'_, Vec<JoinHandle<()>>> {
        // A list of handles has no state that a panic could leave broken.
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a thread if there are fewer than jobs, and fewer than allowed.
    fn start_worker(self: &Arc<Self>) {
        let mut threads = self.threads();
        let number = self.threads_started();
        // A thread that has nothing to do, or has not come to its queue yet, will take the job.
        if self.port.has_all_threads() || number >= self.handle().unfinished() {
            return;
        }
        match self.spawn_thread(number) {
            Ok(thread) => {
                threads.push(thread);
                self.port.started.store(number + 1, Ordering::Relaxed);
            }
            Err(_) if number > 0 => {} // The others do the work.
            Err(_) => self.handle().break_pool("cannot start a worker thread"),
        }
    }

    fn spawn_thread(self: &Arc<Self>, number: usize) -> io::Result<JoinHandle<()>> {
        let pool = Arc::clone(self);
        let options = self.options();
        let mut builder = thread::Builder::new().name(format!("{}-{number}", options.name_prefix));
        if let Some(bytes) = options.stack_size {
            builder = builder.stack_size(bytes);
        }
        builder.spawn(move || M::run(&pool, number))
    }
}
