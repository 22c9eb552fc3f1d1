//! CPython, interpreter pool: `test_submit_local_instance`. A value of a type that cannot go to
//! another thread.
//!
//! The build fails with: `cannot be sent between threads safely`
use std::rc::Rc;

use corepool_std::ThreadPool;

struct Ham(Rc<u32>);

fn main() {
    let ham = Ham(Rc::new(7));
    let _ = ThreadPool::new().submit(move || *{ ham }.0);
}
