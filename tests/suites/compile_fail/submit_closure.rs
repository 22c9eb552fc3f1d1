//! CPython, interpreter pool: `test_submit_closure`. A closure over what cannot go to another thread.
//!
//! The build fails with: `cannot be shared between threads safely`
use std::cell::RefCell;

use corepool_std::ThreadPool;

fn main() {
    let pool = ThreadPool::new();
    let spam = RefCell::new(true);
    let eggs = &spam;
    let _ = pool.submit(move || *eggs.borrow());
}
