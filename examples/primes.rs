//! CPU-bound jobs: which of these numbers are prime? The program runs the same jobs one after the
//! other, in a [`ThreadPool`], and in a [`ProcessPool`] of which it kills one child on purpose. If a
//! board is connected, the jobs run there, too; the board shares only a wire with this host.
//!
//! A job that runs in another process, or on another machine, is a named type. Both sides know
//! it by the table `JOBS` in [`primes-jobs`](primes-jobs/src/lib.rs). That crate needs no `std`, since
//! the program of [the board](firmware/riscv-virt-uart/src/primes.rs) uses it, too. A child process
//! runs its jobs in the first line of `main`.
//!
//! Run it with `cargo run --release --example primes`. `cargo xtask firmware --board primes-to-riscv`
//! runs it with a RISC-V chip in QEMU. That command builds the board's program, and runs
//!
//! ```sh
//! cargo run --release --example primes -- --board qemu-system-riscv32 -display none -monitor none \
//!     -semihosting -machine virt -bios none -serial stdio \
//!     -kernel target/firmware/riscv32imac-unknown-none-elf/release/riscv-virt-primes
//! ```
//!
//! For a board on a desk, COMMAND is a program that has the board's serial port as standard input and output.
//!
//! Standard error has the progress, the time of each way, its speed-up over one job after the other,
//! and the errors of the killed child's jobs. Standard output is the same each time. With a board it
//! has one more line, `the board agrees`:
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
    eprintln!("error: this example needs Unix, since a process pool does");
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
        remote_panic,
    };
    use indicatif::{ProgressBar, ProgressStyle};
    use primes_jobs::{COUNT, FRAME, IsPrime, JOBS, NUMBERS, is_prime, numbers};

    /// How long a board may be silent: longer than its longest job.
    const PATIENCE: Duration = Duration::from_secs(600);

    /// Tests some numbers for primality, on threads, in child processes and on a board.
    #[derive(Parser)]
    struct Args {
        /// A command that starts the board, or that connects standard input and output to its serial
        /// port; it takes the rest of the line [default: run without a board]
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
            eprintln!("to use a board, too: cargo xtask firmware --board primes-to-riscv");
            return Ok(());
        };
        let (by_board, _) = timed("a board", Some(alone), |progress| {
            by_board(&command, progress)
        })?;
        assert_eq!(by_board, expected);
        println!("the board agrees");
        Ok(())
    }

    /// Runs the jobs in child processes, and kills one child as soon as the first result is there.
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
                    progress.suspend(|| eprintln!("{number} is submitted again: {reason}"));
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

    /// Runs the jobs on a board. This thread serves the link, and callbacks count the results.
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
        // No more jobs follow, so the worker below closes the link after the last result.
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
            panic: remote_panic,
            ..RemoteConfig::default()
        };
        RemoteWorker::<_>::new(link, &JOBS, buffers, config)
            .run(POOL.pool_ref(), &ThreadWorker::default())?;
        let results = futures.into_iter().map(JobFuture::result);
        Ok(results.collect::<Result<_, _>>()?)
    }

    /// The board at the other end of the link. Its drop switches it off.
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
            // The kill fails if the program has ended by itself.
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
