//! Wakers of async tasks.
//!
//! A task's waker is its slot's address. It needs no reference count, since the slots of a pool in
//! a `static` never go away. A waker that outlives its task may wake the slot's next tenant. Rust's
//! futures allow that: a closure ignores it, and a task is polled once without need. The state word
//! decides whether a wake-up queues the slot, so the slot is in the queue at most once.
//!
//! The waker finds the pool from the slot's address. The slot's header has its index, and the
//! waker's vtable has the layout of the pool's type.

use core::{
    marker::PhantomData,
    mem::ManuallyDrop,
    ptr::NonNull,
    task::{RawWaker, RawWakerVTable, Waker},
};

use crate::{
    lockfree::state::{BUSY, DONE, TASK},
    memory::geometry::Geometry,
    memory::phase::{BROKEN, SHUT_DOWN},
    memory::pool::{Pool, Shared},
    memory::seat::SeatRef,
    memory::slot::{Header, SlotRef},
};

/// The layout of a pool's type: it leads from the pool's address to the geometry.
pub(crate) trait PoolLayout {
    /// The offset of the slots.
    const SLOTS_AT: usize;
    /// The size of a slot.
    const SLOT_SIZE: usize;

    /// The pool's geometry.
    ///
    /// # Safety
    ///
    /// `pool` is the address of a pool of this layout that lives for ever.
    unsafe fn geometry(pool: NonNull<Shared>) -> &'static Geometry;
}

/// The wakers of pools of layout `L`.
pub(crate) struct TaskWakers<L>(PhantomData<L>);

impl<L: PoolLayout> TaskWakers<L> {
    pub(crate) const TABLE: RawWakerVTable =
        RawWakerVTable::new(Self::clone, Self::wake, Self::wake, Self::drop);

    unsafe fn clone(address: *const ()) -> RawWaker {
        if let Some(header) = NonNull::new(address.cast_mut().cast::<Header>()) {
            // SAFETY: a task's waker carries the address of a slot of a pool that lives for ever.
            unsafe { SlotRef::new(header) }.state.set_cloned();
        }
        RawWaker::new(address, &Self::TABLE)
    }

    unsafe fn wake(address: *const ()) {
        let Some(header) = NonNull::new(address.cast_mut().cast::<Header>()) else {
            return;
        };
        // SAFETY: a task's waker carries the address of a slot of a pool that lives for ever.
        let slot = unsafe { SlotRef::new(header) };
        let Some(state) = slot.state.wake() else {
            return;
        };
        let index = slot.index();
        let offset = L::SLOTS_AT + usize::from(index) * L::SLOT_SIZE;
        // SAFETY: the address is that of the pool plus this offset, made from the pool's pointer,
        // which reaches all of the pool.
        let pool = unsafe {
            let shared = header.byte_sub(offset).cast::<Shared>();
            Pool::new(shared, L::geometry(shared))
        };
        pool.queues().push(index, state.priority());
        if pool.seats().wake_one() & (SHUT_DOWN | BROKEN) != 0 {
            // The pool's end may have ended the task before it was queued.
            pool.slots().reap();
        }
    }

    unsafe fn drop(_address: *const ()) {}
}

/// The waker of the task in a slot.
///
/// # Safety
///
/// The pool lives for ever, and the slot's job was spawned: after `set_task_wakers`.
pub(crate) unsafe fn task_waker(pool: Pool<'_>, slot: SlotRef<'_>) -> ManuallyDrop<Waker> {
    let address = slot.address();
    // SAFETY: the caller's promise.
    let wakers = unsafe { pool.task_wakers() };
    // SAFETY: the functions of the table are made for slots of pools that live for ever (the
    // caller's promise). They keep the contract of `RawWaker`: they are thread-safe, and cloning
    // and dropping manage nothing.
    ManuallyDrop::new(unsafe { Waker::from_raw(RawWaker::new(address, wakers)) })
}

/// A clone of `waker`, to be left for the job in `slot`. If it is the waker of a task of this pool,
/// the task awaits the job from now on. Then the clone does not set the task's `CLONED`.
pub(crate) fn clone_for<'p>(pool: Pool<'p>, slot: SlotRef<'p>, waker: &Waker) -> Waker {
    if let Some(task) = task_of(pool, waker) {
        let is_over = |before| pool.slot(before).state.load().has(DONE);
        task.set_awaits(slot.index(), is_over);
        // SAFETY: a waker of this table owns nothing, and the new one has the same parts.
        return unsafe { Waker::new(waker.data(), waker.vtable()) };
    }
    waker.clone()
}

/// The slot of the task that the caller polls, if `waker` is that task's.
pub(crate) fn polled_task<'p>(pool: Pool<'p>, waker: &Waker) -> Option<SlotRef<'p>> {
    let task = task_of(pool, waker)?;
    let state = task.state.load();
    if !state.has(TASK) || !state.has(BUSY) {
        return None;
    }
    // The waker may be a clone that has outlived its task, while another party runs the slot's next
    // tenant. That tenant is not the caller's.
    let caller = pool.seats().current().map_or(0, SeatRef::runner);
    (state.runner() == caller).then_some(task)
}

/// The slot of the task whose waker this is, if it is a task of this pool.
fn task_of<'p>(pool: Pool<'p>, waker: &Waker) -> Option<SlotRef<'p>> {
    if !pool.are_task_wakers(waker.vtable()) {
        return None;
    }
    // A pool of the same type has the same table, so the address decides.
    let first = pool.slot(0).address();
    let offset = waker.data().addr().checked_sub(first.addr())?;
    let index = u16::try_from(offset.checked_div(pool.geometry().slot_size)?).ok()?;
    (usize::from(index) < pool.geometry().slots()).then(|| pool.slot(index))
}
