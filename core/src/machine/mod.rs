//! The contract with the machine: what a port and a worker are.

#[cfg(feature = "remote")]
pub(crate) mod link;
pub(crate) mod port;
pub(crate) mod worker;
