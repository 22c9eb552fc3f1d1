//! Why a submit was refused. The job comes back in the error.

use core::fmt;

use super::BrokenReason;

/// Why a port that starts workers on demand has none for a job: a text for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct NoWorker(pub &'static str);

impl fmt::Display for NoWorker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl core::error::Error for NoWorker {}

/// Why a job was not accepted. The job comes back in the error, so nothing is lost.
///
/// `F` is the type of the submitted closure or future.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubmitError<F> {
    /// Every slot is taken, by work that can still run or by a future. Try again later, use a
    /// submit that waits for room, or raise SLOTS. A job that forks and joins can run the returned
    /// job itself.
    ///
    /// An ended job of another priority may also hold a slot, while its index is in the queue. If
    /// two contexts try to take the slot of the same ended job, both may get this error, and can
    /// try again.
    Full(F),
    /// The pool has been shut down.
    ShutDown(F),
    /// The pool is broken, for this reason.
    Broken(F, BrokenReason),
    /// The pool has no worker, and could not start one, for this reason. Try again later: the next
    /// submit tries to start one, too.
    NoWorker(F, NoWorker),
    /// The pool has fewer priorities.
    NoSuchPriority(F),
    /// The caller has set a timeout, and the pool has no clock. Install a `Port` that has one.
    NoClock(F),
    /// All WAITERS places are taken. Try again later, or raise WAITERS.
    TooManyWaiters(F),
    /// The call has to wait, and that is not possible. Either the caller's context may not block,
    /// as in an interrupt handler, or waiting there could never end.
    WouldDeadlock(F),
}

impl<F> SubmitError<F> {
    /// The job that was submitted.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(1).
    ///
    /// ```
    /// # use corepool::{StaticPool, SubmitError};
    /// static POOL: StaticPool<1, 16> = StaticPool::new();
    /// let first = POOL.submit(|| 1).unwrap();
    /// let error = POOL.submit(|| 2).unwrap_err();
    /// assert!(matches!(error, SubmitError::Full(_)));
    /// assert_eq!(error.into_inner()(), 2); // not lost: run it here
    /// # first.cancel();
    /// ```
    pub fn into_inner(self) -> F {
        match self {
            Self::Full(job)
            | Self::ShutDown(job)
            | Self::Broken(job, _)
            | Self::NoWorker(job, _)
            | Self::NoSuchPriority(job)
            | Self::NoClock(job)
            | Self::TooManyWaiters(job)
            | Self::WouldDeadlock(job) => job,
        }
    }

    /// The same error about another value, such as `()`. It helps to return the error with `?` from
    /// where the job cannot go along.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(1), and `f`.
    ///
    /// ```
    /// # use corepool::{StaticPool, SubmitError};
    /// fn start(pool: &StaticPool<1, 16>) -> Result<(), SubmitError<()>> {
    ///     pool.submit_detached(|| ()).map_err(|error| error.map(drop))
    /// }
    /// static POOL: StaticPool<1, 16> = StaticPool::new();
    /// # start(&POOL).unwrap();
    /// ```
    pub fn map<G>(self, f: impl FnOnce(F) -> G) -> SubmitError<G> {
        match self {
            Self::Full(job) => SubmitError::Full(f(job)),
            Self::ShutDown(job) => SubmitError::ShutDown(f(job)),
            Self::Broken(job, reason) => SubmitError::Broken(f(job), reason),
            Self::NoWorker(job, reason) => SubmitError::NoWorker(f(job), reason),
            Self::NoSuchPriority(job) => SubmitError::NoSuchPriority(f(job)),
            Self::NoClock(job) => SubmitError::NoClock(f(job)),
            Self::TooManyWaiters(job) => SubmitError::TooManyWaiters(f(job)),
            Self::WouldDeadlock(job) => SubmitError::WouldDeadlock(f(job)),
        }
    }

    fn text(&self) -> &'static str {
        match self {
            Self::Full(_) => {
                "the pool is full: try again later, wait for room, or raise the pool's SLOTS"
            }
            Self::ShutDown(_) => "the pool has been shut down and takes no new work",
            Self::Broken(..) => "the pool is broken and takes no new work",
            Self::NoWorker(..) => {
                "the pool has no worker, and could not start one: try again later"
            }
            Self::NoSuchPriority(_) => NO_SUCH_PRIORITY,
            Self::NoClock(_) => NO_CLOCK,
            Self::TooManyWaiters(_) => TOO_MANY_WAITERS,
            Self::WouldDeadlock(_) => MAY_NOT_BLOCK,
        }
    }
}

/// The text of every call at a priority that the pool has not.
pub(crate) const NO_SUCH_PRIORITY: &str =
    "the pool has no such priority: raise the pool's PRIORITIES or use a lower one";

/// The text of every call with a time limit, in a pool without a clock.
pub(crate) const NO_CLOCK: &str =
    "the pool has no clock for a timeout: call install with a port that has one";

/// The text of every call that has to wait and finds no free place for a waiter.
pub(crate) const TOO_MANY_WAITERS: &str = "too many waits are under way: raise the pool's WAITERS";

/// The text of every call that has to wait where waiting is not possible.
pub(crate) const MAY_NOT_BLOCK: &str = "waiting here could never end: the caller's context may not block, or what it \
                             waits for depends on the caller";

/// The name of the error, and its text: `unwrap` and `expect` show no other.
impl<F> fmt::Debug for SubmitError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Full(_) => "Full",
            Self::ShutDown(_) => "ShutDown",
            Self::Broken(..) => "Broken",
            Self::NoWorker(..) => "NoWorker",
            Self::NoSuchPriority(_) => "NoSuchPriority",
            Self::NoClock(_) => "NoClock",
            Self::TooManyWaiters(_) => "TooManyWaiters",
            Self::WouldDeadlock(_) => "WouldDeadlock",
        };
        write!(f, "{name}(..): {self}")
    }
}

impl<F> fmt::Display for SubmitError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())?;
        match self {
            Self::Broken(_, reason) => write!(f, ": {reason}"),
            Self::NoWorker(_, reason) => write!(f, ": {reason}"),
            _ => Ok(()),
        }
    }
}

impl<F> core::error::Error for SubmitError<F> {}

#[cfg(feature = "defmt")]
impl<F> defmt::Format for SubmitError<F> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "{=str}", self.text());
        match self {
            Self::Broken(_, reason) => defmt::write!(f, ": {}", reason),
            Self::NoWorker(_, reason) => defmt::write!(f, ": {}", reason),
            _ => {}
        }
    }
}

/// Why a callback was not added. The callback comes back in the error.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallbackError<F> {
    /// Every slot is taken, and a callback needs one of its own.
    Full(F),
    /// The callback does not fit a slot: raise the pool's BYTES, or capture a reference.
    TooLarge(F),
}

impl<F> CallbackError<F> {
    /// The callback.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(1).
    ///
    /// ```
    /// use corepool::StaticPool;
    ///
    /// static POOL: StaticPool<1, 32> = StaticPool::new();
    /// let mut job = POOL.submit(|| 1).unwrap(); // it has the only slot
    /// let refused = job.add_done_callback(|_| println!("done")).unwrap_err();
    /// let callback = refused.into_inner();
    /// # let _ = callback;
    /// ```
    pub fn into_inner(self) -> F {
        match self {
            Self::Full(callback) | Self::TooLarge(callback) => callback,
        }
    }

    fn text(&self) -> &'static str {
        match self {
            Self::Full(_) => {
                "no free slot for the callback: try again later or raise the pool's SLOTS"
            }
            Self::TooLarge(_) => "the callback does not fit a slot: raise the pool's BYTES",
        }
    }
}

/// The name of the error, and its text: `unwrap` and `expect` show no other.
impl<F> fmt::Debug for CallbackError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Full(_) => "Full",
            Self::TooLarge(_) => "TooLarge",
        };
        write!(f, "{name}(..): {self}")
    }
}

impl<F> fmt::Display for CallbackError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl<F> core::error::Error for CallbackError<F> {}

#[cfg(feature = "defmt")]
impl<F> defmt::Format for CallbackError<F> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "{=str}", self.text());
    }
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests {
    use std::format;

    use super::*;

    #[test]
    fn an_unwrap_of_a_refused_submit_says_what_to_do() {
        let full = format!("{:?}", SubmitError::Full(()));
        assert_eq!(full, format!("Full(..): {}", SubmitError::Full(())));
        let broken = SubmitError::Broken((), BrokenReason::Application("no paper"));
        assert!(format!("{broken:?}").ends_with("work: no paper"));
    }

    #[test]
    fn an_unwrap_of_a_refused_callback_says_what_to_do() {
        let full = format!("{:?}", CallbackError::Full(()));
        assert_eq!(full, format!("Full(..): {}", CallbackError::Full(())));
    }
}
