//! The listener that a future's handle leaves for the completer of its job: a waker, or a place in
//! a set.

use core::{
    mem::ManuallyDrop,
    ptr,
    task::{RawWakerVTable, Waker},
};

use crate::memory::pool::Pool;

/// A member of a set of futures: the set's waiter, and the future's position in the set.
#[derive(Clone, Copy)]
pub(crate) struct Member {
    /// The number of the waiter's place.
    pub(crate) waiter: u16,
    pub(crate) position: u16,
}

/// The functions by which a completer reports to a member's set. The completer reaches them from
/// the member, so that a program without sets has no code for them.
pub(crate) struct Membership {
    /// Adds the member's slot, by its index, to the set's list of completions.
    pub(crate) report: fn(Pool<'_>, Member, u16),
    /// Wakes the set's waiter, and releases the member's hold of the waiter's shared waker.
    pub(crate) tell: fn(Pool<'_>, Member),
    /// Releases the member's hold without waking the waiter.
    pub(crate) forget: fn(Pool<'_>, Member),
}

/// The listener that the handle left for the completer.
pub(crate) enum Listener {
    Task(Waker),
    Set(Member, &'static Membership),
}

/// [`Listener`] as it is stored, in two words. A copy of it owns nothing until `take` or `tell`
/// turns one copy into the listener.
#[derive(Clone, Copy)]
pub(crate) struct ListenerCell {
    data: ListenerData,
    /// The waker's vtable. For a member, the address of its [`Membership`] plus one.
    table: *const (),
}

#[derive(Clone, Copy)]
union ListenerData {
    waker: *const (),
    member: Member,
}

const _: () = assert!(
    align_of::<RawWakerVTable>() > 1 && align_of::<Membership>() > 1,
    "pointers are aligned, so that an odd `table` is a set's"
);

impl ListenerCell {
    pub(crate) fn of(listener: Listener) -> Self {
        match listener {
            Listener::Task(waker) => {
                let waker = ManuallyDrop::new(waker);
                Self {
                    data: ListenerData {
                        waker: waker.data(),
                    },
                    table: ptr::from_ref(waker.vtable()).cast(),
                }
            }
            Listener::Set(member, membership) => Self {
                data: ListenerData { member },
                table: ptr::from_ref(membership).cast::<()>().wrapping_byte_add(1),
            },
        }
    }

    /// The member of a set, if it is one. A member owns nothing.
    pub(crate) fn member(self) -> Option<(Member, &'static Membership)> {
        if self.table.addr().is_multiple_of(2) {
            return None;
        }
        let membership = self.table.wrapping_byte_sub(1).cast::<Membership>();
        // SAFETY: the address is odd, so `of` made both from a member.
        Some(unsafe { (self.data.member, &*membership) })
    }

    /// Adds the slot to the list of the set, if this is a member of one.
    pub(crate) fn report(self, pool: Pool<'_>, slot: u16) {
        if let Some((member, membership)) = self.member() {
            (membership.report)(pool, member, slot);
        }
    }

    /// Wakes the waker, or the set's waiter.
    ///
    /// # Safety
    ///
    /// As for [`take`](Self::take).
    pub(crate) unsafe fn tell(self, pool: Pool<'_>) {
        match self.member() {
            Some((member, membership)) => (membership.tell)(pool, member),
            // SAFETY: the caller's promise, and it is no member.
            None => unsafe { self.waker() }.wake(),
        }
    }

    /// The waker or member itself.
    ///
    /// # Safety
    ///
    /// The caller owns the listener that the handle left, and takes it once.
    pub(crate) unsafe fn take(self) -> Listener {
        match self.member() {
            Some((member, membership)) => Listener::Set(member, membership),
            // SAFETY: the caller's promise, and it is no member.
            None => Listener::Task(unsafe { self.waker() }),
        }
    }

    /// The waker itself.
    ///
    /// # Safety
    ///
    /// As for [`take`](Self::take), and it is no member.
    unsafe fn waker(self) -> Waker {
        // SAFETY: it is no member, so `of` made both from a waker, which the caller owns.
        unsafe { Waker::new(self.data.waker, &*self.table.cast::<RawWakerVTable>()) }
    }
}
