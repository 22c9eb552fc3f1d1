//! The pool: one piece of memory, found by its address and its geometry.
//!
//! The memory begins with what all parties share. Arrays of slots, lanes, cells, waiters' places and seats
//! follow, whose lengths are the pool's parameters. So that a `JobFuture` need not name them in its type,
//! code works on [`Pool`]: the address of the memory, and that of its [`Geometry`], which says where each
//! array begins. [`locate`](super::locate) finds the parts.
//!
//! All of it is zero at first, so that a pool in a `static` needs no flash for its initial value.

use core::{
    marker::PhantomData,
    mem::MaybeUninit,
    ptr::{self, NonNull},
    task::RawWakerVTable,
};

use crate::{
    lockfree::free_list::FreeList,
    lockfree::sync::{AtomicPtr, Ordering, UnsafeCell, const_unless_loom},
    machine::port::Port,
    memory::geometry::Geometry,
    memory::joined::Joined,
    memory::phase::{PORT, Phase},
};

/// What there is one of in every pool.
#[repr(C)]
pub(crate) struct Shared {
    pub(crate) free: FreeList,
    /// Submitters write the free list for each job, and workers read what follows for each: on one
    /// cache line they would wait for each other. 128 bytes, since some processors fetch two lines at
    /// a time. A chip that runs bare has no RAM to spare, and mostly no such cache.
    #[cfg(not(target_os = "none"))]
    apart: [u8; 128],
    phase: Phase,
    joined: Joined,
    /// Null before the first slot is used.
    pub(crate) geometry: AtomicPtr<Geometry>,
    /// Those of the tasks of this pool: know how to get from a slot's address to the pool. Null before the
    /// first task, so that a program without tasks has no code for their wakers.
    task_wakers: AtomicPtr<RawWakerVTable>,
    /// Follows `PORT_TAKEN` and `PORT`.
    installed: UnsafeCell<MaybeUninit<&'static dyn Machine>>,
}

impl Shared {
    const_unless_loom! {
        pub(crate) fn new() -> Self {
            Self {
                free: FreeList::new(),
                #[cfg(not(target_os = "none"))]
                apart: [0; 128],
                phase: Phase::new(),
                joined: Joined::new(),
                geometry: AtomicPtr::new(ptr::null_mut()),
                task_wakers: AtomicPtr::new(ptr::null_mut()),
                installed: UnsafeCell::new(MaybeUninit::uninit()),
            }
        }
    }
}

/// A port, with what the pool does only where there is one. So a program without a port has no code for
/// that: the engine implements it for each port that is installed.
pub(crate) trait Machine: Port {
    /// Runs up to `max` queued jobs in a worker's seat: that of the caller, or one that it takes meanwhile.
    fn run_pending(&self, pool: Pool<'_>, max: usize) -> usize;
}

/// A pool of any size.
#[derive(Clone, Copy)]
pub(crate) struct Pool<'p> {
    /// Invariant: points to a pool's memory that is as `geometry` says, valid for 'p, initialised, and
    /// reachable through this pointer as a whole.
    shared: NonNull<Shared>,
    geometry: &'p Geometry,
    pool: PhantomData<&'p Shared>,
}

// SAFETY: all that is reachable is shared under the protocols of the modules, which are made for
// any number of contexts; jobs and results are `Send` by the bounds of the submitting methods.
unsafe impl Send for Pool<'_> {}

// SAFETY: as above.
unsafe impl Sync for Pool<'_> {}

/// A pool in one word, for those who hold one of its slots: by then it knows its dimensions itself.
#[derive(Clone, Copy)]
pub(crate) struct PoolInUse<'p> {
    /// Invariant: that of `Pool`, and a slot was claimed.
    shared: NonNull<Shared>,
    pool: PhantomData<&'p Shared>,
}

impl<'p> PoolInUse<'p> {
    #[inline(always)]
    pub(crate) fn raw(self) -> Pool<'p> {
        // SAFETY: the type's invariant.
        unsafe {
            // Relaxed: written before the slot was used for the first time, which the holder has seen.
            let geometry = self.shared.as_ref().geometry.load(Ordering::Relaxed);
            Pool::new(self.shared, &*geometry)
        }
    }
}

impl<'p> Pool<'p> {
    /// # Safety
    ///
    /// The type's invariant.
    #[inline(always)]
    pub(crate) unsafe fn new(shared: NonNull<Shared>, geometry: &'p Geometry) -> Self {
        Self {
            shared,
            geometry,
            pool: PhantomData,
        }
    }

    /// The pool for the holder of one of its slots.
    ///
    /// # Safety
    ///
    /// The caller has claimed a slot, or seen that of one who has.
    #[inline(always)]
    pub(crate) unsafe fn in_use(self) -> PoolInUse<'p> {
        PoolInUse {
            shared: self.shared,
            pool: PhantomData,
        }
    }

    /// Whether both are the same pool.
    pub(crate) fn is(self, other: Pool<'_>) -> bool {
        self.shared == other.shared
    }

    #[inline(always)]
    pub(crate) fn geometry(self) -> &'p Geometry {
        self.geometry
    }

    #[inline(always)]
    pub(crate) fn shared(self) -> &'p Shared {
        // SAFETY: the type's invariant; `Shared` is only ever shared.
        unsafe { self.shared.as_ref() }
    }

    /// What has been said about the pool.
    #[inline(always)]
    pub(crate) fn phase(self) -> &'p Phase {
        &self.shared().phase
    }

    /// Who runs its jobs.
    #[inline(always)]
    pub(crate) fn joined(self) -> &'p Joined {
        &self.shared().joined
    }

    /// The address `offset` bytes into the pool.
    #[inline(always)]
    pub(super) fn at<T>(self, offset: usize) -> NonNull<T> {
        // SAFETY: offsets come from `Geometry`, so they stay inside the pool's memory.
        unsafe { self.shared.byte_add(offset).cast() }
    }

    /// Says of what layout the pool is. Before each task is submitted.
    pub(crate) fn set_task_wakers(self, wakers: &'static RawWakerVTable) {
        let cell = &self.shared().task_wakers;
        // Written once, since all read what is beside it for each job. Relaxed: each is as good, and
        // published with the task.
        if cell.load(Ordering::Relaxed).is_null() {
            cell.store(ptr::from_ref(wakers).cast_mut(), Ordering::Relaxed);
        }
    }

    /// Whether this is the table of this pool's tasks' wakers.
    pub(crate) fn are_task_wakers(self, wakers: &'static RawWakerVTable) -> bool {
        let table = self.shared().task_wakers.load(Ordering::Relaxed);
        ptr::eq(table, wakers)
    }

    /// The wakers of this pool's tasks.
    ///
    /// # Safety
    ///
    /// `set_task_wakers` happened before.
    pub(crate) unsafe fn task_wakers(self) -> &'static RawWakerVTable {
        // SAFETY: the caller's promise: it is a reference.
        unsafe { &*self.shared().task_wakers.load(Ordering::Relaxed) }
    }

    /// The port, if one is installed.
    #[inline(always)]
    pub(crate) fn port(self) -> Option<&'static dyn Port> {
        self.port_in(self.phase().bits())
    }

    /// The port, if these bits of the phase say that one is installed.
    #[inline(always)]
    pub(crate) fn port_in(self, bits: u32) -> Option<&'static dyn Port> {
        Some(self.machine_in(bits)?)
    }

    /// The port with what the engine adds to it, if these bits of the phase say that one is installed.
    #[inline(always)]
    pub(crate) fn machine_in(self, bits: u32) -> Option<&'static dyn Machine> {
        if bits & PORT == 0 {
            return None;
        }
        self.machine()
    }

    /// As installed. Not every pool on a chip has one.
    #[cfg_attr(target_os = "none", cold)]
    #[cfg_attr(not(target_os = "none"), inline)]
    fn machine(self) -> Option<&'static dyn Machine> {
        if self.phase().bits_with_port() & PORT == 0 {
            return None;
        }
        self.shared().installed.with(|cell| {
            // SAFETY: PORT says that it was written; it is not written again.
            Some(unsafe { *(*cell).assume_init_ref() })
        })
    }

    /// Installs the port; false if there is one already, or a worker, whose context nobody knows then.
    pub(crate) fn install(self, port: &'static dyn Machine) -> bool {
        if self.joined().count() != 0 || !self.phase().take_port() {
            return false;
        }
        self.shared().installed.with_mut(|cell| {
            // SAFETY: only the caller that `take_port` let through gets here, and nobody reads before PORT.
            unsafe { (*cell).write(port) };
        });
        self.phase().publish_port();
        true
    }
}
