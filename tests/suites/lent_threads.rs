//! A pool in lent memory, on threads that park.

corepool_tests::suites!(in_parallel corepool_tests::LentThreads);

/// What concerns the memory itself.
mod lent_pool_tests {
    use std::mem::MaybeUninit;

    use corepool::{LentPool, PoolConfig};
    use corepool_tests::Drops;

    /// A pool that goes away drops what is queued in it.
    #[test]
    fn dropped_pool_drops_its_jobs() {
        let drops = Drops::new();
        let config = PoolConfig::default();
        let mut memory = vec![MaybeUninit::uninit(); config.words::<32>()];
        let pool = LentPool::<32>::new(&mut memory, config).unwrap();
        for _ in 0..3 {
            let token = drops.token();
            pool.handle().submit_detached(move || drop(token)).unwrap();
        }
        drop(pool);
        assert_eq!((drops.made(), drops.dropped()), (3, 3));
    }
}
