use super::*;
use crate::StaticPool;

#[test]
fn no_count_of_holders_is_the_link_that_a_completer_knows() {
    static POOL: StaticPool<2, 32> = StaticPool::new();
    for known in [0, 1, MARK | 1, MARK | OTHER | 1, MARK | 7] {
        let job = POOL.submit(|| ()).unwrap();
        POOL.run_pending(1);
        let (pool, slot) = (job.pool(), job.slot());
        slot.link().store(known, Ordering::Relaxed);
        // SAFETY: `job` is the handle.
        unsafe { share(pool, slot) };
        for _ in 0..20 {
            assert_ne!(slot.link().load(Ordering::Relaxed), known);
            hold(slot);
        }
        for _ in 0..20 {
            assert!(!release(slot));
        }
        assert!(release(slot));
        drop(job);
    }
}
