//! The handlers that are under way on each core, for chips on which no register tells.

use portable_atomic::{AtomicU8, Ordering};

use super::{CORES, core_number};

/// The number of harts that the ports have room for. `mhartid` numbers them from 0. A hart of a greater
/// number panics when it uses a port.
#[cfg(feature = "riscv")]
pub const MAX_HARTS: usize = 16;

/// The number of handlers that are under way on each core.
static DEPTHS: [AtomicU8; CORES] = [const { AtomicU8::new(0) }; CORES];

/// The number of the calling core's handlers. That core alone changes it.
fn depth() -> &'static AtomicU8 {
    &DEPTHS[core_number()]
}

/// The number of handlers that are under way on the calling core; 0 in its thread.
#[cfg(any(target_os = "none", test))]
pub(super) fn handlers_under_way() -> usize {
    // Relaxed: only this core writes it.
    depth().load(Ordering::Relaxed).into()
}

/// Calls `f` as the body of a handler, so that the ports know that a handler calls them.
///
/// No register of the chip tells whether a handler is under way. So the handler of an interrupt or an
/// exception uses a pool only in such an `f`. Outside of it, the handler would count as the context that
/// it interrupts. Handlers may interrupt each other.
///
/// * **Context**: an interrupt handler, or the handler of an exception.
/// * **Cost**: a few instructions on top of `f`.
///
/// ```no_run
/// # #[cfg(feature = "riscv")]
/// # mod example {
/// use corepool::{StaticPool, ports::riscv::in_handler}; // or `ports::aarch64`, or `ports::aarch32`
///
/// static POOL: StaticPool<8, 32> = StaticPool::new();
///
/// /// The handler of the timer's interrupt.
/// fn on_timer() {
///     in_handler(|| {
///         let _ = POOL.submit_detached(|| { /* … */ });
///     });
/// }
/// # }
/// ```
pub fn in_handler<R>(f: impl FnOnce() -> R) -> R {
    let depth = depth();
    // Relaxed: one core reads and writes the word. A handler that interrupts this one restores it.
    let interrupted = depth.load(Ordering::Relaxed);
    depth.store(interrupted.wrapping_add(1), Ordering::Relaxed);
    let returned = f();
    depth.store(interrupted, Ordering::Relaxed);
    returned
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests {
    use super::*;

    #[test]
    fn each_handler_is_one_deeper_than_the_context_that_it_interrupts() {
        assert_eq!(handlers_under_way(), 0);
        in_handler(|| {
            assert_eq!(handlers_under_way(), 1);
            in_handler(|| assert_eq!(handlers_under_way(), 2));
            assert_eq!(handlers_under_way(), 1);
        });
        assert_eq!(handlers_under_way(), 0);
    }
}
