//! The shared waker: the last holder drops it, once, and it is not used after that.

use std::sync::{
    Arc as StdArc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use loom::sync::Arc;

use super::{Sleeper, explore, spawn};
use crate::{Parker, lockfree::shared_waker::SharedWaker};

/// Two threads wake the owner, while the owner leaves and another owner may come.
#[test]
fn owners_come_and_go() {
    explore("shared waker: wake, close, open again", Some(2), || {
        let shared = Arc::new(SharedWaker::new());
        assert!(shared.take());
        // SAFETY: taken just now.
        unsafe { shared.open(Sleeper::new().waker()) };
        let wakers = [(); 2].map(|()| {
            let shared = shared.clone();
            spawn(move || shared.wake_owner())
        });
        // SAFETY: opened above.
        unsafe { shared.close() };
        if shared.take() {
            // SAFETY: taken just now, and opened just now.
            unsafe {
                shared.open(Sleeper::new().waker());
                shared.close();
            }
        }
        for waker in wakers {
            waker.join().unwrap();
        }
        assert!(!shared.is_taken(), "a holder was lost");
    });
}

/// A member's hold keeps the place from the next owner.
#[test]
fn a_hold_keeps_the_place() {
    explore("shared: a late holder", None, || {
        let woken = StdArc::new(AtomicUsize::new(0));
        let shared = Arc::new(SharedWaker::new());
        assert!(shared.take());
        let sleeper = Sleeper::new();
        // SAFETY: taken just now.
        unsafe { shared.open(sleeper.waker()) };
        // SAFETY: the owner is a holder.
        unsafe { shared.hold() };
        let late = {
            let (shared, woken) = (shared.clone(), woken.clone());
            spawn(move || {
                // SAFETY: the hold of the owner's call above is for this thread.
                unsafe { shared.wake_held() };
                woken.store(1, Relaxed);
                shared.release();
            })
        };
        // SAFETY: opened above.
        unsafe { shared.close() };
        if shared.take() {
            assert_eq!(woken.load(Relaxed), 1, "taken over a holder's head");
            shared.release();
        }
        late.join().unwrap();
        assert!(!shared.is_taken());
    });
}
