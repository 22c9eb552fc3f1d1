//! Prints how often a job takes memory from the heap, one line for each contender and number of
//! workers: `NAME<tab>WORKERS<tab>ALLOCATIONS`.

use bench::workloads::{CONTENDERS, Effort, Workload};
use corepool_tests::CountingAllocator;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

fn main() {
    let workload = Workload::Allocations;
    for contender in CONTENDERS {
        for &workers in workload.sizes() {
            if let Some(slice) = (contender.run)(workload, workers, &Effort::quick()) {
                println!("{}\t{workers}\t{}", contender.name, slice.time);
            }
        }
    }
}
