//! An interrupt as a worker.

use core::cell::Cell;

use critical_section::Mutex;

use crate::BoardPool;

/// An interrupt that software pends, at a priority below those of the handlers that submit.
pub trait SoftwareInterrupt: Sync {
    /// Has the handler called as soon as nothing more urgent is going on. From any context.
    fn pend(&self);

    /// Lets the handler be called.
    fn unmask(&self);

    /// Keeps the handler from being called, until it is unmasked; it stays pended meanwhile.
    fn mask(&self);

    /// Calls `f` as the body of the handler: the interrupt can be pended again from then on, and
    /// what is more urgent can interrupt it.
    fn serve(&self, f: &mut dyn FnMut());
}

/// An interrupt as a worker: it runs whatever is queued, then is gone until it is pended again.
///
/// [`OneCore::pend`](super::OneCore::pend) of the pool's port must pend it.
pub struct Pended<S> {
    interrupt: S,
    pool: Mutex<Cell<Option<BoardPool>>>,
}

impl<S: SoftwareInterrupt> Pended<S> {
    /// A worker of no pool yet.
    pub const fn new(interrupt: S) -> Self {
        Self {
            interrupt,
            pool: Mutex::new(Cell::new(None)),
        }
    }

    /// Has the handler called.
    pub fn pend(&self) {
        self.interrupt.pend();
    }

    /// Works for `pool` from now on.
    pub fn lend(&self, pool: BoardPool) {
        critical_section::with(|cs| self.pool.borrow(cs).set(Some(pool)));
        self.interrupt.unmask();
        self.interrupt.pend();
    }

    /// Works for no pool any more.
    pub fn take_back(&self) {
        critical_section::with(|cs| self.pool.borrow(cs).set(None));
    }

    /// The interrupt's handler calls this.
    pub fn on_interrupt(&self) {
        self.interrupt.serve(&mut || {
            // A job that is queued from here on pends the interrupt again.
            if let Some(pool) = critical_section::with(|cs| self.pool.borrow(cs).get()) {
                pool.run_pending(usize::MAX);
            }
        });
    }

    /// Calls `f` while the handler is not called.
    pub fn masked(&self, f: &mut dyn FnMut()) {
        self.interrupt.mask();
        f();
        self.interrupt.unmask();
    }
}
