//! AArch64, in the exception levels 1 to 3: events between cores, and the handlers of a core. Needs the feature
//! `aarch64`.
//!
//! A core sleeps in `WFE` on its [`Event`]. [`core_number`] names the core that calls. Each handler that uses a
//! pool does so in [`in_handler`].
//!
//! Compare-and-swap works between the cores only in memory that is cached and shareable. So each core has its MMU
//! and its data cache on before it uses a pool.

pub use super::{
    arch::{
        affinity::{MAX_CORES, core_number},
        depth::in_handler,
    },
    event::Event,
};
