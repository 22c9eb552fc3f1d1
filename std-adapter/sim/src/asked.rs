//! The variables of the environment.

use crate::{schedule::Schedule, second};

/// The wishes of the environment.
#[derive(Default)]
pub(crate) struct Asked {
    pub(crate) seed: Option<u64>,
    pub(crate) schedules: Option<u64>,
    pub(crate) replay: Option<Schedule>,
    /// The process is to print the hash of the first simulation's first runs.
    pub(crate) is_second: bool,
}

impl Asked {
    pub(crate) fn of_environment() -> Result<Self, String> {
        let number = |name: &str| match std::env::var(name) {
            Ok(text) => match text.parse() {
                Ok(number) => Ok(Some(number)),
                Err(_) => Err(format!("{name}={text}: not a number")),
            },
            Err(_) => Ok(None),
        };
        let name = "COREPOOL_SIM_REPLAY";
        let replay = match std::env::var(name) {
            Ok(text) => Some(text.parse().map_err(|error| format!("{name}: {error}"))?),
            Err(_) => None,
        };
        Ok(Self {
            seed: number("COREPOOL_SIM_SEED")?,
            schedules: number("COREPOOL_SIM_SCHEDULES")?,
            is_second: second::is_this_one(),
            replay,
        })
    }

    /// Whether all runs of the test were asked for.
    pub(crate) fn is_whole(&self) -> bool {
        self.seed.is_none()
    }
}
