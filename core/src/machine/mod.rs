//! The contract with the machine: what a port and a worker are.

pub(crate) mod port;
pub(crate) mod worker;
