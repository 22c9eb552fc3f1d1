//! CPython, interpreter pool: `test_init_instance_method`. A method of a value that threads cannot
//! share.
//!
//! The build fails with: `cannot be sent between threads safely`
use std::rc::Rc;

use corepool::InitError;
use corepool_std::ThreadPool;

struct Spam(Rc<u32>);

impl Spam {
    fn initializer(&self) -> Result<(), InitError> {
        (*self.0 == 7).then_some(()).ok_or(InitError("not 7"))
    }
}

fn main() {
    let spam = Spam(Rc::new(7));
    let _ = ThreadPool::builder().initializer(move || spam.initializer());
}
