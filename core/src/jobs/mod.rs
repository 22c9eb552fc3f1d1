//! The kinds of job, and their way into a slot.

pub(crate) mod ambient;
pub(crate) mod job;
pub(crate) mod kinds;
#[cfg(feature = "remote")]
pub(crate) mod remote_job;
pub(crate) mod submit;
pub(crate) mod token;
pub(crate) mod too_large;
#[cfg(feature = "remote")]
pub(crate) mod travel;
pub(crate) mod vtable;
