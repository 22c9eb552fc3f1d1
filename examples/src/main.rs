//! The pulse monitor on the host: lends OS threads to the pool of `pulse-app` and feeds it a
//! recording.

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser as _;

mod pulse;

fn main() -> ExitCode {
    match pulse::run(&pulse::Args::parse()) {
        Ok(pulse::Verdict::Pulse) => ExitCode::SUCCESS,
        Ok(pulse::Verdict::NoGoodWindow) => ExitCode::from(1),
        // A reader that has seen enough (`pulse-monitor | head`) is no failure.
        Err(pulse::Error::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(error) => {
            // Not `eprintln!`, which panics where standard error is closed.
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::from(2)
        }
    }
}
