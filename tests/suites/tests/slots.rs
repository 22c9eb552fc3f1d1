//! Pools of every size that is a limit of something: 1, 2, 3, around the width of a byte, and 4096.

use corepool::{JobError, PoolRef, Spill, SubmitError};
use corepool_std::ThreadPool;
use corepool_tests::Drops;

/// Fills the pool, empties it, and does so again: it holds as many jobs as it has slots, gives back
/// the one that is too many, and loses none.
fn holds_as_many_jobs_as_slots<const BYTES: usize, S: Spill>(
    pool: PoolRef<'_, BYTES, S>,
    slots: usize,
) {
    let drops = Drops::new();
    assert_eq!((pool.capacity(), pool.free_slots()), (slots, slots));
    for round in 1..=3 {
        let mut promises = Vec::new();
        let mut futures = Vec::new();
        for number in 0..slots {
            // Every third is not a job, so that slots come back in another order.
            if number % 3 == round % 3 {
                let (promise, future) = pool.promise().unwrap();
                promises.push((promise, number));
                futures.push(future);
            } else {
                let token = drops.token();
                let job = move || {
                    drop(token);
                    number
                };
                futures.push(pool.submit(job).unwrap());
            }
        }
        let token = drops.token();
        let Err(SubmitError::Full(job)) = pool.submit(move || token) else {
            panic!("a pool of {slots} slots took one job more");
        };
        drop(job());
        for (promise, number) in promises {
            promise.set_result(number).unwrap();
        }
        for (number, future) in futures.into_iter().enumerate() {
            assert_eq!(future.result().unwrap(), number);
        }
        assert_eq!(drops.dropped(), drops.made());
        assert_eq!(pool.free_slots(), slots);
    }
}

/// Cancelled jobs do not fill the pool: new ones take their places, through several times the
/// number of slots, although no worker ever comes.
fn cancelled_jobs_make_room<const BYTES: usize, S: Spill>(
    pool: PoolRef<'_, BYTES, S>,
    slots: usize,
) {
    for _ in 0..3 {
        let futures: Vec<_> = (0..slots).map(|_| pool.submit(|| ()).unwrap()).collect();
        assert!(futures.iter().all(|future| future.cancel()));
    }
    let future = pool.submit(|| 42).unwrap();
    assert!(future.cancel());
    drop(future);
}

macro_rules! slots {
    ($($module:ident: $slots:literal;)*) => {$(
        mod $module {
            use std::mem::MaybeUninit;

            use corepool::{LentPool, PoolConfig, StaticPool};
            use corepool_std::ThreadPool;

            const CONFIG: PoolConfig = PoolConfig {
                slots: $slots,
                priorities: 2,
                workers: 2,
                waiters: 2,
            };

            #[test]
            fn static_pool() {
                static POOL: StaticPool<$slots, 32> = StaticPool::new();
                super::holds_as_many_jobs_as_slots(POOL.pool_ref(), $slots);
            }

            #[test]
            fn static_pool_cancelled() {
                static POOL: StaticPool<$slots, 32> = StaticPool::new();
                super::cancelled_jobs_make_room(POOL.pool_ref(), $slots);
            }

            #[test]
            fn lent_pool() {
                let mut memory = vec![MaybeUninit::uninit(); CONFIG.words::<32>()];
                let pool = LentPool::<32>::new(&mut memory, CONFIG).unwrap();
                super::holds_as_many_jobs_as_slots(pool.pool_ref(), $slots);
            }

            #[test]
            fn lent_pool_cancelled() {
                let mut memory = vec![MaybeUninit::uninit(); CONFIG.words::<32>()];
                let pool = LentPool::<32>::new(&mut memory, CONFIG).unwrap();
                super::cancelled_jobs_make_room(pool.pool_ref(), $slots);
            }

            #[test]
            fn thread_pool() {
                let pool = ThreadPool::builder()
                    .capacity($slots)
                    .max_workers(2)
                    .build()
                    .unwrap();
                super::holds_as_many_jobs_as_slots(pool.pool_ref(), $slots);
            }
        }
    )*};
}

slots! {
    slots_1: 1;
    slots_2: 2;
    slots_3: 3;
    slots_255: 255;
    slots_256: 256;
    slots_257: 257;
    slots_4096: 4096;
}

/// Memory that is a word too small is refused, with both numbers.
#[test]
fn lent_memory_too_small() {
    use std::mem::MaybeUninit;

    use corepool::{LentPool, MemoryTooSmall, PoolConfig};

    let config = PoolConfig::default();
    let needed = config.words::<32>();
    let mut memory = vec![MaybeUninit::uninit(); needed - 1];
    let refused = LentPool::<32>::new(&mut memory, config).map(drop);
    assert_eq!(
        refused,
        Err(MemoryTooSmall {
            needed,
            lent: needed - 1
        })
    );
}

/// However few bytes a slot is to have, it takes what a panic would.
#[test]
fn a_slot_has_room_for_a_panic() {
    use corepool::{Panic, StaticPool};

    static POOL: StaticPool<2, 0> = StaticPool::new();
    let captured = [7_u8; size_of::<Panic>()];
    let mut job = POOL.submit(|| ()).unwrap();
    job.add_done_callback(move |_| assert_eq!(captured, [7; size_of::<Panic>()]))
        .expect("it fits");
    job.result().unwrap();
}

/// A result that is small enough for a slot, but asks for more alignment, gets a place of its own.
#[test]
fn an_aligned_result_does_not_go_into_a_slot() {
    use std::sync::mpsc::channel;

    #[derive(Debug, PartialEq)]
    #[repr(align(64))]
    struct Aligned([u8; 64]);

    let pool = ThreadPool::builder()
        .capacity(16)
        .max_workers(1)
        .build()
        .unwrap();
    let (sender, misaligned) = channel();
    for number in 0..8 {
        let sender = sender.clone();
        let mut future = pool.submit(move || Aligned([number; 64])).unwrap();
        let callback = move |outcome: Result<&Aligned, &JobError>| {
            let place = std::ptr::from_ref(outcome.unwrap()).addr();
            sender.send(place % align_of::<Aligned>()).unwrap();
        };
        assert!(future.add_done_callback(callback).is_ok());
        assert_eq!(future.result().unwrap(), Aligned([number; 64]));
    }
    drop(sender);
    assert_eq!(misaligned.iter().collect::<Vec<_>>(), [0; 8]);
}
