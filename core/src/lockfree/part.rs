//! Parts of the library that a program may never use. A chip's program has no code for them.
//!
//! Much of a job's end is there for calls that the application may have made before: a callback, a wait, a shutdown.
//! The compiler cannot know that a program has no such call. So each part has a mark, in a static. A call that uses the
//! part sets the mark, and then writes the word by which other parties know of the call. A party that reads such a word
//! also asks for the mark.
//!
//! A program without those calls has nothing that sets the mark. Link-time optimisation finds that the answer is always
//! no, and leaves out the code that depends on it.
//!
//! On a host, all parts count as used. `cargo xtask parts` builds a host's program with the marks, and runs each test of
//! the suites in a process of its own. A call that does not set its mark fails there.

#[cfg(any(target_os = "none", corepool_parts, all(test, loom)))]
mod marked {
    use crate::lockfree::sync::{Flag, Ordering, const_unless_loom, fence_of_flags};

    /// A part that some programs do not use.
    pub(crate) struct Part(Flag);

    impl Part {
        const_unless_loom! {
            pub(crate) fn new() -> Self {
                Self(Flag::new(0))
            }
        }

        /// Sets the mark. The caller then writes a word by which other parties know that it uses the part.
        #[inline(always)]
        pub(crate) fn mark(&self) {
            // Relaxed: the fence orders it before the word.
            self.0.store(1, Ordering::Relaxed);
            // Pairs with the fence of `is_used`, by way of that word.
            fence_of_flags(Ordering::Release);
        }

        /// Whether the program uses the part. True if the caller has read a word that another party wrote after
        /// [`mark`](Self::mark).
        #[inline(always)]
        pub(crate) fn is_used(&self) -> bool {
            // Pairs with the fence of `mark`.
            fence_of_flags(Ordering::Acquire);
            // Relaxed: the fence orders it after the word.
            self.0.load(Ordering::Relaxed) != 0
        }
    }
}

#[cfg(any(target_os = "none", corepool_parts, all(test, loom)))]
pub(crate) use self::marked::Part;

/// A part that every program uses.
#[cfg(not(any(target_os = "none", corepool_parts)))]
pub(crate) struct Used;

#[cfg(not(any(target_os = "none", corepool_parts)))]
impl Used {
    #[inline(always)]
    pub(crate) fn mark(&self) {}

    #[inline(always)]
    pub(crate) fn is_used(&self) -> bool {
        true
    }
}

macro_rules! parts {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        $(
            $(#[$doc])*
            #[cfg(any(target_os = "none", corepool_parts))]
            pub(crate) static $name: Part = Part::new();

            $(#[$doc])*
            #[cfg(not(any(target_os = "none", corepool_parts)))]
            pub(crate) const $name: Used = Used;
        )*
    };
}

parts! {
    /// A pool has a port.
    PORTS,
    /// A pool is shut down, or breaks.
    ENDS,
    /// A worker sleeps.
    SLEEP,
    /// A worker is declared lost.
    LOSSES,
    /// A job begins or ends while its index is in a queue: a caller waits for it, cancels it, or takes it back.
    OUT_OF_ORDER,
    /// A handle leaves a waker for its job's completer.
    LISTENERS,
    /// A handle has callbacks.
    CALLBACKS,
    /// A context waits for room, for a worker to leave, or for a set of futures.
    WAITERS,
    /// A job belongs to a scope.
    SCOPES,
}
