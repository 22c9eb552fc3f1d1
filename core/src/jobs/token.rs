//! The cooperative cancel token.

use core::fmt;

use crate::{lockfree::state, lockfree::sync::looks, memory::slot::SlotRef};

/// Tells a running job whether its handle has asked it to cancel.
///
/// A running job cannot be stopped from outside. A long job reads its token from time to time, and
/// returns early. The value that it returns is its result.
///
/// ```
/// use corepool::{CancelToken, StaticPool};
///
/// static POOL: StaticPool<4, 32> = StaticPool::new();
///
/// fn sum_of_squares(token: &CancelToken<'_>) -> Option<u64> {
///     let mut sum = 0;
///     for n in 0..1000_u64 {
///         if token.is_cancelled() {
///             return None;
///         }
///         sum += n * n;
///     }
///     Some(sum)
/// }
///
/// let job = POOL.submit_cancellable(sum_of_squares).unwrap();
/// POOL.run_pending(1);
/// assert_eq!(job.result().unwrap(), Some(332_833_500));
/// ```
#[derive(Clone, Copy)]
pub struct CancelToken<'a> {
    slot: SlotRef<'a>,
}

impl<'a> CancelToken<'a> {
    pub(crate) fn new(slot: SlotRef<'a>) -> Self {
        Self { slot }
    }

    /// Whether [`cancel`](crate::JobFuture::cancel) was called while the job ran. A shutdown does
    /// not set the token, since it lets running jobs finish.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(1): one atomic load, cheap enough for an inner loop.
    pub fn is_cancelled(&self) -> bool {
        looks("is_cancelled");
        self.slot.state.load().has(state::CANCEL)
    }
}

impl fmt::Debug for CancelToken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelToken")
            .field("is_cancelled", &self.is_cancelled())
            .finish()
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for CancelToken<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "CancelToken({=bool})", self.is_cancelled());
    }
}
