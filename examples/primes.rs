//! Work for the processor: which of these numbers are prime? The same jobs are done one after the
//! other, by a [`ThreadPool`], and by a [`ProcessPool`], of which one child is killed on purpose in the
//! midst of it.
//!
//! A job that is to run in another process is a named type, and both sides know it by the table
//! `JOBS`. The first line of `main` is where a child goes its own way.
//!
//! Run it with `cargo run --release --example primes`. Standard error has the progress, how long each
//! way took, what that is against one after the other, and how the killed child's jobs ended. What it
//! prints on standard output is the same each time:
//!
//! ```text
//! 112272535095293 is prime
//! 112582705942171 is prime
//! 112272535095297 is not prime
//! 115280095190773 is prime
//! 115797848077099 is prime
//! 1099726899285419 is not prime
//! 67280421310721 is prime
//! 67280421310723 is not prime
//! threads agree
//! processes agree, though one of them was killed
//! ```

#[cfg(unix)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    unix::main()
}

#[cfg(not(unix))]
fn main() {
    eprintln!("child processes are workers on Unix only");
}

#[cfg(unix)]
mod unix {
    use std::{
        error::Error,
        process::Command,
        time::{Duration, Instant},
    };

    use corepool::{
        JobError, JobFuture, OnLoss, SubmitError,
        remote::{JobContext, JobEntry, JobTable, RemoteJob},
    };
    use corepool_std::{
        ThreadPool,
        process::{ProcessPool, run_worker_if_asked},
    };
    use indicatif::{ProgressBar, ProgressStyle};
    use postcard_schema::Schema;
    use serde::{Deserialize, Serialize};

    const NUMBERS: [u64; 8] = [
        112_272_535_095_293,
        112_582_705_942_171,
        112_272_535_095_297,
        115_280_095_190_773,
        115_797_848_077_099,
        1_099_726_899_285_419,
        67_280_421_310_721,
        67_280_421_310_723,
    ];

    #[derive(Clone, Copy, Serialize, Deserialize, Schema)]
    struct IsPrime(u64);

    impl RemoteJob for IsPrime {
        type Output = bool;
        const NAME: &'static str = "is_prime";

        fn run(self, _context: &mut JobContext<'_>) -> bool {
            is_prime(self.0)
        }
    }

    /// What parent and children have in common.
    static JOBS: JobTable = JobTable::new(&[JobEntry::of::<IsPrime>()]);

    fn is_prime(number: u64) -> bool {
        if number < 4 || number.is_multiple_of(2) {
            return number == 2 || number == 3;
        }
        (3..=number.isqrt())
            .step_by(2)
            .all(|divisor| !number.is_multiple_of(divisor))
    }

    pub fn main() -> Result<(), Box<dyn Error>> {
        run_worker_if_asked(&JOBS);

        let (expected, alone) = timed("one after the other", None, |progress| {
            let results = NUMBERS.into_iter().map(is_prime);
            Ok(results.inspect(|_| progress.inc(1)).collect::<Vec<_>>())
        })?;
        for (number, is_prime) in NUMBERS.iter().zip(&expected) {
            let is = if *is_prime { "is" } else { "is not" };
            println!("{number} {is} prime");
        }

        let (by_threads, _) = timed("threads", Some(alone), |progress| {
            let pool = ThreadPool::new();
            let results = pool.map(NUMBERS, is_prime);
            results
                .inspect(|_| progress.inc(1))
                .collect::<Result<Vec<_>, _>>()
        })?;
        assert_eq!(by_threads, expected);
        println!("threads agree");

        let (by_processes, _) = timed("processes, one killed", Some(alone), by_processes)?;
        assert_eq!(by_processes, expected);
        println!("processes agree, though one of them was killed");
        Ok(())
    }

    /// Has the jobs done by children, and kills one as soon as the first result is there.
    fn by_processes(progress: &ProgressBar) -> Result<Vec<bool>, JobError> {
        let pool = ProcessPool::builder(&JOBS)
            .on_loss(OnLoss::Continue)
            .build()
            .expect("the options are in bounds");
        let submit = |number| pool.submit(IsPrime(number)).map_err(refused);
        let futures = NUMBERS
            .map(submit)
            .into_iter()
            .collect::<Result<Vec<_>, _>>()?;
        let mut results = Vec::new();
        for (number, future) in NUMBERS.into_iter().zip(futures) {
            let result = match future.result() {
                Err(JobError::WorkerLost(reason)) => {
                    progress.suspend(|| eprintln!("{number} is done again: {reason}"));
                    submit(number).and_then(JobFuture::result)
                }
                result => result,
            };
            results.push(result?);
            progress.inc(1);
            if results.len() == 1
                && let Some(child) = pool.worker_ids().last()
            {
                kill(*child);
            }
        }
        Ok(results)
    }

    fn refused(error: SubmitError<IsPrime>) -> JobError {
        match error {
            SubmitError::Broken(_, reason) => JobError::Broken(reason),
            _ => JobError::ShutDown,
        }
    }

    fn kill(child: u32) {
        let killed = Command::new("kill")
            .args(["-KILL", &child.to_string()])
            .status();
        assert!(killed.is_ok_and(|status| status.success()), "kill {child}");
    }

    /// Shows the progress of `work`, and how long it took.
    fn timed<T>(
        name: &'static str,
        alone: Option<Duration>,
        work: impl FnOnce(&ProgressBar) -> Result<T, JobError>,
    ) -> Result<(T, Duration), Box<dyn Error>> {
        let style = ProgressStyle::with_template("{msg:22} {bar:30} {pos}/{len}")?;
        let progress = ProgressBar::new(NUMBERS.len() as u64)
            .with_style(style)
            .with_message(name);
        let start = Instant::now();
        let results = work(&progress)?;
        let took = start.elapsed();
        progress.finish_and_clear();
        let seconds = took.as_secs_f64();
        match alone {
            None => eprintln!("{name}: {seconds:.2} s"),
            Some(alone) => {
                let speed_up = alone.as_secs_f64() / seconds;
                eprintln!("{name}: {seconds:.2} s, {speed_up:.2} times as fast");
            }
        }
        Ok((results, took))
    }
}
