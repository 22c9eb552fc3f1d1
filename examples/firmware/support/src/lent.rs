//! A pended interrupt that works for one pool after another.

use core::cell::Cell;

use corepool::ports::{Pended, SoftwareInterrupt};
use critical_section::Mutex;

use crate::BoardPool;

/// A pended interrupt, and the pool that it works for. The pool's port must pend it.
pub struct LentWorker<I> {
    worker: Pended<I>,
    pool: Mutex<Cell<Option<BoardPool>>>,
}

impl<I: SoftwareInterrupt> LentWorker<I> {
    /// A worker of no pool yet.
    pub const fn new(interrupt: I) -> Self {
        Self {
            worker: Pended::new(interrupt),
            pool: Mutex::new(Cell::new(None)),
        }
    }

    /// Has the handler called.
    pub fn pend(&self) {
        self.worker.pend();
    }

    /// Works for `pool` from now on.
    pub fn lend(&self, pool: BoardPool) {
        critical_section::with(|cs| self.pool.borrow(cs).set(Some(pool)));
        self.worker.start();
    }

    /// Works for no pool any more.
    pub fn take_back(&self) {
        critical_section::with(|cs| self.pool.borrow(cs).set(None));
    }

    /// The interrupt's handler calls this.
    pub fn on_interrupt(&self) {
        if let Some(pool) = critical_section::with(|cs| self.pool.borrow(cs).get()) {
            self.worker.run_jobs(pool);
        }
    }

    /// Calls `f` while the handler is not called.
    pub fn hold(&self, f: &mut dyn FnMut()) {
        self.worker.hold(f);
    }
}
