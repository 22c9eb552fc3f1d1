//! The kinds of job.

pub(crate) mod kinds;
pub(crate) mod submit;
pub(crate) mod token;
