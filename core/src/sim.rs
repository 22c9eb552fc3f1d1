//! The places at which a simulator may let another context go on.
//!
//! `corepool-sim` uses them. An application has no need to.

pub use crate::lockfree::sync::hooked::{Hook, Point, install};
