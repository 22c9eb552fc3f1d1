//! The smallest host program: a pool in a `static`, two threads as its workers, and the operations
//! on a job.
//!
//! Run it with `cargo run --example hello_pool`. It prints:
//!
//! ```text
//! 6 * 7 = 42
//! callback: the job returned 10
//! result: 10
//! busy: Running, Running
//! cancel a queued job: true
//! cancel a running job: false
//! the queued job: the job was cancelled
//! full; running the job here gives 5
//! queued: 3
//! queued: 4
//! the pool has been shut down and takes no new work
//! ```

use std::{
    error::Error,
    sync::{Mutex, mpsc},
};

use corepool::{StaticPool, SubmitError};
use corepool_std::run_workers;

/// Room for four jobs, whose closures and results take at most 32 bytes. No heap: all of it is here.
static POOL: StaticPool<4, 32> = StaticPool::new();

/// Two jobs wait here while `main` holds the lock. If `main` ends early, as by a panic, it unlocks the gate, too.
/// So the jobs end, and the drop of the workers does not wait for ever.
static GATE: Mutex<()> = Mutex::new(());

fn main() -> Result<(), Box<dyn Error>> {
    // On a chip the worker is a second core; here two threads are the workers.
    let workers = run_workers(&POOL, 2)?;

    // Submit a closure, go on, and get its result when it is needed.
    let product = POOL.submit(|| 6 * 7)?;
    println!("6 * 7 = {}", product.result()?);

    // Or add a callback: the worker's thread calls it before any party gets the result.
    let mut length = POOL.submit(|| "concurrent".len())?;
    length.add_done_callback(|outcome| match outcome {
        Ok(length) => println!("callback: the job returned {length}"),
        Err(error) => println!("callback: {error}"),
    })?;
    println!("result: {}", length.result()?);

    // Two jobs that keep both workers busy until `main` opens the gate.
    let gate = GATE.lock()?;
    let (started, is_started) = mpsc::channel();
    let wait = |started: mpsc::Sender<()>| {
        move || {
            let _ = started.send(());
            drop(GATE.lock());
        }
    };
    let busy = [
        POOL.submit(wait(started.clone()))?,
        POOL.submit(wait(started))?,
    ];
    is_started.recv()?;
    is_started.recv()?; // Now both run.
    println!("busy: {:?}, {:?}", busy[0].state(), busy[1].state());

    // A queued job can be cancelled; a running closure cannot.
    let third = POOL.submit(|| println!("never printed"))?;
    println!("cancel a queued job: {}", third.cancel());
    println!("cancel a running job: {}", busy[0].cancel());
    if let Err(error) = third.result() {
        println!("the queued job: {error}");
    }

    // A full pool returns an error at once, and gives the closure back.
    let queued = [POOL.submit(|| 3)?, POOL.submit(|| 4)?];
    match POOL.submit(|| 5) {
        Err(SubmitError::Full(job)) => println!("full; running the job here gives {}", job()),
        other => println!("not full: {other:?}"),
    }

    drop(gate); // Both workers are free again.
    for job in queued {
        println!("queued: {}", job.result()?);
    }

    // Sends the threads away, and joins them. The pool stays, and other threads could be lent to it. A shutdown ends
    // the pool itself.
    drop(workers);
    POOL.shutdown(true, false)?;
    if let Err(error) = POOL.submit(|| ()) {
        println!("{error}");
    }
    Ok(())
}
