//! What a future's handle leaves for the completer of its job: a waker, or a set's membership.

use core::{
    mem::ManuallyDrop,
    ptr,
    task::{RawWakerVTable, Waker},
};

use crate::memory::pool::Pool;

/// A member of a waiting set: whom to tell, and which of the set's futures this is.
#[derive(Clone, Copy)]
pub(crate) struct Member {
    /// The number of the set's waiter.
    pub(crate) waiter: u16,
    pub(crate) position: u16,
}

/// What a completer does with a set's member. Reached from the member, so that a program without sets
/// has no code for them.
pub(crate) struct Membership {
    /// Adds the member's slot, by its index, to the set's list of completions.
    pub(crate) report: fn(Pool<'_>, Member, u16),
    /// Wakes the set's waiter, and lets go of its bell, which the member has held.
    pub(crate) tell: fn(Pool<'_>, Member),
    /// Lets go of the set's bell without a word.
    pub(crate) forget: fn(Pool<'_>, Member),
}

/// What the handle left for the completer.
pub(crate) enum Listener {
    Task(Waker),
    Set(Member, &'static Membership),
}

/// [`Listener`] as it is stored, in two words. It owns nothing: one of its copies is taken.
#[derive(Clone, Copy)]
pub(crate) struct ListenerCell {
    data: ListenerData,
    /// The waker's vtable, or the byte behind a [`Membership`]'s address.
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

    /// The set's member, if it is one. A member owns nothing.
    pub(crate) fn member(self) -> Option<(Member, &'static Membership)> {
        if self.table.addr().is_multiple_of(2) {
            return None;
        }
        let membership = self.table.wrapping_byte_sub(1).cast::<Membership>();
        // SAFETY: odd, so `of` made both of a member.
        Some(unsafe { (self.data.member, &*membership) })
    }

    /// Adds the slot to the list of the set, if it is one.
    pub(crate) fn report(self, pool: Pool<'_>, slot: u16) {
        if let Some((member, membership)) = self.member() {
            (membership.report)(pool, member, slot);
        }
    }

    /// Wakes who was left.
    ///
    /// # Safety
    ///
    /// As for [`take`](Self::take).
    pub(crate) unsafe fn tell(self, pool: Pool<'_>) {
        match self.member() {
            Some((member, membership)) => (membership.tell)(pool, member),
            // SAFETY: the caller's promise; not a member.
            None => unsafe { self.waker() }.wake(),
        }
    }

    /// The waker or member itself.
    ///
    /// # Safety
    ///
    /// The caller owns what was left, and takes it once.
    pub(crate) unsafe fn take(self) -> Listener {
        match self.member() {
            Some((member, membership)) => Listener::Set(member, membership),
            // SAFETY: the caller's promise; not a member.
            None => Listener::Task(unsafe { self.waker() }),
        }
    }

    /// The waker itself.
    ///
    /// # Safety
    ///
    /// As for [`take`](Self::take), and there is no member.
    unsafe fn waker(self) -> Waker {
        // SAFETY: no member, so `of` made both of a waker, which is the caller's.
        unsafe { Waker::new(self.data.waker, &*self.table.cast::<RawWakerVTable>()) }
    }
}
