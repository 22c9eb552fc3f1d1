//! The pause between two looks of a thread that spins.

/// How a thread that spins passes the time between two looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pause {
    /// For a moment, on its core.
    KeepCore,
    /// For as long as others run that wait for the core.
    YieldCore,
}

impl Pause {
    /// The pause in this round of a thread that keeps its core for `looks_on_core` looks.
    #[inline]
    pub(super) fn in_round(round: u32, looks_on_core: u32) -> Self {
        match round < looks_on_core {
            true => Self::KeepCore,
            false => Self::YieldCore,
        }
    }

    #[inline]
    pub(super) fn take(self) {
        match self {
            Self::KeepCore => std::hint::spin_loop(),
            Self::YieldCore => std::thread::yield_now(),
        }
    }
}
