//! The application, which is the same on the chip and in `cargo test`.
#![cfg_attr(not(test), no_std)]

use corepool::{JobFuture, StaticPool};

/// Up to 8 jobs at a time, each with a closure and a result of up to 32 bytes.
pub static POOL: StaticPool<8, 32> = StaticPool::new();

/// Samples that one job takes.
const WINDOW: usize = 8;

/// Collects samples, and has a job compute the mean of each window.
#[derive(Default)]
pub struct Meter {
    window: [u16; WINDOW],
    count: usize,
    job: Option<JobFuture<'static, u16>>,
}

impl Meter {
    /// No sample yet.
    pub const fn new() -> Self {
        Self {
            window: [0; WINDOW],
            count: 0,
            job: None,
        }
    }

    /// Takes a sample. Never waits, so an interrupt handler may call it.
    pub fn sample(&mut self, value: u16) {
        self.window[self.count] = value;
        self.count = (self.count + 1) % WINDOW;
        if self.count == 0 {
            let window = self.window;
            // A full pool is an error and not a wait: this window is dropped then.
            self.job = POOL.submit(move || mean(&window)).ok();
        }
    }

    /// The mean of the last window, once its job has run.
    pub fn mean(&mut self) -> Option<u16> {
        let mean = self.job.as_mut()?.try_result()?;
        self.job = None;
        mean.ok()
    }
}

fn mean(window: &[u16; WINDOW]) -> u16 {
    let sum: u32 = window.iter().copied().map(u32::from).sum();
    (sum / WINDOW as u32) as u16
}

#[cfg(test)]
mod tests {
    use corepool_std::run_workers;

    use super::*;

    #[test]
    fn a_window_of_samples_gives_its_mean() {
        // On this host a thread runs the jobs.
        let _worker = run_workers(&POOL, 1).expect("a thread starts");
        let mut meter = Meter::new();
        (0..8).for_each(|value| meter.sample(value));
        let mean = loop {
            if let Some(mean) = meter.mean() {
                break mean;
            }
            corepool::spin_loop();
        };
        assert_eq!(mean, 3);
    }
}
