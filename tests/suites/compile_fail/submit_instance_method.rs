//! CPython, interpreter pool: `test_submit_instance_method`. A method of such a value.
//!
//! The build fails with: `cannot be sent between threads safely`
use std::rc::Rc;

use corepool_std::ThreadPool;

struct Spam(Rc<u32>);

impl Spam {
    fn run(&self) -> u32 {
        *self.0
    }
}

fn main() {
    let spam = Spam(Rc::new(7));
    let _ = ThreadPool::new().submit(move || spam.run());
}
