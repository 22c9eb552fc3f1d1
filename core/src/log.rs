//! Log points: to `defmt`, to `log`, to both, or compiled to nothing.

macro_rules! trace {
    ($text:literal $(, $arg:expr)*) => {{
        #[cfg(feature = "defmt")]
        defmt::trace!($text $(, $arg)*);
        #[cfg(feature = "log")]
        log::trace!($text $(, $arg)*);
        $(let _ = &$arg;)*
    }};
}

macro_rules! warning {
    ($text:literal $(, $arg:expr)*) => {{
        #[cfg(feature = "defmt")]
        defmt::warn!($text $(, $arg)*);
        #[cfg(feature = "log")]
        log::warn!($text $(, $arg)*);
        $(let _ = &$arg;)*
    }};
}

pub(crate) use {trace, warning};
