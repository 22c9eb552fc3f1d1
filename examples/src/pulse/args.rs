//! The command line.

use std::path::PathBuf;

use clap::Parser;
use pulse_app::{POOL_WORKERS, Plan};

/// Measures the pulse in a recording of a pulse sensor, window by window, on a pool of workers.
///
/// A recording is a text file with one value a line, or two comma-separated columns: the time in
/// milliseconds and the value. The first line may be a header; lines that start with # are comments.
///
/// Exit status: 0 if there is a good window, 1 if there is none, 2 for bad input.
#[derive(Debug, Parser)]
#[command(name = "pulse-monitor", version)]
pub struct Args {
    /// A file with the recording, or - for standard input [default: a built-in recording of 128 s]
    pub file: Option<PathBuf>,

    /// Number of OS threads that run the pool's jobs
    #[arg(long, value_name = "COUNT", default_value_t = 2, allow_negative_numbers = true, value_parser = workers)]
    pub workers: u8,

    /// Length of a window in seconds
    #[arg(long = "window", value_name = "SECONDS", default_value = "10", allow_negative_numbers = true, value_parser = thousandths)]
    pub window_ms: u32,

    /// Time from one window to the next in seconds
    #[arg(long = "hop", value_name = "SECONDS", default_value = "2", allow_negative_numbers = true, value_parser = thousandths)]
    pub hop_ms: u32,

    /// Sample rate in Hz [default: from the time column, or 100 if there is none]
    #[arg(long = "rate", value_name = "HERTZ", allow_negative_numbers = true, value_parser = rate)]
    pub rate_mhz: Option<u32>,

    /// Feed the samples live, at this multiple of their rate; the program drops windows if the workers
    /// do not keep up [default: as fast as the workers run, without drops]
    #[arg(long, value_name = "FACTOR", allow_negative_numbers = true, value_parser = factor)]
    pub speed: Option<f64>,

    /// Print the table of windows, even if there are more than 100
    #[arg(long)]
    pub table: bool,
}

/// Reads the number of workers.
fn workers(text: &str) -> Result<u8, String> {
    match text.parse() {
        Ok(count) if (1..=POOL_WORKERS).contains(&usize::from(count)) => Ok(count),
        _ => Err(format!("must be a number from 1 to {POOL_WORKERS}")),
    }
}

/// Reads a positive number with up to three decimals as thousandths.
fn thousandths(text: &str) -> Result<u32, String> {
    let thousandths = (positive(text)? * 1000.0).round();
    if !(1.0..=f64::from(u32::MAX)).contains(&thousandths) {
        return Err("must be from 0.001 to 4294967".into());
    }
    Ok(thousandths as u32)
}

/// Reads a sample rate.
fn rate(text: &str) -> Result<u32, String> {
    let rate = thousandths(text)?;
    if !(Plan::MIN_RATE_MHZ..=Plan::MAX_RATE_MHZ).contains(&rate) {
        return Err(pulse_app::PlanError::Rate.to_string());
    }
    Ok(rate)
}

/// Reads a speed.
fn factor(text: &str) -> Result<f64, String> {
    let factor = positive(text)?;
    if !(0.01..=1e6).contains(&factor) {
        return Err("must be from 0.01 to 1000000".into());
    }
    Ok(factor)
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number > 0.0 => Ok(number),
        _ => Err("not a positive number".into()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn seconds_are_read_as_milliseconds() {
        assert_eq!(thousandths("10"), Ok(10_000));
        assert_eq!(thousandths("2.5"), Ok(2_500));
        for bad in ["", "ten", "-1", "0", "NaN", "inf", "1e300", "0.0001"] {
            assert!(thousandths(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn rates_and_speeds_have_bounds() {
        assert_eq!(rate("116.9956"), Ok(116_996));
        assert!(rate("19.9").is_err() && rate("10001").is_err());
        assert_eq!(factor("0.5"), Ok(0.5));
        assert!(factor("1e7").is_err() && factor("0.001").is_err());
    }
}
