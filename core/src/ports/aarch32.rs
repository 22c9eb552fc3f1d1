//! AArch32 of Arm's A- and R-profile, from Armv7 on: events between cores, and the handlers of a core. Needs
//! the feature `aarch32`.
//!
//! A core sleeps in `WFE` on its [`Event`]. [`core_number`] names the core that calls. Each handler that uses a
//! pool does so in [`in_handler`].
//!
//! All interrupts are masked where a pool needs it. On a core whose FIQs cannot be masked (`SCTLR.NMFI`), no handler
//! of an FIQ uses a pool.
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
