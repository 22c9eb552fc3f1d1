//! A pool without a port: no caller sleeps, and no worker is started. So each slot comes back by what the pool's own
//! calls do.

use corepool::{SpinWorker, StaticPool};
use corepool_tests::Gate;

#[test]
fn a_submit_gets_the_slot_of_a_job_that_was_cancelled_in_the_queue() {
    static POOL: StaticPool<1, 32> = StaticPool::new();
    let job = POOL.submit(|| 1).unwrap();
    assert!(job.cancel());
    drop(job);
    let next = POOL.submit(|| 2).unwrap();
    assert_eq!(next.result().unwrap(), 2);
}

#[test]
fn a_submit_gets_the_slot_of_a_job_that_its_waiter_ran() {
    static POOL: StaticPool<2, 32> = StaticPool::new();
    let (busy, over) = (Gate::new(), Gate::new());
    std::thread::scope(|scope| {
        let held = {
            let (busy, over) = (busy.clone(), over.clone());
            POOL.submit(move || {
                busy.open();
                over.wait();
            })
        };
        scope.spawn(|| POOL.run(&SpinWorker));
        busy.wait();
        // The only worker is busy, so the caller runs its job, whose index stays in the queue.
        assert_eq!(POOL.submit(|| 1).unwrap().result().unwrap(), 1);
        let next = POOL.submit(|| 2).unwrap();
        assert_eq!(next.result().unwrap(), 2);
        over.open();
        held.unwrap().result().unwrap();
        POOL.shutdown(true, false).unwrap();
    });
}
