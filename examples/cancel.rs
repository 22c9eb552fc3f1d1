//! Five ways to end a wait or a job early.
//!
//! Run it with `cargo run --example cancel`. It prints:
//!
//! ```text
//! time-out: the job was not done in time
//! later: 42
//! queued: the job was cancelled
//! asked to cancel: stopped early
//! cancelled by its drop: true
//! deadline for the pool's end: time was over with 1 jobs still running on 1 workers
//! ```

use std::{
    error::Error,
    sync::{Mutex, PoisonError, mpsc},
    time::Duration,
};

use corepool::{CancelToken, StaticPool};
use corepool_std::run_workers;

static POOL: StaticPool<8, 32> = StaticPool::new();

/// A job that locks it waits until `main` opens it.
static GATE: Mutex<()> = Mutex::new(());

const SHORT: Duration = Duration::from_millis(1);

fn pass_the_gate() {
    drop(GATE.lock().unwrap_or_else(PoisonError::into_inner));
}

fn main() -> Result<(), Box<dyn Error>> {
    let workers = run_workers(&POOL, 1)?;

    // 1. A wait with a time limit. The time-out ends the wait, and the job goes on.
    let gate = GATE.lock()?;
    let mut late = POOL.submit(|| {
        pass_the_gate();
        42
    })?;
    if let Err(error) = late.result_timeout(SHORT) {
        println!("time-out: {error}");
    }

    // 2. A queued job never runs: the one worker is busy with the job above.
    let queued = POOL.submit(|| println!("never printed"))?;
    queued.cancel();
    drop(gate);
    println!("later: {}", late.result()?);
    if let Err(error) = queued.result() {
        println!("queued: {error}");
    }

    // 3. A running job reads its token, and returns early.
    let (started, is_started) = mpsc::channel();
    let polite = POOL.submit_cancellable(move |token: &CancelToken<'_>| {
        let _ = started.send(());
        while !token.is_cancelled() {
            std::hint::spin_loop();
        }
        "stopped early"
    })?;
    is_started.recv()?;
    polite.cancel();
    println!("asked to cancel: {}", polite.result()?);

    // 4. A future that cancels its job when it is dropped.
    let gate = GATE.lock()?;
    let (started, is_started) = mpsc::channel();
    let busy = POOL.submit(move || {
        let _ = started.send(());
        pass_the_gate();
    })?;
    is_started.recv()?;
    let before = POOL.unfinished();
    drop(POOL.submit(|| println!("never printed"))?.cancel_on_drop());
    println!("cancelled by its drop: {}", POOL.unfinished() == before);

    // 5. An end with a time limit. It can be repeated.
    if let Err(error) = POOL.shutdown_timeout(SHORT, false) {
        println!("deadline for the pool's end: {error}");
    }
    drop(gate);
    busy.result()?;
    drop(workers);
    Ok(())
}
