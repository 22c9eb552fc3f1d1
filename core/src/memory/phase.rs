//! The phase of a pool: whether it is shut down, whether and why it is broken, and whether it has a
//! port.
//!
//! The bits of the phase are set and never cleared.

use core::mem::MaybeUninit;

use crate::{
    error::BrokenReason,
    lockfree::part,
    lockfree::state::Outcome,
    lockfree::sync::{AtomicU32, Ordering, UnsafeCell, const_unless_loom, fence},
};

/// The pool takes no new work.
pub(crate) const SHUT_DOWN: u32 = 1 << 0;

/// Jobs that have not begun are cancelled.
pub(crate) const CANCELLING: u32 = 1 << 1;

/// The pool is broken; the reason is being written.
const BREAKING: u32 = 1 << 2;

/// The pool is broken; the reason can be read.
pub(crate) const BROKEN: u32 = 1 << 3;

/// A port is installed, or is being written.
pub(crate) const PORT_TAKEN: u32 = 1 << 4;

/// A port is installed.
pub(crate) const PORT: u32 = 1 << 5;

/// A worker has been blocked at least once.
pub(crate) const HAS_BLOCKED: u32 = 1 << 6;

/// Whether these bits are those of a pool that is shut down or broken, and so takes no more work.
#[cfg_attr(not(target_os = "none"), inline)]
pub(crate) fn is_closed_in(bits: u32) -> bool {
    bits & (SHUT_DOWN | BROKEN) != 0 && part::ENDS.is_used()
}

/// The pool's phase.
#[repr(C)]
pub(crate) struct Phase {
    bits: AtomicU32,
    /// Protected by `BREAKING` and `BROKEN`.
    reason: UnsafeCell<MaybeUninit<BrokenReason>>,
}

impl Phase {
    const_unless_loom! {
        pub(crate) fn new() -> Self {
            Self {
                bits: AtomicU32::new(0),
                reason: UnsafeCell::new(MaybeUninit::uninit()),
            }
        }
    }

    /// The bits.
    #[cfg_attr(not(target_os = "none"), inline)]
    pub(crate) fn bits(&self) -> u32 {
        // Relaxed: a caller that uses what a bit stands for loads the word again, with Acquire.
        self.bits.load(Ordering::Relaxed)
    }

    /// The bits, such that the port can be read if `PORT` is set.
    #[cfg_attr(not(target_os = "none"), inline)]
    pub(crate) fn bits_with_port(&self) -> u32 {
        // Acquire: pairs with the Release of `publish_port`.
        self.bits.load(Ordering::Acquire)
    }

    /// Reserves the writing of the port for the caller. False if another party has it.
    pub(crate) fn take_port(&self) -> bool {
        // Relaxed: it only decides which party writes the port.
        self.bits.fetch_or(PORT_TAKEN, Ordering::Relaxed) & PORT_TAKEN == 0
    }

    /// Publishes the port, which the caller has written.
    pub(crate) fn publish_port(&self) {
        part::PORTS.mark();
        // A submit takes its job back if the port has no worker for it.
        part::OUT_OF_ORDER.mark();
        // Release: pairs with the Acquire of `bits_with_port`.
        self.bits.fetch_or(PORT, Ordering::Release);
    }

    /// Sets bits of the phase.
    pub(crate) fn enter(&self, bits: u32) {
        part::ENDS.mark();
        // A submit that overlaps with this takes its job back.
        part::OUT_OF_ORDER.mark();
        // Release: pairs with the Acquire of `broken_reason`.
        self.bits.fetch_or(bits, Ordering::Release);
        // Pairs with the fence of `Seats::call_one` (`engine/wakeups.rs`): either the submitter
        // sees the bits, or the party that sets them sees the submitter's push.
        fence(Ordering::SeqCst);
    }

    /// Whether the pool is shut down or broken, and so takes no more work.
    #[cfg_attr(not(target_os = "none"), inline)]
    pub(crate) fn is_closed(&self) -> bool {
        is_closed_in(self.bits())
    }

    /// Breaks the pool; false if it is broken already.
    pub(crate) fn set_broken(&self, reason: BrokenReason) -> bool {
        // Relaxed: it only decides which party writes the reason.
        if self.bits.fetch_or(BREAKING, Ordering::Relaxed) & BREAKING != 0 {
            return false;
        }
        self.reason.with_mut(|cell| {
            // SAFETY: only the party that set BREAKING gets here, and no party reads the reason
            // before BROKEN.
            unsafe { (*cell).write(reason) };
        });
        self.enter(BROKEN);
        true
    }

    /// Why the pool is broken, if it is.
    pub(crate) fn broken_reason(&self) -> Option<BrokenReason> {
        // Acquire: pairs with the Release of `Phase::enter`.
        if self.bits.load(Ordering::Acquire) & BROKEN == 0 || !part::ENDS.is_used() {
            return None;
        }
        self.reason.with(|cell| {
            // SAFETY: BROKEN is set after the reason is written, and the reason is not written
            // again.
            Some(unsafe { (*cell).assume_init() })
        })
    }

    /// Notes that a worker is about to block.
    pub(crate) fn set_has_blocked(&self) {
        if self.bits() & HAS_BLOCKED == 0 {
            // Relaxed: the fence of `Blocking::as_worker` (`engine/block.rs`) follows.
            self.bits.fetch_or(HAS_BLOCKED, Ordering::Relaxed);
        }
    }

    /// Whether jobs that have not begun end without running.
    #[cfg_attr(not(target_os = "none"), inline)]
    pub(crate) fn ends_unrun(&self) -> bool {
        self.bits() & (CANCELLING | BROKEN) != 0 && part::ENDS.is_used()
    }

    /// The outcome of a job that ends in the queue when the pool ends.
    pub(crate) fn outcome(&self) -> Outcome {
        if self.bits() & BROKEN != 0 {
            Outcome::Broken
        } else {
            Outcome::Cancelled
        }
    }
}
