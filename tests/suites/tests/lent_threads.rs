//! A pool in lent memory, on threads that park.

corepool_tests::suites!(dropped corepool_tests::LentThreads);

/// The tests of the memory itself.
mod lent_pool_tests {
    use std::mem::MaybeUninit;

    use corepool::{LentPool, PoolConfig};
    use corepool_tests::Drops;

    /// A number that is out of a limit is taken as the limit.
    #[test]
    fn sizes_have_limits() {
        let all = |n| PoolConfig {
            slots: n,
            priorities: n,
            workers: n,
            waiters: n,
        };
        assert_eq!(all(0).words::<32>(), all(1).words::<32>());
        let mut memory = vec![MaybeUninit::uninit(); all(0).words::<32>()];
        let pool = LentPool::<32>::new(&mut memory, all(0)).unwrap();
        let pool = pool.pool_ref();
        assert_eq!((pool.capacity(), pool.max_workers()), (1, 1));

        let most = PoolConfig {
            slots: 65_000,
            priorities: 16,
            workers: 1_000,
            waiters: 1_000,
        };
        assert_eq!(all(usize::MAX).words::<32>(), most.words::<32>());
    }

    /// A pool that goes away drops what is queued in it.
    #[test]
    fn dropped_pool_drops_its_jobs() {
        let drops = Drops::new();
        let config = PoolConfig::default();
        let mut memory = vec![MaybeUninit::uninit(); config.words::<32>()];
        let pool = LentPool::<32>::new(&mut memory, config).unwrap();
        for _ in 0..3 {
            let token = drops.token();
            pool.pool_ref()
                .submit_detached(move || drop(token))
                .unwrap();
        }
        drop(pool);
        assert_eq!((drops.made(), drops.dropped()), (3, 3));
    }
}
