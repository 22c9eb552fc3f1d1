//! The shared: its waker is dropped once, by the last holder, and not rung after.

use std::sync::{
    Arc as StdArc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use loom::sync::Arc;

use super::{Sleeper, explore, spawn};
use crate::{Parker, lockfree::shared_waker::SharedWaker};

/// Two ring, while the owner leaves and another, if it can, comes.
#[test]
fn owners_come_and_go() {
    explore("shared waker: wake, close, open again", Some(2), || {
        let shared = Arc::new(SharedWaker::new());
        assert!(shared.take());
        // SAFETY: just taken.
        unsafe { shared.open(Sleeper::new().waker()) };
        let ringers = [(); 2].map(|()| {
            let shared = shared.clone();
            spawn(move || shared.wake_owner())
        });
        // SAFETY: opened above.
        unsafe { shared.close() };
        if shared.take() {
            // SAFETY: just taken, just opened.
            unsafe {
                shared.open(Sleeper::new().waker());
                shared.close();
            }
        }
        for ringer in ringers {
            ringer.join().unwrap();
        }
        assert!(!shared.is_taken(), "a holder was lost");
    });
}

/// A member's hold keeps the place from the next owner.
#[test]
fn a_hold_keeps_the_place() {
    explore("shared: a late holder", None, || {
        let rung = StdArc::new(AtomicUsize::new(0));
        let shared = Arc::new(SharedWaker::new());
        assert!(shared.take());
        let sleeper = Sleeper::new();
        // SAFETY: just taken.
        unsafe { shared.open(sleeper.waker()) };
        // SAFETY: the owner is a holder.
        unsafe { shared.hold() };
        let late = {
            let (shared, rung) = (shared.clone(), rung.clone());
            spawn(move || {
                // SAFETY: held for this thread.
                unsafe { shared.wake_held() };
                rung.store(1, Relaxed);
                shared.release();
            })
        };
        // SAFETY: opened above.
        unsafe { shared.close() };
        if shared.take() {
            assert_eq!(rung.load(Relaxed), 1, "taken over a holder's head");
            shared.release();
        }
        late.join().unwrap();
        assert!(!shared.is_taken());
    });
}
