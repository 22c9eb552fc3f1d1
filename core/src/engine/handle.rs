//! The handle: the party that holds a job's `JobFuture`. These functions do not depend on the type
//! of the result.

use core::task::Waker;

#[cfg(feature = "remote")]
use crate::memory::seat::REMOTE;
use crate::{
    engine::block::{self, Awaited, Limit},
    engine::{outcome, wakers},
    error::Blocked,
    lockfree::defer::Defer,
    lockfree::state::{Detached, HANDLE, Snapshot, TakenBack},
    memory::listener::Listener,
    memory::pool::Pool,
    memory::seat::DependsOn,
    memory::slot::SlotRef,
};

/// Takes back the listener that the handle left for the completer. False if the completer has taken
/// it: the job is ready.
pub(crate) fn delist<'p>(pool: Pool<'p>, slot: SlotRef<'p>) -> bool {
    match slot.state.unset_listening() {
        TakenBack::Gone => return false,
        TakenBack::Empty => {}
        // SAFETY: the listener was taken back just now, so the cell is full, and this handle's.
        TakenBack::Full => forget_listener(pool, unsafe { slot.take_listener() }),
    }
    true
}

/// Drops a listener that no completer will take.
pub(crate) fn forget_listener(pool: Pool<'_>, listener: Listener) {
    if let Listener::Set(member, membership) = listener {
        (membership.forget)(pool, member);
    }
}

/// Leaves the waker for the completer. True if the job is ready instead.
///
/// # Safety
///
/// The caller is the handle.
pub(crate) unsafe fn leave_waker<'p>(pool: Pool<'p>, slot: SlotRef<'p>, waker: &Waker) -> bool {
    let waker = match slot.state.unset_listening() {
        TakenBack::Gone => return true,
        // SAFETY: the listener was taken back just now, so the cell is full, and this handle's.
        TakenBack::Full => match unsafe { slot.take_listener() } {
            Listener::Task(old) if old.will_wake(waker) => old,
            other => {
                forget_listener(pool, other);
                wakers::clone_for(pool, slot, waker)
            }
        },
        TakenBack::Empty => wakers::clone_for(pool, slot, waker),
    };
    // SAFETY: the cell is empty, and this handle's.
    !unsafe { leave_listener(pool, slot, Listener::Task(waker)) }
}

/// Leaves `listener` for the completer. False if the job is ready: `listener` is dropped.
///
/// # Safety
///
/// The caller is the handle, and the cell is empty, and the handle's.
pub(crate) unsafe fn leave_listener<'p>(
    pool: Pool<'p>,
    slot: SlotRef<'p>,
    listener: Listener,
) -> bool {
    // SAFETY: the caller's promise.
    unsafe { slot.put_listener(listener) };
    if slot.state.set_listening() {
        return true;
    }
    // SAFETY: the completer has left without the listener, so the cell is this handle's.
    forget_listener(pool, unsafe { slot.take_listener() });
    false
}

/// The handle goes away before it has taken the result.
pub(crate) fn detach<'p>(pool: Pool<'p>, slot: SlotRef<'p>) {
    // SAFETY: the caller is the handle.
    let listener = unsafe { slot.listener() };
    match slot.state.detach() {
        Detached::Alone => {}
        // SAFETY: the listener was taken back just now, so the cell was full, and its content is
        // this handle's.
        Detached::WithListener => forget_listener(pool, unsafe { listener.assume_init().take() }),
        Detached::Ready => {
            let outcome = slot.state.load().outcome();
            // The slot is left even if the result's destructor unwinds.
            let _free = Defer(|| pool.slots().leave(slot, HANDLE));
            // SAFETY: the job is ready, so the payload is this handle's, and the result is still
            // there.
            unsafe { outcome::drop_payload(pool, slot, outcome) };
        }
    }
}

/// If a remote worker has sent the job, wakes that worker, which then sees that the job is
/// cancelled.
#[cfg(feature = "remote")]
pub(crate) fn tell_runner<'p>(pool: Pool<'p>, slot: SlotRef<'p>) {
    let runner = slot.state.load().runner();
    if let Some(runner) = runner.checked_sub(1)
        && let Some(seat) = pool.seat(runner.into())
        && seat.is(REMOTE)
    {
        seat.wake();
    }
}

/// Waits for the job in a slot to end.
///
/// # Safety
///
/// The caller is the handle.
pub(crate) unsafe fn wait<'p>(
    pool: Pool<'p>,
    slot: SlotRef<'p>,
    limit: Limit,
) -> Result<(), Blocked> {
    block::wait(pool, &mut AwaitedJob { pool, slot }, limit)
}

/// A wait for one job.
struct AwaitedJob<'p> {
    pool: Pool<'p>,
    /// The caller is its handle.
    slot: SlotRef<'p>,
}

impl<'p> Awaited<'p> for AwaitedJob<'p> {
    fn poll(&mut self, waker: Option<&Waker>) -> bool {
        self.slot.state.load().is_ready()
            // SAFETY: the caller of `wait` is the handle.
            || waker.is_some_and(|waker| unsafe { leave_waker(self.pool, self.slot, waker) })
    }

    fn depends_on(&self) -> DependsOn {
        DependsOn::Job(self.slot.index())
    }

    fn begin(&mut self, runner: u16) -> Option<(SlotRef<'p>, Snapshot)> {
        let begun = self.slot.state.begin_in_queue(runner)?;
        Some((self.slot, begun))
    }
}
