//! The public contract with the machine: ports, workers, links.

#[cfg(feature = "remote")]
pub(crate) mod link;
pub(crate) mod port;
pub(crate) mod spin;
pub(crate) mod worker;
