//! Log points: to `defmt`, to `log`, to both, or compiled to nothing.
//!
//! | level | event |
//! |---|---|
//! | trace | a job starts, or a task is polled; a job ends, and how; a pool is full |
//! | warning | a worker could not start; a worker is lost; a pool breaks |

macro_rules! trace {
    ($text:literal $(, $arg:expr)*) => {{
        #[cfg(feature = "defmt")]
        defmt::trace!($text $(, $arg)*);
        #[cfg(feature = "log")]
        log::trace!($text $(, $arg)*);
        $(let _ = || $arg;)*
    }};
}

macro_rules! warning {
    ($text:literal $(, $arg:expr)*) => {{
        #[cfg(feature = "defmt")]
        defmt::warn!($text $(, $arg)*);
        #[cfg(feature = "log")]
        log::warn!($text $(, $arg)*);
        $(let _ = || $arg;)*
    }};
}

pub(crate) use {trace, warning};
