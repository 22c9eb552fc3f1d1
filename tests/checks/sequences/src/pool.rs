//! A pool for one sequence.

use std::mem::MaybeUninit;

use corepool::{LentPool, PoolConfig, PoolRef, StaticPool};

use crate::call::Shape;

/// How large a job can be.
pub(crate) const BYTES: usize = 64;

const WORKERS: usize = 8;
const WAITERS: usize = 8;

/// Calls `body` with an empty pool, and drops the pool.
///
/// # Safety
///
/// When `body` returns, all that it has made of the pool is gone. (If it unwinds, the pool stays.)
pub(crate) unsafe fn with_pool(shape: Shape, body: impl FnOnce(PoolRef<'static, BYTES>)) {
    if shape.lent {
        // SAFETY: the caller's promise.
        return unsafe { with_lent(shape, body) };
    }
    // SAFETY: the caller's promise.
    unsafe {
        match (shape.slots, shape.priorities) {
            (1, 1) => with_static::<1, 1>(body),
            (2, 1) => with_static::<2, 1>(body),
            (3, 1) => with_static::<3, 1>(body),
            (_, 1) => with_static::<7, 1>(body),
            (1, _) => with_static::<1, 3>(body),
            (2, _) => with_static::<2, 3>(body),
            (3, _) => with_static::<3, 3>(body),
            (_, _) => with_static::<7, 3>(body),
        }
    }
}

/// # Safety
///
/// As for `with_pool`.
unsafe fn with_static<const S: usize, const P: usize>(body: impl FnOnce(PoolRef<'static, BYTES>)) {
    let pool = Box::new(StaticPool::<S, BYTES, P, WORKERS, WAITERS>::new());
    let pool = Freed(Box::into_raw(pool));
    // SAFETY: valid until `pool` is dropped, after which it is not used (the caller's promise).
    body(unsafe { &*pool.0 }.pool_ref());
}

/// # Safety
///
/// As for `with_pool`.
unsafe fn with_lent(shape: Shape, body: impl FnOnce(PoolRef<'static, BYTES>)) {
    let config = PoolConfig {
        slots: shape.slots,
        priorities: shape.priorities,
        workers: WORKERS,
        waiters: WAITERS,
    };
    let memory = vec![MaybeUninit::uninit(); config.words::<BYTES>()];
    let memory = Freed(Box::into_raw(memory.into_boxed_slice()));
    // SAFETY: valid until `memory` is dropped, which is after the pool; nobody else uses it.
    let lent = unsafe { &mut *memory.0 };
    let pool = LentPool::new(lent, config).expect("the memory is of the size that it asked for");
    let pool = Freed(Box::into_raw(Box::new(pool)));
    // SAFETY: as in `with_static`.
    body(unsafe { &*pool.0 }.pool_ref());
}

/// Frees the box that a pointer came from.
struct Freed<T: ?Sized>(*mut T);

impl<T: ?Sized> Drop for Freed<T> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // A check has failed; what the pool holds may refer to anything.
            return;
        }
        // SAFETY: from `Box::into_raw`, and freed once.
        drop(unsafe { Box::from_raw(self.0) });
    }
}
