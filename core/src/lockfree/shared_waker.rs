//! A waker in the pool's memory that other parties may use at any time.
//!
//! The waker cannot be on the stack of its owner. A party that is about to wake the owner may be
//! delayed until that stack frame is gone. So the waker is in the pool's memory, with a count of
//! its holders. The owner opens and closes it. A party that wakes the owner is a holder meanwhile.
//! The last holder drops the waker, and only then can another owner take the place. No party waits
//! for another: a holder that is stopped for ever costs one place.

use core::task::Waker;

use super::{
    defer::Defer,
    sync::{AtomicU32, Ordering, UnsafeCell, const_unless_loom},
};

/// Set from `open` until `close`. The bits below `SHOWN` count the holders, the owner among them.
const OPEN: u32 = 1 << 31;

/// The number that the owner shows: 0, or another one from `show` until `close`.
const SHOWN: u32 = OPEN - ONE_SHOWN;

/// The lowest bit of the number that the owner shows.
const ONE_SHOWN: u32 = 1 << 19;

/// A waker with a count of its holders.
pub(crate) struct SharedWaker {
    word: AtomicU32,
    waker: UnsafeCell<Option<Waker>>,
}

// SAFETY: the waker is written by two parties only. One is the owner, which took the word from 0,
// before it sets OPEN. The other is the last holder, after OPEN is cleared. While OPEN is set or
// other holders remain, the waker is only read. `Waker` itself is `Send` and `Sync`.
unsafe impl Sync for SharedWaker {}

impl SharedWaker {
    const_unless_loom! {
        pub(crate) fn new() -> Self {
            Self {
                word: AtomicU32::new(0),
                waker: UnsafeCell::new(None),
            }
        }
    }

    /// Makes the caller the owner, if there are no holders. The waker is not open yet.
    pub(crate) fn take(&self) -> bool {
        // Acquire: pairs with the Release store of 0 in `release`, after which the last waker is
        // gone.
        self.word.load(Ordering::Relaxed) == 0
            && self
                .word
                .compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed)
                .is_ok()
    }

    /// Puts the waker in.
    ///
    /// # Safety
    ///
    /// The caller has just become the owner by `take`.
    pub(crate) unsafe fn open(&self, waker: Waker) {
        self.waker.with_mut(|cell| {
            // SAFETY: the word is 1 and OPEN is clear, so the owner is the only party that may
            // touch the cell.
            unsafe { *cell = Some(waker) }
        });
        // Release: pairs with the Acquire of `try_hold`.
        self.word.fetch_or(OPEN, Ordering::Release);
    }

    /// Whether it has an owner that has opened it.
    pub(crate) fn is_open(&self) -> bool {
        // Relaxed: the answer hands nothing over.
        self.word.load(Ordering::Relaxed) & OPEN != 0
    }

    /// Shows `value`, of 12 bits, to all parties, until `close`.
    ///
    /// # Safety
    ///
    /// The caller is the owner that opened it, has not closed it, and calls this once.
    pub(crate) unsafe fn show(&self, value: u16) {
        // Relaxed: the value hands nothing over.
        self.word
            .fetch_or(u32::from(value) * ONE_SHOWN, Ordering::Relaxed);
    }

    /// 4,096, and the number that the owner shows on top of it. 0 if it has no owner that has opened it.
    pub(crate) fn shown(&self) -> u16 {
        // Relaxed: as in `show`.
        (self.word.load(Ordering::Relaxed) / ONE_SHOWN) as u16
    }

    /// Whether it has a holder.
    #[cfg(test)]
    pub(crate) fn is_taken(&self) -> bool {
        // Relaxed: the answer hands nothing over.
        self.word.load(Ordering::Relaxed) != 0
    }

    /// Wakes the owner, if it is open. True if the owner has left meanwhile and the caller was the
    /// last holder: the place can be taken from now on.
    pub(crate) fn wake_owner(&self) -> bool {
        if !self.try_hold() {
            return false;
        }
        // The hold is released even if the waker unwinds.
        let release = Defer(|| {
            self.release();
        });
        // SAFETY: `try_hold` has made the caller a holder, and found it open.
        unsafe { self.wake_held() };
        release.disarm();
        self.release()
    }

    /// Adds a holder if it is open. The holder calls `release` later.
    pub(crate) fn try_hold(&self) -> bool {
        let mut word = self.word.load(Ordering::Relaxed);
        while word & OPEN != 0 {
            // Acquire: pairs with the Release of `open`.
            match self.word.compare_exchange_weak(
                word,
                word + 1,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
        false
    }

    /// Adds a holder, which calls `wake_held` and `release` later.
    ///
    /// # Safety
    ///
    /// The caller is a holder.
    pub(crate) unsafe fn hold(&self) {
        // Relaxed: the caller is a holder and so sees the waker already. It hands the new hold on
        // by an ordering of its own.
        self.word.fetch_add(1, Ordering::Relaxed);
    }

    /// Wakes the owner.
    ///
    /// # Safety
    ///
    /// The caller is a holder, and the waker has been opened.
    pub(crate) unsafe fn wake_held(&self) {
        self.waker.with(|cell| {
            // SAFETY: the cell is not written while an opened waker has holders, and the caller is
            // one.
            if let Some(waker) = unsafe { &*cell } {
                waker.wake_by_ref();
            }
        });
    }

    /// The owner leaves.
    ///
    /// # Safety
    ///
    /// The caller is the owner that opened it, and has not closed it.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) unsafe fn close(&self) {
        // Relaxed: the owner is still a holder. Its `release` publishes what it did.
        self.word.fetch_and(!(OPEN | SHOWN), Ordering::Relaxed);
        self.release();
    }

    /// A holder leaves. The last one drops the waker. True if that is the caller: the place can be
    /// taken.
    pub(crate) fn release(&self) -> bool {
        // Acquire, here and on failure: pairs with the Release of the holders that left before.
        let mut word = self.word.load(Ordering::Acquire);
        loop {
            if word == 1 {
                // OPEN is clear, so no holder can come. The one holder is the caller.
                let waker = self.waker.with_mut(|cell| {
                    // SAFETY: the caller is the last holder. The Acquire has seen the other holders
                    // leave.
                    unsafe { (*cell).take() }
                });
                // Release: pairs with the Acquire of `take`.
                self.word.store(0, Ordering::Release);
                drop(waker);
                return true;
            }
            // Release: pairs with the Acquire of the last holder. This holder's reads of the cell
            // come before that holder's write.
            match self.word.compare_exchange_weak(
                word,
                word - 1,
                Ordering::Release,
                Ordering::Acquire,
            ) {
                Ok(_) => return false,
                Err(now) => word = now,
            }
        }
    }
}

#[cfg(test)]
#[cfg(not(loom))]
pub(crate) mod tests {
    use std::{
        panic::{AssertUnwindSafe, catch_unwind},
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering::Relaxed},
        },
        task::Wake,
    };

    use super::*;

    /// A waker that counts its wake-ups.
    #[derive(Default)]
    pub(crate) struct Wakeups(AtomicUsize);

    impl Wake for Wakeups {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    impl Wakeups {
        pub(crate) fn count(&self) -> usize {
            self.0.load(Relaxed)
        }
    }

    /// An open shared waker, and the count of its wake-ups.
    fn open_waker() -> (SharedWaker, Arc<Wakeups>) {
        let (shared, wakeups) = (SharedWaker::new(), Arc::new(Wakeups::default()));
        assert!(shared.take());
        // SAFETY: taken just now.
        unsafe { shared.open(wakeups.clone().into()) };
        (shared, wakeups)
    }

    #[test]
    fn one_owner_takes_a_shared_waker() {
        let shared = SharedWaker::new();
        assert!(!shared.is_taken());
        assert!(shared.take());
        assert!(shared.is_taken());
        assert!(!shared.take());
    }

    #[test]
    fn an_owner_shows_its_value_until_it_leaves() {
        let (shared, wakeups) = open_waker();
        assert_eq!(shared.shown(), 4_096);
        // SAFETY: opened above, and not closed yet.
        unsafe { shared.show(4_095) };
        shared.wake_owner();
        assert_eq!((shared.shown(), wakeups.count()), (8_191, 1));
        assert!(shared.try_hold());
        // SAFETY: opened above, and not closed yet.
        unsafe { shared.close() };
        assert_eq!(shared.shown(), 0);
        assert!(shared.release());
        assert!(shared.take());
        // SAFETY: taken just now.
        unsafe { shared.open(Waker::noop().clone()) };
        assert_eq!(shared.shown(), 4_096);
    }

    #[test]
    fn the_owner_is_woken_while_it_is_there() {
        let (shared, wakeups) = open_waker();
        assert!(!shared.take());
        shared.wake_owner();
        shared.wake_owner();
        assert_eq!(wakeups.count(), 2);
        // SAFETY: opened above, and not closed yet.
        unsafe { shared.close() };
        shared.wake_owner();
        assert_eq!(wakeups.count(), 2);
    }

    #[test]
    fn a_waker_that_unwinds_leaves_no_holder_behind() {
        struct Unwinds;
        impl Wake for Unwinds {
            fn wake(self: Arc<Self>) {
                panic!("as asked for");
            }
        }
        let shared = SharedWaker::new();
        assert!(shared.take());
        // SAFETY: taken just now.
        unsafe { shared.open(Arc::new(Unwinds).into()) };
        assert!(catch_unwind(AssertUnwindSafe(|| shared.wake_owner())).is_err());
        // SAFETY: opened above, and not closed yet.
        unsafe { shared.close() };
        assert!(!shared.is_taken());
    }

    #[test]
    fn nobody_holds_a_waker_that_is_not_open() {
        let shared = SharedWaker::new();
        assert!(!shared.try_hold());
        assert!(shared.take());
        assert!(!shared.try_hold());
    }

    #[test]
    fn the_owner_drops_the_waker_if_it_leaves_last() {
        let (shared, wakeups) = open_waker();
        shared.wake_owner();
        assert!(shared.try_hold());
        shared.release();
        assert_eq!(Arc::strong_count(&wakeups), 2);
        // SAFETY: opened above, and not closed yet.
        unsafe { shared.close() };
        assert_eq!(Arc::strong_count(&wakeups), 1);
        assert!(!shared.is_taken());
        assert!(shared.take());
    }

    #[test]
    fn a_holder_keeps_the_waker_of_an_owner_that_has_left() {
        let (shared, wakeups) = open_waker();
        assert!(shared.try_hold());
        // SAFETY: held just now.
        unsafe { shared.hold() };
        // SAFETY: opened above, and not closed yet.
        unsafe { shared.close() };
        assert!(!shared.try_hold());
        shared.release();
        assert!(!shared.take());
        // SAFETY: one of the two holders is left.
        unsafe { shared.wake_held() };
        assert_eq!(wakeups.count(), 1);
        assert_eq!(Arc::strong_count(&wakeups), 2);
        shared.release();
        assert_eq!(Arc::strong_count(&wakeups), 1);
        assert!(shared.take());
    }
}
