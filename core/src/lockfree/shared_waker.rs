//! A waker that lives in the pool and that others may ring at any time.
//!
//! A waiter's own stack frame is no place for its waker: whoever is about to ring it may be delayed
//! for longer than the frame lives. So the waker is in the pool's memory, behind a count of those
//! who hold it. The owner opens the bell and closes it; who rings it holds it meanwhile; the last
//! of them drops the waker, and only then can another owner open it. Nobody waits for anybody: a
//! ringer that is stopped for ever costs one shared.

use core::task::Waker;

use super::{
    defer::Defer,
    sync::{AtomicU32, Ordering, UnsafeCell, const_unless_loom},
};

/// Set while the owner has not closed the shared. The other bits count the holders, owner included.
const OPEN: u32 = 1 << 31;

/// A counted waker.
pub(crate) struct SharedWaker {
    word: AtomicU32,
    waker: UnsafeCell<Option<Waker>>,
}

// SAFETY: the waker is written only by the one who took the word from 0, before OPEN is set, and by
// the last holder after it is cleared; while OPEN is set or holders remain it is only read. `Waker`
// itself is `Send` and `Sync`.
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

    /// Takes the bell if nobody holds it; not open yet.
    pub(crate) fn take(&self) -> bool {
        // Acquire: pairs with the Release that freed it; the last waker is gone.
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
    /// The caller has just taken the shared.
    pub(crate) unsafe fn open(&self, waker: Waker) {
        self.waker.with_mut(|cell| {
            // SAFETY: word is 1 and not OPEN: the caller is the only one who may touch the cell.
            unsafe { *cell = Some(waker) }
        });
        // Release: pairs with the Acquire of `try_hold`.
        self.word.fetch_or(OPEN, Ordering::Release);
    }

    /// Whether the owner is there.
    pub(crate) fn is_open(&self) -> bool {
        // Relaxed: as for `is_taken`.
        self.word.load(Ordering::Relaxed) & OPEN != 0
    }

    /// Whether anybody holds it at all.
    #[cfg(test)]
    pub(crate) fn is_taken(&self) -> bool {
        // Relaxed: says nothing of what the holders did.
        self.word.load(Ordering::Relaxed) != 0
    }

    /// Wakes the owner, if there is one. True if it has left meanwhile, and the bell can be taken from now on.
    pub(crate) fn wake_owner(&self) -> bool {
        if !self.try_hold() {
            return false;
        }
        // Even if the waker unwinds.
        let release = Defer(|| {
            self.release();
        });
        // SAFETY: held, and open when it was.
        unsafe { self.wake_held() };
        release.disarm();
        self.release()
    }

    /// Adds a holder, who will `release`, if the owner is there.
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

    /// Adds a holder, who will `wake_held` and `release`.
    ///
    /// # Safety
    ///
    /// The caller is a holder.
    pub(crate) unsafe fn hold(&self) {
        // Relaxed: the caller sees the waker already, and hands the hold on by means of its own.
        self.word.fetch_add(1, Ordering::Relaxed);
    }

    /// Wakes the owner.
    ///
    /// # Safety
    ///
    /// The caller is a holder, and the bell has been opened.
    pub(crate) unsafe fn wake_held(&self) {
        self.waker.with(|cell| {
            // SAFETY: nobody writes the cell while there are holders of an opened shared.
            if let Some(waker) = unsafe { &*cell } {
                waker.wake_by_ref();
            }
        });
    }

    /// The owner leaves.
    ///
    /// # Safety
    ///
    /// The caller opened the bell and has not closed it.
    pub(crate) unsafe fn close(&self) {
        // Relaxed: the owner is still a holder; what it did is published when it is released.
        self.word.fetch_and(!OPEN, Ordering::Relaxed);
        self.release();
    }

    /// A holder leaves. The last one drops the waker; true if that is the caller, and the bell can be taken.
    pub(crate) fn release(&self) -> bool {
        // Acquire, here and on failure: pairs with the Releases of those who left before.
        let mut word = self.word.load(Ordering::Acquire);
        loop {
            if word == 1 {
                // Not open, so nobody can come; one holder, and that is the caller.
                let waker = self.waker.with_mut(|cell| {
                    // SAFETY: see above; the Acquire saw the leaving of all the others.
                    unsafe { (*cell).take() }
                });
                // Release: pairs with the Acquire of `take`.
                self.word.store(0, Ordering::Release);
                drop(waker);
                return true;
            }
            // Release: what this holder read of the cell comes before the last one's write.
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

    /// A waker that counts.
    #[derive(Default)]
    pub(crate) struct Rings(AtomicUsize);

    impl Wake for Rings {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    impl Rings {
        pub(crate) fn count(&self) -> usize {
            self.0.load(Relaxed)
        }
    }

    /// An open shared, and what its waker counts.
    fn open_waker() -> (SharedWaker, Arc<Rings>) {
        let (shared, rings) = (SharedWaker::new(), Arc::new(Rings::default()));
        assert!(shared.take());
        // SAFETY: taken just now.
        unsafe { shared.open(rings.clone().into()) };
        (shared, rings)
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
    fn the_owner_is_woken_while_it_is_there() {
        let (shared, rings) = open_waker();
        assert!(!shared.take());
        shared.wake_owner();
        shared.wake_owner();
        assert_eq!(rings.count(), 2);
        // SAFETY: opened above, and not closed yet.
        unsafe { shared.close() };
        shared.wake_owner();
        assert_eq!(rings.count(), 2);
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
        let (shared, rings) = open_waker();
        shared.wake_owner();
        assert!(shared.try_hold());
        shared.release();
        assert_eq!(Arc::strong_count(&rings), 2);
        // SAFETY: opened above, and not closed yet.
        unsafe { shared.close() };
        assert_eq!(Arc::strong_count(&rings), 1);
        assert!(!shared.is_taken());
        assert!(shared.take());
    }

    #[test]
    fn a_holder_keeps_the_waker_of_an_owner_that_has_left() {
        let (shared, rings) = open_waker();
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
        assert_eq!(rings.count(), 1);
        assert_eq!(Arc::strong_count(&rings), 2);
        shared.release();
        assert_eq!(Arc::strong_count(&rings), 1);
        assert!(shared.take());
    }
}
