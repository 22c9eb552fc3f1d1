//! A pool that owns its memory.

use std::{mem::MaybeUninit, ptr::NonNull};

use corepool::{LentPool, PoolConfig};

use super::boxed::SLOT_BYTES;

/// A pool of the core, in memory of its own.
pub(super) struct OwnedPool {
    /// It lies in `_memory`, and is dropped before that, since fields are dropped in their order.
    pool: LentPool<'static, SLOT_BYTES>,
    /// Nobody touches it while `pool` is there.
    _memory: Memory,
}

/// The pool's memory. It is freed when dropped, and not touched otherwise.
struct Memory(NonNull<[MaybeUninit<u64>]>);

// SAFETY: any thread may keep and free the memory.
unsafe impl Send for Memory {}
// SAFETY: a shared reference gives no access to the memory.
unsafe impl Sync for Memory {}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: `OwnedPool::new` leaked it from a box, and the pool in it is gone, by the order of the fields.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

impl OwnedPool {
    /// A pool of this size, whose numbers are in bounds.
    pub(super) fn new(config: PoolConfig) -> Self {
        let words = vec![MaybeUninit::uninit(); config.words::<SLOT_BYTES>()];
        let memory = NonNull::from(Box::leak(words.into_boxed_slice()));
        Self {
            // SAFETY: it was leaked just now, so the reference is unique. `Memory` frees it after the pool is gone.
            pool: LentPool::new(unsafe { &mut *memory.as_ptr() }, config)
                .unwrap_or_else(|error| unreachable!("{error}")),
            _memory: Memory(memory),
        }
    }

    #[inline]
    pub(super) fn lent(&self) -> &LentPool<'static, SLOT_BYTES> {
        &self.pool
    }
}
