//! The host's clock.

use std::{
    sync::OnceLock,
    time::{Duration, Instant},
};

/// The time since the first call of this function in the process.
pub(crate) fn now() -> Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}
