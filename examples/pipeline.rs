//! A pipeline over two cores: each stage has a pool and a core of its own.
//!
//! While core 1 encodes a block, core 0 filters the next one. A block's own task takes it from
//! stage to stage. While the task awaits a stage, it holds its slot and no core.
//!
//! Run it with `cargo run --example pipeline`. It prints:
//!
//! ```text
//! block 0: 3 runs
//! block 1: 1 runs
//! block 2: 4 runs
//! both stages ran on cores of their own: true
//! ```

use std::{error::Error, thread};

use corepool::StaticPool;
use corepool_std::run_workers;

type Block = [u8; 8];
type Fault = Box<dyn Error + Send + Sync>;

/// The stages. The first pool also has the tasks, one for each block in flight.
static FILTER: StaticPool<8, 128> = StaticPool::new();
static ENCODE: StaticPool<4, 32> = StaticPool::new();

/// A job's result, and the core that it ran on.
type Placed<T> = (T, thread::ThreadId);

fn filter(block: Block) -> Placed<Block> {
    (block.map(|sample| sample / 16), thread::current().id())
}

/// The number of runs of equal samples.
fn encode(block: Block) -> Placed<usize> {
    let runs = block.chunk_by(|one, other| one == other).count();
    (runs, thread::current().id())
}

/// Takes a block through both stages.
async fn through(block: Block) -> Result<(usize, bool), Fault> {
    let (filtered, first) = filter(block); // a worker of FILTER runs the task
    let encoding = ENCODE.submit_async(move || encode(filtered)).await?;
    let (runs, second) = encoding.await?;
    Ok((runs, first != second))
}

fn main() -> Result<(), Fault> {
    let cores = [run_workers(&FILTER, 1)?, run_workers(&ENCODE, 1)?];
    let blocks = [
        [1, 2, 3, 40, 41, 42, 200, 201],
        [70, 71, 72, 73, 74, 75, 76, 77],
        [0, 16, 17, 18, 0, 1, 2, 99],
    ];
    let mut tasks = Vec::new();
    for block in blocks {
        tasks.push(FILTER.spawn(through(block))?);
    }
    let mut apart = true;
    for (number, task) in tasks.into_iter().enumerate() {
        let (runs, on_two_cores) = task.result()??;
        println!("block {number}: {runs} runs");
        apart &= on_two_cores;
    }
    println!("both stages ran on cores of their own: {apart}");
    drop(cores);
    Ok(())
}
