//! Callbacks: a chain of slots, each with a closure that looks at the outcome of one job.

use core::cell::Cell;

use crate::{
    engine::guard, lockfree::defer::Defer, lockfree::sync::Ordering, memory::pool::Pool,
    memory::slot::SlotRef,
};

/// Adds a callback, in the slot `place`, to the job in `job`. If the job has ended, the callback
/// runs here.
pub(crate) fn add<'p>(pool: Pool<'p>, job: SlotRef<'p>, place: u16) {
    let link = pool.slot(place).link();
    // Relaxed, here and for the link: the swap below publishes both.
    let mut newest = job.callbacks.load(Ordering::Relaxed);
    loop {
        link.store(newest, Ordering::Relaxed);
        // Release: pairs with the Acquire of `run`. It publishes the callback and the link.
        match job.callbacks.compare_exchange_weak(
            newest,
            place + 1,
            Ordering::Release,
            Ordering::Relaxed,
        ) {
            Ok(_) => break,
            Err(now) => newest = now,
        }
    }
    if !job.state.set_callbacks() {
        // The completer has left. The handle runs the callback.
        run(pool, job);
    }
}

/// Runs the callbacks in a slot's chain. The outcome has been published, and the payload stays as it is
/// meanwhile.
pub(crate) fn run<'p>(pool: Pool<'p>, slot: SlotRef<'p>) {
    // Acquire: pairs with the Release of `add`.
    let newest = slot.callbacks.swap(0, Ordering::Acquire);
    if let Some(callback) = newest.checked_sub(1)
        // SAFETY: a slot in the chain holds a callback, and belongs to the party that takes the
        // chain.
        && let Some(run_chain) = unsafe { pool.slot(callback).vtable() }.run_chain
    {
        // SAFETY: the chain was taken just now from this slot.
        unsafe { run_chain(pool, newest, slot) };
    }
}

/// Runs a chain of callbacks in the order in which they were added. `newest` is the slot plus one
/// of the callback that was added last.
///
/// # Safety
///
/// The chain is the caller's. It was added to the job in `slot`, which has ended, and whose payload
/// stays as it is meanwhile.
pub(crate) unsafe fn run_chain<'p>(pool: Pool<'p>, newest: u16, slot: SlotRef<'p>) {
    let next = Cell::new(pool.reverse_chain(newest));
    let run = || {
        while let Some(callback) = next.get().checked_sub(1) {
            let place = pool.slot(callback);
            // Relaxed: the party that took the chain has acquired its links.
            next.set(place.link.load(Ordering::Relaxed));
            let _free = Defer(|| pool.slots().free(place));
            guard::call(pool, &mut || {
                // SAFETY: a slot in the chain holds a callback, and belongs to the party that takes
                // the chain.
                unsafe { (place.vtable().run)(place.payload(), pool, slot) };
            });
        }
    };
    // If a callback unwinds, this runs the others.
    let _rest = Defer(run);
    if slot.state.load().is_busy_and_shared() {
        tell_holders(pool, slot);
    }
    run();
}

/// Wakes the holders of a shared handle, whose job has ended: they need not wait for the callbacks.
fn tell_holders<'p>(pool: Pool<'p>, slot: SlotRef<'p>) {
    // SAFETY: with BUSY, the job was not ready when its handle was shared. So the handle has left a
    // listener, before it set SHARED. No party writes the cell after that. A member owns nothing.
    let listener = unsafe { slot.listener().assume_init() };
    if let Some((member, membership)) = listener.member() {
        (membership.tell)(pool, member);
    }
}
