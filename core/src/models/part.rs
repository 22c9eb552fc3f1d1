//! The marks of the library's parts.

use std::sync::Arc;

use super::{explore, spawn};
use crate::lockfree::{
    part::Part,
    sync::{AtomicU32, Ordering},
};

/// The word alone hands nothing over, so the fences have to.
#[test]
fn a_party_that_reads_a_word_of_a_marked_part_finds_the_mark() {
    explore("part: mark and write, read", None, || {
        let shared = Arc::new((Part::new(), AtomicU32::new(0)));
        let other = {
            let shared = shared.clone();
            spawn(move || {
                shared.0.mark();
                shared.1.store(1, Ordering::Relaxed);
            })
        };
        if shared.1.load(Ordering::Relaxed) == 1 {
            assert!(shared.0.is_used());
        }
        other.join().unwrap();
    });
}
