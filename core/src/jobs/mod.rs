//! The kinds of job.

pub(crate) mod kinds;
pub(crate) mod token;
