//! The pulse monitor on the host: OS threads are the workers of the pool of `pulse-app`, and a recording is
//! its input.
//!
//! Run it with `cargo run`; `cargo run -- --help` lists the options. For the recording in `data` it
//! prints a table of the windows and ends like this (which worker runs which window differs from
//! run to run):
//!
//! ```text
//!      bpm   ● good window   · bad window
//!            a · at the edge lies beyond
//!       76 ┤   ·            ·
//!       74 ┤
//!       72 ┤                     ●
//!       70 ┤                   ·● ●●
//!       68 ┤             ···  ·
//!       66 ┤                        ●
//!       64 ┤                 ·               ●●                        ●
//!       62 ┤                         ●     ●●  ●·             ●●●●●●●●●
//!       60 ┤                          ●●●●●      ·· ●●●●●●●●●●
//!       58 ┤                                       ·
//!       56 ┤··· ·········
//!          └────────────────────────────────────────────────────────────
//!           0 s                                                    118 s
//! worker 0 │■■  ■ ■ ■ ■■■ ■ ■  ■■■ ■ ■ ■■■    ■■ ■■ ■■ ■  ■  ■ ■   ■ ■ ■
//! worker 1 │  ■■ ■ ■ ■   ■ ■ ■■   ■ ■ ■   ■■■■  ■  ■  ■ ■■ ■■ ■ ■■■ ■ ■
//!
//! 60 windows: 36 good, 24 bad, 0 dropped, 0 failed
//! median of the good windows: 61.6 bpm
//! ```

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
