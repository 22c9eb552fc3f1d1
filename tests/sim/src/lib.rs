//! Planted bugs of firmware applications, each beside its mended twin.
//!
//! A bug is a [`Planted`]: its chip, its scenario, and the number of runs within which the simulator has
//! to find it. `tests/garden.rs` holds the simulator to that number, and the twin to silence.

mod garden;

pub use garden::*;
