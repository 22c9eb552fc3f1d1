//! Planted bugs of firmware applications, each beside its mended twin, and the conformance suite on a
//! simulated chip.
//!
//! A bug is a [`Planted`]: its chip, its scenario, and the number of runs within which the simulator has
//! to find it. `tests/garden.rs` holds the simulator to that number, and the twin to silence.

mod garden;
mod link;
mod memory;
mod suite_chip;

pub use garden::*;
pub use memory::resident;
pub use suite_chip::OnAChip;
