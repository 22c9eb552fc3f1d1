//! A pause in a loop that waits.

use crate::lockfree::sync;

/// Pauses the processor for a moment, in a loop that waits for another context.
///
/// It is [`core::hint::spin_loop`], and with the feature `sim` also a place at which a simulator
/// lets the other contexts go on. A loop without such a place would never end in a simulation.
///
/// * **Context**: any.
/// * **Cost**: O(1), some processor cycles.
///
/// ```
/// use core::sync::atomic::{AtomicBool, Ordering};
///
/// static READY: AtomicBool = AtomicBool::new(false);
///
/// # std::thread::spawn(|| READY.store(true, Ordering::Release));
/// while !READY.load(Ordering::Acquire) {
///     corepool::spin_loop();
/// }
/// ```
#[inline]
pub fn spin_loop() {
    sync::spin_loop();
}
