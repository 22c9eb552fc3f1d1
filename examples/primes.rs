//! Work for the processor: which of these numbers are prime? The same jobs are done one after the
//! other, by a [`ThreadPool`], by a [`ProcessPool`], of which one child is killed on purpose in the
//! midst of it, and by a board, if there is one, that has nothing in common with this host but a wire.
//!
//! A job that is to run in another process, or on another machine, is a named type, and both sides know
//! it by the table `JOBS`. That is in [`primes-jobs`](primes-jobs/src/lib.rs), without `std`, since the
//! program of [the board](firmware/riscv-virt-uart/src/primes.rs) is made of it, too. The first line of
//! `main` is where a child goes its own way.
//!
//! Run it with `cargo run --release --example primes`; with `cargo xtask firmware --board
//! primes-to-riscv` it has a RISC-V chip, in QEMU. That builds the board's program, and runs
//!
//! ```sh
//! cargo run --release --example primes -- --board qemu-system-riscv32 -display none -monitor none \
//!     -semihosting -machine virt -bios none -serial stdio \
//!     -kernel target/firmware/riscv32imac-unknown-none-elf/release/riscv-virt-primes
//! ```
//!
//! A board on a desk is reached by a program that has its serial port as standard input and output.
//!
//! Standard error has the progress, how long each way took, what that is against one after the other,
//! and how the killed child's jobs ended. What it prints on standard output is the same each time, with
//! `the board agrees` as one more line if there is a board:
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
fn main() -> std::process::ExitCode {
    match unix::main() {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            std::process::ExitCode::FAILURE
        }
    }
}

#[cfg(not(unix))]
fn main() {
    eprintln!("child processes are workers on Unix only");
}

#[cfg(unix)]
mod unix {
    use std::{
        error::Error,
        ffi::OsString,
        process::{Child, ChildStdin, Command, Stdio},
        time::{Duration, Instant},
    };

    use clap::Parser;
    use corepool::{
        JobError, JobFuture, OnLoss, StaticPool,
        remote::{Buffers, RemoteConfig, RemoteWorker},
    };
    use corepool_std::{
        HostPort, StreamLink, ThreadPool, ThreadWorker,
        process::{ProcessPool, run_worker_if_asked},
    };
    use indicatif::{ProgressBar, ProgressStyle};
    use primes_jobs::{COUNT, FRAME, IsPrime, JOBS, NUMBERS, is_prime, numbers};

    /// How long a board may be silent: longer than any of the jobs takes it.
    const PATIENCE: Duration = Duration::from_secs(600);

    /// Finds out which of some numbers are prime, by threads, by child processes and, if there is one,
    /// by a board.
    #[derive(Parser)]
    struct Args {
        /// To the end of the line: what starts the board, or a program that has its serial port as its
        /// standard input and output
        #[arg(long, value_name = "COMMAND", num_args = 1.., allow_hyphen_values = true)]
        board: Option<Vec<OsString>>,
    }

    pub fn main() -> Result<(), Box<dyn Error>> {
        run_worker_if_asked(&JOBS);
        let args = Args::parse();

        let (expected, alone) = timed("one after the other", None, |progress| {
            let results = numbers().map(is_prime);
            Ok(results.inspect(|_| progress.inc(1)).collect::<Vec<_>>())
        })?;
        for (number, is_prime) in NUMBERS.iter().zip(&expected) {
            let is = if *is_prime { "is" } else { "is not" };
            println!("{number} {is} prime");
        }

        let (by_threads, _) = timed("threads", Some(alone), |progress| {
            let pool = ThreadPool::new();
            let results = pool.map(numbers(), is_prime);
            let results = results.inspect(|_| progress.inc(1));
            Ok(results.collect::<Result<Vec<_>, _>>()?)
        })?;
        assert_eq!(by_threads, expected);
        println!("threads agree");

        let (by_processes, _) = timed("processes, one killed", Some(alone), by_processes)?;
        assert_eq!(by_processes, expected);
        println!("processes agree, though one of them was killed");

        let Some(command) = args.board else {
            eprintln!("a board, too: cargo xtask firmware --board primes-to-riscv");
            return Ok(());
        };
        let (by_board, _) = timed("a board", Some(alone), |progress| {
            by_board(&command, progress)
        })?;
        assert_eq!(by_board, expected);
        println!("the board agrees");
        Ok(())
    }

    /// Has the jobs done by children, and kills one as soon as the first result is there.
    fn by_processes(progress: &ProgressBar) -> Result<Vec<bool>, Box<dyn Error>> {
        let pool = ProcessPool::builder(&JOBS)
            .on_loss(OnLoss::Continue)
            .build()
            .expect("the options are in bounds");
        let submit = |number| pool.submit(IsPrime(number));
        let futures = numbers().map(submit).collect::<Result<Vec<_>, _>>()?;
        let mut results = Vec::new();
        for (number, future) in numbers().zip(futures) {
            let result = match future.result() {
                Err(JobError::WorkerLost(reason)) => {
                    progress.suspend(|| eprintln!("{number} is done again: {reason}"));
                    submit(number)?.result()
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

    fn kill(child: u32) {
        let killed = Command::new("kill")
            .args(["-KILL", &child.to_string()])
            .status();
        assert!(killed.is_ok_and(|status| status.success()), "kill {child}");
    }

    /// Has the jobs done by a board. This thread sees to the link, and callbacks tell how far it is.
    fn by_board(command: &[OsString], progress: &ProgressBar) -> Result<Vec<bool>, Box<dyn Error>> {
        // A callback takes a slot, too.
        static POOL: StaticPool<{ 2 * COUNT }, 64> = StaticPool::new();
        POOL.install(&HostPort);
        let mut futures = Vec::new();
        for number in numbers() {
            let mut future = POOL.submit_remote(IsPrime(number))?;
            let progress = progress.clone();
            let counted = future.add_done_callback(move |_| progress.inc(1));
            counted.expect("each callback has a slot");
            futures.push(future);
        }
        // These are all, so the worker below says goodbye when they are done.
        let _ = POOL.shutdown(false, false);

        let mut board = Board::start(command)?;
        let link = board.link()?;
        let buffers = Buffers {
            outbox: &mut [0; 4 * FRAME],
            inbox: &mut [0; FRAME],
        };
        let config = RemoteConfig {
            silence: Some(PATIENCE),
            patience: Some(PATIENCE),
            ..RemoteConfig::default()
        };
        RemoteWorker::<_>::new(link, &JOBS, buffers, config)
            .run(POOL.pool_ref(), &ThreadWorker::default())?;
        let results = futures.into_iter().map(JobFuture::result);
        Ok(results.collect::<Result<_, _>>()?)
    }

    /// What is at the other end of the link, switched off when it is dropped.
    struct Board(Child);

    impl Board {
        fn start(command: &[OsString]) -> Result<Self, Box<dyn Error>> {
            let (program, args) = command.split_first().ok_or("no command")?;
            let mut command = Command::new(program);
            command
                .args(args)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped());
            let child = command.spawn();
            let child = child.map_err(|error| format!("{}: {error}", program.display()))?;
            Ok(Self(child))
        }

        fn link(&mut self) -> Result<StreamLink<ChildStdin>, Box<dyn Error>> {
            let (stdin, stdout) = (self.0.stdin.take(), self.0.stdout.take());
            let (stdin, stdout) = stdin.zip(stdout).ok_or("the board has a link already")?;
            Ok(StreamLink::new(stdout, stdin)?)
        }
    }

    impl Drop for Board {
        fn drop(&mut self) {
            // One that has ended by itself is not there to be killed.
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    /// Shows the progress of `work`, and how long it took.
    fn timed<T>(
        name: &'static str,
        alone: Option<Duration>,
        work: impl FnOnce(&ProgressBar) -> Result<T, Box<dyn Error>>,
    ) -> Result<(T, Duration), Box<dyn Error>> {
        let style = ProgressStyle::with_template("{msg:22} {bar:30} {pos}/{len}")?;
        let progress = ProgressBar::new(COUNT as u64)
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
