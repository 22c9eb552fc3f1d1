//! Jobs and tasks log in the `tracing` span of their submitter, on whichever thread they run.
//!
//! Run it with `cargo run --example carried_span`. It prints:
//!
//! ```text
//!  INFO request{id=7}: the request is read
//!  INFO request{id=7}: a closure parses it
//!  INFO request{id=7}: a task looks it up
//!  INFO request{id=7}: the task goes on after its await
//!  INFO request{id=7}: a map adds up part 0
//!  INFO request{id=7}: a map adds up part 1
//!  INFO request{id=7}: to_thread_in writes the answer
//!  INFO a job that carries nothing has no span
//! ```

use std::{error::Error, io, sync::LazyLock};

use corepool::Ambient;
use corepool_std::{ThreadPool, to_thread_in};
use futures_lite::future::{block_on, yield_now};
use tracing::{Span, info, info_span};

/// The current span of `tracing`: all that a program needs to have its jobs carry it.
struct CurrentSpan;

impl Ambient for CurrentSpan {
    type Captured = Span;

    fn capture() -> Span {
        Span::current()
    }

    fn enter<R>(span: &mut Span, work: impl FnOnce() -> R) -> R {
        span.in_scope(work)
    }
}

static POOL: LazyLock<ThreadPool> = LazyLock::new(ThreadPool::new);

fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt()
        .with_writer(io::stdout)
        .with_target(false)
        .with_ansi(false)
        .without_time()
        .init();

    info_span!("request", id = 7).in_scope(serve)?;

    let job = POOL.submit(|| info!("a job that carries nothing has no span"))?;
    Ok(job.result()?)
}

/// Serves a request, in whose span it is called.
fn serve() -> Result<(), Box<dyn Error>> {
    info!("the request is read");
    let pool = POOL.carrying::<CurrentSpan>();

    pool.submit(|| info!("a closure parses it"))?.result()?;

    // Each poll of the task is in the span, whichever thread polls it.
    let task = pool.spawn(async {
        info!("a task looks it up");
        yield_now().await;
        info!("the task goes on after its await");
    })?;
    task.result()?;

    // One worker after the other, so that the lines come in order.
    for part in 0..2 {
        let mut sums = pool.map([part], |part: u32| info!("a map adds up part {part}"));
        sums.try_for_each(|sum| sum)?;
    }

    let write = || info!("to_thread_in writes the answer");
    Ok(block_on(to_thread_in(pool, write))?)
}
