//! The kinds of job, and their way into a slot.

pub(crate) mod job;
pub(crate) mod kinds;
#[cfg(feature = "remote")]
pub(crate) mod remote_job;
pub(crate) mod submit;
pub(crate) mod token;
#[cfg(feature = "remote")]
pub(crate) mod travel;
pub(crate) mod vtable;
