//! The critical section in which the words of this folder change.

/// Runs `step` in a critical section.
///
/// The sections of a program run one at a time. Each sees what the sections before it have done.
/// `step` is the pool's own code. It begins no other section, takes a bounded number of
/// instructions, and calls no foreign code.
#[cfg(not(loom))]
#[inline(always)]
pub(crate) fn locked<R>(step: impl FnOnce() -> R) -> R {
    critical_section::with(|_| step())
}

/// The same for the model checker: a mutex stands for the critical section.
#[cfg(loom)]
pub(crate) fn locked<R>(step: impl FnOnce() -> R) -> R {
    loom::lazy_static! {
        static ref LOCK: loom::sync::Mutex<()> = loom::sync::Mutex::new(());
    }
    let _inside = LOCK.lock().unwrap();
    step()
}
