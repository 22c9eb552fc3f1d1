//! CPython, interpreter pool: `test_submit_closure`. A closure over what cannot go to another thread.
use std::cell::RefCell;

use corepool_std::ThreadPool;

fn main() {
    let pool = ThreadPool::new();
    let spam = RefCell::new(true);
    let eggs = &spam;
    let _ = pool.submit(move || *eggs.borrow());
}
