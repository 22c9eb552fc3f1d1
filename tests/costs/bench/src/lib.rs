//! How fast the pool is, beside the best pools of the host and the limits of the machine.
//!
//! A *workload* is measured in rounds. In each round every contender has a slice of some
//! milliseconds, with threads of its own that have run before; so what changes on the machine
//! meanwhile, changes for all. A slice is many batches of jobs, of which the median counts, or, with
//! two submitters, the mean. Figures are medians of the rounds' slices; ratios are medians of each
//! round's ratio.
//!
//! Every contender gets the same closure, and gives back the result, which the submitter checks.

pub mod awaited;
pub mod bars;
pub mod inline;
pub mod instructions;
pub mod limits;
pub mod lists;
pub mod peers;
pub mod pool;
pub mod processes;
pub mod python;
pub mod report;
pub mod statistics;
pub mod wire;
pub mod workloads;
