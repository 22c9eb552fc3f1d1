//! The pools that a simulation can take.

use std::{any::Any, iter, sync::Mutex};

use corepool::StaticPool;

use crate::{
    plan::sealed::Pool,
    port::{SimPort, TaskParker},
    statics::Static,
};

/// A pool that a simulation can take: a [`StaticPool`] in a `static`.
pub trait SimPool: Pool {}

impl<const S: usize, const B: usize, const P: usize, const W: usize, const V: usize> SimPool
    for StaticPool<S, B, P, W, V>
{
}

impl<const S: usize, const B: usize, const P: usize, const W: usize, const V: usize> Pool
    for StaticPool<S, B, P, W, V>
{
    fn at_power_on(&'static self) -> Static {
        // A pool is all zero at first.
        Static::of_zeros(self)
    }

    fn install(&'static self, number: usize) {
        self.pool_ref().install(port_of(number));
    }

    fn run(&self, task: usize) {
        if let Err(error) = self.pool_ref().run(&TaskParker { task }) {
            panic!("the worker on task {task} has ended: {error}");
        }
    }

    fn capacity(&self) -> usize {
        self.pool_ref().capacity()
    }

    fn free_slots(&self) -> usize {
        self.pool_ref().free_slots()
    }

    fn unfinished(&self) -> usize {
        self.pool_ref().unfinished()
    }

    fn take_free_slots(&'static self) -> Box<dyn Any + Send> {
        let promises = iter::from_fn(|| self.promise::<()>().ok());
        Box::new(promises.collect::<Vec<_>>())
    }

    fn address(&self) -> *const () {
        std::ptr::from_ref(self).cast()
    }
}

/// The port of the pool with this number. It is the same one in each simulation of the process.
fn port_of(number: usize) -> &'static SimPort {
    static PORTS: Mutex<Vec<&'static SimPort>> = Mutex::new(Vec::new());
    let mut ports = PORTS
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    while ports.len() <= number {
        let pool = ports.len();
        ports.push(Box::leak(Box::new(SimPort { pool })));
    }
    ports[number]
}
