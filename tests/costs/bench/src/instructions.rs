//! Instructions a job, counted by callgrind.

use std::{env, fs, path::Path, process::Command};

use crate::statistics::Slice;

/// Few enough to be quick, and so many more that what is done once does not count.
const JOBS: [u64; 2] = [1_000, 3_000];

/// Instructions that the inline contender `name` takes for a job, in the place of nanoseconds.
///
/// # Errors
///
/// Callgrind did not count.
pub fn count(name: &str) -> Result<Slice, String> {
    let here = env::current_exe().map_err(|error| format!("where is this program? {error}"))?;
    let program = here.with_file_name("inline");
    let [few, many] = JOBS;
    let more = total(&program, name, many)? - total(&program, name, few)?;
    Ok(Slice {
        time: more / (many - few) as f64,
        cpu: None,
    })
}

fn total(program: &Path, name: &str, jobs: u64) -> Result<f64, String> {
    let profile = program.with_file_name("callgrind.out");
    let output = Command::new("valgrind")
        .arg("--tool=callgrind")
        .arg(format!("--callgrind-out-file={}", profile.display()))
        .arg(program)
        .args([name, &jobs.to_string()])
        .output()
        .map_err(|error| format!("cannot run valgrind: {error}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{name}, {jobs} jobs: {}\n{said}", output.status));
    }
    fs::read_to_string(&profile)
        .map_err(|error| format!("cannot read {}: {error}", profile.display()))?
        .lines()
        .find_map(|line| line.strip_prefix("totals: ")?.trim().parse().ok())
        .ok_or_else(|| format!("{name}: callgrind has counted nothing"))
}
