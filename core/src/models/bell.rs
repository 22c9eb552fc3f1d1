//! The bell: its waker is dropped once, by the last holder, and not rung after.

use std::sync::{
    Arc as StdArc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use loom::sync::Arc;

use super::{Sleeper, explore, spawn};
use crate::{Parker, lockfree::bell::SharedWaker};

/// Two ring, while the owner leaves and another, if it can, comes.
#[test]
fn owners_come_and_go() {
    explore("bell: ring, close, open again", Some(2), || {
        let bell = Arc::new(SharedWaker::new());
        assert!(bell.take());
        // SAFETY: just taken.
        unsafe { bell.open(Sleeper::new().waker()) };
        let ringers = [(); 2].map(|()| {
            let bell = bell.clone();
            spawn(move || bell.ring())
        });
        // SAFETY: opened above.
        unsafe { bell.close() };
        if bell.take() {
            // SAFETY: just taken, just opened.
            unsafe {
                bell.open(Sleeper::new().waker());
                bell.close();
            }
        }
        for ringer in ringers {
            ringer.join().unwrap();
        }
        assert!(!bell.is_taken(), "a holder was lost");
    });
}

/// A member's hold keeps the place from the next owner.
#[test]
fn a_hold_keeps_the_place() {
    explore("bell: a late holder", None, || {
        let rung = StdArc::new(AtomicUsize::new(0));
        let bell = Arc::new(SharedWaker::new());
        assert!(bell.take());
        let sleeper = Sleeper::new();
        // SAFETY: just taken.
        unsafe { bell.open(sleeper.waker()) };
        // SAFETY: the owner is a holder.
        unsafe { bell.hold() };
        let late = {
            let (bell, rung) = (bell.clone(), rung.clone());
            spawn(move || {
                // SAFETY: held for this thread.
                unsafe { bell.wake_held() };
                rung.store(1, Relaxed);
                bell.release();
            })
        };
        // SAFETY: opened above.
        unsafe { bell.close() };
        if bell.take() {
            assert_eq!(rung.load(Relaxed), 1, "taken over a holder's head");
            bell.release();
        }
        late.join().unwrap();
        assert!(!bell.is_taken());
    });
}
