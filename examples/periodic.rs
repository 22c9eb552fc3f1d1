//! Delayed work, periodic work and deadlines in an async task, with the timers of embassy-time. The
//! pool has no timers of its own and needs none. A task that waits for a timer holds its slot
//! and no worker. On a chip only the time driver differs.
//!
//! Run it with `cargo run --example periodic`. It prints:
//!
//! ```text
//! delayed: the sensor is warm
//! tick 1: sample 1
//! tick 2: sample 4
//! tick 3: sample 9
//! tick 4: sample 16
//! deadline: no reply yet
//! reply: calibrated
//! the sum of all samples is 30
//! no timer was early: true
//! ```

use std::error::Error;

use corepool::StaticPool;
use corepool_std::run_workers;
use embassy_time::{Duration, Instant, Ticker, TimeoutError, Timer, with_timeout};

/// One worker serves the task and the jobs that the task submits.
static POOL: StaticPool<4, 256> = StaticPool::new();

const PERIOD: Duration = Duration::from_millis(50);

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let workers = run_workers(&POOL, 1)?;
    let start = Instant::now();
    let task = POOL.spawn(supervise())?;
    println!("the sum of all samples is {}", task.result()??);
    println!("no timer was early: {}", start.elapsed() >= 6 * PERIOD);
    drop(workers);
    Ok(())
}

async fn supervise() -> Result<u32, Box<dyn Error + Send + Sync>> {
    // Delayed: once, when the sensor has warmed up.
    Timer::after(PERIOD).await;
    println!("delayed: the sensor is warm");

    // Periodic: `Ticker` counts from tick to tick, whatever the work between two ticks takes, and so
    // does not drift. While the task waits, for a tick or for a job, the worker is free.
    let mut ticker = Ticker::every(PERIOD);
    let mut sum = 0;
    for n in 1..=4 {
        ticker.next().await;
        let sample = POOL.submit(move || n * n)?.await?;
        println!("tick {n}: sample {sample}");
        sum += sample;
    }

    // A deadline: the promise is not set in time. The time-out ends the wait, and the future stays.
    let (promise, mut reply) = POOL.promise()?;
    match with_timeout(PERIOD, &mut reply).await {
        Ok(reply) => println!("reply: {}", reply?),
        Err(TimeoutError) => println!("deadline: no reply yet"),
    }
    // The result comes later, and the same future has it.
    promise.set_result("calibrated")?;
    println!("reply: {}", reply.await?);
    Ok(sum)
}
