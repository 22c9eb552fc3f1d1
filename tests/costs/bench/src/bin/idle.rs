//! `idle NAME WORKERS` prints the nanoseconds of CPU that idle workers of a contender take in a second, or
//! nothing if it has no such workers. In a process of its own: threads of other contenders may be there for
//! good, and wake up from time to time.

use bench::workloads::{CONTENDERS, Effort, Workload};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [name, workers] = &args[..] else {
        panic!("usage: idle NAME WORKERS");
    };
    let contender = CONTENDERS
        .iter()
        .find(|contender| contender.name == name)
        .expect("somebody of that name");
    let workers = workers.parse().expect("a number");
    if let Some(slice) = (contender.run)(Workload::Idle, workers, &Effort::quick()) {
        println!("{}", slice.time);
    }
}
