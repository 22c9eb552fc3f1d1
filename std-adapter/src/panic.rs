//! Panics of jobs, with their payloads.

use std::any::Any;

use corepool::Panic;

/// What `std::panic::catch_unwind` gives.
type Payload = Box<dyn Any + Send>;

/// Makes a pool's panic of a caught one.
pub(crate) fn from_payload(payload: Payload) -> Panic {
    Panic::new(payload)
}

/// The payload of a job's panic.
///
/// ```
/// use corepool::JobError;
/// use corepool_std::{PanicExt, ThreadPool};
///
/// let pool = ThreadPool::new();
/// let job = pool.submit(|| panic!("out of paper")).unwrap();
/// let Err(JobError::Panicked(panic)) = job.result() else { unreachable!() };
/// let payload = panic.payload().unwrap();
/// assert_eq!(*payload.downcast::<&str>().unwrap(), "out of paper");
/// ```
pub trait PanicExt {
    /// The payload that the job panicked with. `None` if it was handed out before, or if the pool
    /// had no [`HostPort`](crate::HostPort) when the job panicked.
    fn payload(self) -> Option<Payload>;

    /// Goes on with the panic, in the thread that calls.
    ///
    /// # Panics
    ///
    /// Always: that is its purpose.
    fn resume(self) -> !;
}

impl PanicExt for Panic {
    fn payload(self) -> Option<Payload> {
        self.into_payload::<Payload>().ok()
    }

    fn resume(self) -> ! {
        match self.payload() {
            Some(payload) => std::panic::resume_unwind(payload),
            None => std::panic::resume_unwind(Box::new("a job panicked")),
        }
    }
}

/// The text of a payload, if it is one.
pub(crate) fn message(payload: &Payload) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a payload that is no text")
}
