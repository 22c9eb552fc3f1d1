//! CPython, interpreter pool: `test_init_closure`. An initializer over what threads cannot share.
//!
//! The build fails with: `cannot be shared between threads safely`
use std::cell::Cell;

use corepool_std::ThreadPool;

fn main() {
    let count = Cell::new(0);
    let _ = ThreadPool::builder().initializer(move || {
        count.set(count.get() + 1);
        Ok(())
    });
}
