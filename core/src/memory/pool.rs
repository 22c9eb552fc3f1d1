//! The pool: one piece of memory, found by its address and its geometry.
//!
//! The memory begins with [`Shared`], which all parties use. The arrays of slots, lanes, cells,
//! waiters' places and seats follow. Their lengths are the pool's parameters, which a `JobFuture`
//! should not have in its type. So the code works on [`Pool`]: the address of the memory, and the
//! address of its [`Geometry`], which has the offset of each array. [`locate`](super::locate) finds
//! the parts.
//!
//! All of the memory is zero at first, so that a pool in a `static` needs no flash for its initial
//! value.

use core::{
    marker::PhantomData,
    mem::MaybeUninit,
    ptr::{self, NonNull},
    task::RawWakerVTable,
};

use crate::{
    lockfree::free_list::FreeList,
    lockfree::padding::APART,
    lockfree::part,
    lockfree::stale::Stale,
    lockfree::sync::{AtomicPtr, Ordering, UnsafeCell, const_unless_loom},
    machine::port::Port,
    memory::geometry::Geometry,
    memory::joined::Joined,
    memory::phase::{PORT, Phase},
};

/// The parts of which each pool has one.
#[repr(C)]
pub(crate) struct Shared {
    pub(crate) free: FreeList,
    pub(crate) stale: Stale,
    /// Avoids false sharing: submitters write the free list for each job, and workers read the
    /// following fields for each job.
    apart: [u8; APART],
    phase: Phase,
    joined: Joined,
    /// Null until the first slot is claimed.
    pub(crate) geometry: AtomicPtr<Geometry>,
    /// The table of the wakers of this pool's tasks, which find the pool from a slot's address.
    /// Null until the first task is submitted, so that a program without tasks has no code for
    /// wakers.
    task_wakers: AtomicPtr<RawWakerVTable>,
    /// Protected by `PORT_TAKEN` and `PORT`.
    installed: UnsafeCell<MaybeUninit<&'static dyn Machine>>,
}

impl Shared {
    const_unless_loom! {
        pub(crate) fn new() -> Self {
            Self {
                free: FreeList::new(),
                stale: Stale::new(),
                apart: [0; APART],
                phase: Phase::new(),
                joined: Joined::new(),
                geometry: AtomicPtr::new(ptr::null_mut()),
                task_wakers: AtomicPtr::new(ptr::null_mut()),
                installed: UnsafeCell::new(MaybeUninit::uninit()),
            }
        }
    }
}

/// A port, with the work that a pool does only if it has one. The engine implements it for each port
/// that is installed, so that a program without a port has no code for it.
pub(crate) trait Machine: Port {
    /// Runs up to `max` queued jobs in a worker's seat. The seat is the caller's, or one that the
    /// caller takes meanwhile.
    fn run_pending(&self, pool: Pool<'_>, max: usize) -> usize;
}

/// A pool of any size.
#[derive(Clone, Copy)]
pub(crate) struct Pool<'p> {
    /// Invariant: points to the memory of a pool of this geometry, valid for 'p, initialised, and
    /// reachable through this pointer as a whole.
    shared: NonNull<Shared>,
    geometry: &'p Geometry,
    pool: PhantomData<&'p Shared>,
}

// SAFETY: all that is reachable is shared under the protocols of the modules, which allow any
// number of contexts. Jobs and results are `Send` by the bounds of the submitting methods.
unsafe impl Send for Pool<'_> {}

// SAFETY: as above.
unsafe impl Sync for Pool<'_> {}

/// A pool in one word, for the holder of a slot. Once a slot is claimed, the pool's memory has the
/// geometry's address.
#[derive(Clone, Copy)]
pub(crate) struct PoolInUse<'p> {
    /// Invariant: that of `Pool`, and a slot of the pool was claimed.
    shared: NonNull<Shared>,
    pool: PhantomData<&'p Shared>,
}

impl<'p> PoolInUse<'p> {
    #[inline(always)]
    pub(crate) fn pool(self) -> Pool<'p> {
        // SAFETY: the type's invariant.
        unsafe {
            // Relaxed: `Slots::claim_fresh` writes it before it returns the slot for the first
            // time, and the holder has seen that.
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
    /// The caller has claimed a slot, or has a slot from a party that claimed it.
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

    /// The pool's phase.
    #[inline(always)]
    pub(crate) fn phase(self) -> &'p Phase {
        &self.shared().phase
    }

    /// The count of workers and guests.
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

    /// Sets the table for the wakers of this pool's tasks. It is called before each submit of a
    /// task.
    pub(crate) fn set_task_wakers(self, wakers: &'static RawWakerVTable) {
        let cell = &self.shared().task_wakers;
        // Stored once only, since workers read the fields beside it for each job. Relaxed: all
        // callers store equal tables, and the submit of the task publishes it.
        if cell.load(Ordering::Relaxed).is_null() {
            cell.store(ptr::from_ref(wakers).cast_mut(), Ordering::Relaxed);
        }
    }

    /// Whether `wakers` is the table of the wakers of this pool's tasks.
    pub(crate) fn are_task_wakers(self, wakers: &'static RawWakerVTable) -> bool {
        let table = self.shared().task_wakers.load(Ordering::Relaxed);
        ptr::eq(table, wakers)
    }

    /// The table of the wakers of this pool's tasks.
    ///
    /// # Safety
    ///
    /// `set_task_wakers` happened before.
    pub(crate) unsafe fn task_wakers(self) -> &'static RawWakerVTable {
        // SAFETY: `set_task_wakers` stored a reference (the caller's promise).
        unsafe { &*self.shared().task_wakers.load(Ordering::Relaxed) }
    }

    /// The port, if one is installed.
    #[inline(always)]
    pub(crate) fn port(self) -> Option<&'static dyn Port> {
        self.port_in(self.phase().bits())
    }

    /// The port, if these bits of the phase include `PORT`.
    #[inline(always)]
    pub(crate) fn port_in(self, bits: u32) -> Option<&'static dyn Port> {
        Some(self.machine_in(bits)?)
    }

    /// The port with the engine's additions, if these bits of the phase include `PORT`.
    #[inline(always)]
    pub(crate) fn machine_in(self, bits: u32) -> Option<&'static dyn Machine> {
        if bits & PORT == 0 || !part::PORTS.is_used() {
            return None;
        }
        self.machine()
    }

    /// The installed port. Many pools on chips have none.
    #[cfg_attr(target_os = "none", cold)]
    #[cfg_attr(not(target_os = "none"), inline)]
    fn machine(self) -> Option<&'static dyn Machine> {
        if self.phase().bits_with_port() & PORT == 0 {
            return None;
        }
        self.shared().installed.with(|cell| {
            // SAFETY: PORT is set after it was written, and it is not written again.
            Some(unsafe { *(*cell).assume_init_ref() })
        })
    }

    /// Installs the port. False if there is a port already. False, too, while the pool has a worker or
    /// guest: the pool would not know its context.
    pub(crate) fn install(self, port: &'static dyn Machine) -> bool {
        if self.joined().count() != 0 || !self.phase().take_port() {
            return false;
        }
        self.shared().installed.with_mut(|cell| {
            // SAFETY: only the caller that `take_port` let through gets here, and no party reads it
            // before PORT.
            unsafe { (*cell).write(port) };
        });
        self.phase().publish_port();
        true
    }
}
