//! The variables of the environment.

use std::{path::PathBuf, time::Duration};

use crate::{picture::Rows, schedule::Schedule, second};

/// The wishes of the environment.
#[derive(Default)]
pub(crate) struct Asked {
    pub(crate) seed: Option<u64>,
    pub(crate) schedules: Option<u64>,
    /// The number of processes that share the seeds.
    pub(crate) shards: Option<u64>,
    pub(crate) replay: Option<Schedule>,
    /// The search goes on with further seeds until it has taken this time.
    pub(crate) time: Option<Duration>,
    /// The file of the regressions.
    pub(crate) regressions: Option<PathBuf>,
    /// The folder for pictures of a failing run.
    pub(crate) pictures: Option<PathBuf>,
    /// The rows of a report.
    pub(crate) rows: Rows,
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
        let time = match std::env::var("COREPOOL_SIM_MINUTES") {
            Ok(text) => {
                let minutes = text.parse::<f64>().ok();
                let time =
                    minutes.and_then(|minutes| Duration::try_from_secs_f64(60.0 * minutes).ok());
                Some(time.ok_or(format!(
                    "COREPOOL_SIM_MINUTES={text}: not a number of minutes"
                ))?)
            }
            Err(_) => None,
        };
        let path = |name: &str| std::env::var_os(name).map(PathBuf::from);
        let rows = match std::env::var("COREPOOL_SIM_ROWS") {
            Ok(text) if text == "all" => Rows::All,
            Ok(text) => return Err(format!("COREPOOL_SIM_ROWS={text}: the value is `all`")),
            Err(_) => Rows::Telling,
        };
        let name = "COREPOOL_SIM_REPLAY";
        let replay = match std::env::var(name) {
            Ok(text) => Some(text.parse().map_err(|error| format!("{name}: {error}"))?),
            Err(_) => None,
        };
        Ok(Self {
            seed: number("COREPOOL_SIM_SEED")?,
            schedules: number("COREPOOL_SIM_SCHEDULES")?,
            shards: number("COREPOOL_SIM_SHARDS")?.filter(|&shards| shards > 1),
            is_second: second::is_this_one(),
            time,
            regressions: path("COREPOOL_SIM_REGRESSIONS"),
            pictures: path("COREPOOL_SIM_PICTURES"),
            rows,
            replay,
        })
    }

    /// Whether all runs of the test were asked for.
    pub(crate) fn is_whole(&self) -> bool {
        self.seed.is_none()
    }
}
