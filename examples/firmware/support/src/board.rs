//! The services that the suite asks of a board.

use core::fmt;

use corepool::PoolRef;

/// Bytes for a job in the boards' pools: as in the application's.
pub const BYTES: usize = pulse_app::POOL_BYTES;

/// A pool in a `static` of the board.
pub type BoardPool = PoolRef<'static, BYTES>;

/// One arrangement of workers on a board.
pub trait Board: Sync {
    /// Installs a port and lends the board's workers to `pool`.
    fn lend(&self, pool: BoardPool);

    /// Returns when no worker uses the pool that was lent last. It has been shut down, or is broken.
    fn take_back(&self);

    /// Calls `f` while no worker takes jobs from `pool`, and lets them go on after that.
    fn hold(&self, pool: BoardPool, f: &mut dyn FnMut());

    /// Whether jobs run without the thread that waits for them.
    fn has_workers(&self) -> bool;

    /// The function that returns the number of the calling core, from 0.
    fn core_number(&self) -> fn() -> usize {
        || 0
    }

    /// Has `f` called by an interrupt handler, and returns after that.
    fn interrupt(&self, f: &mut (dyn FnMut() + Send));
}

/// Where a test makes its calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// The board's thread: what `main` runs in.
    Thread,
    /// An interrupt handler.
    Interrupt,
}

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Thread => "thread",
            Self::Interrupt => "interrupt",
        })
    }
}

/// Calls `f` in a context of `board` and returns what it returned.
pub fn in_context<R: Send>(board: &dyn Board, context: Context, f: impl FnOnce() -> R + Send) -> R {
    if context == Context::Thread {
        return f();
    }
    let mut f = Some(f);
    let mut result = None;
    board.interrupt(&mut || result = f.take().map(|f| f()));
    result.expect("the handler was called")
}
