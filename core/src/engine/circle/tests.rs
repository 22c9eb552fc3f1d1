use super::*;
use crate::{
    SpinWorker, StaticPool,
    engine::settle,
    lockfree::state::{HANDLE, Outcome, RUNNER_SHIFT},
    memory::joined::Stay,
};

/// Worker 0 waits for its scope, whose job worker 2 runs. Worker 1 waits for the job of worker 0. It
/// has run a job of the scope before, in a slot that is free now.
#[test]
fn a_job_that_has_left_its_scope_is_no_part_of_a_circle() {
    static POOL: StaticPool<4, 32, 1, 3, 1> = StaticPool::new();
    let pool = POOL.pool_ref().erased;
    // SAFETY: a `SpinWorker` that is a constant lives for ever.
    let join = |_| unsafe { pool.seats().join(&SpinWorker, Stay::Worker) }.unwrap();
    let [owner, waiter, other] = core::array::from_fn(join);
    let run_by = |worker: SeatRef<'static>, bits| {
        POOL.submit_detached(|| ()).unwrap();
        let slot = pool.slot(pool.queues().pop().unwrap());
        let runner = u32::from(worker.runner()) << RUNNER_SHIFT;
        slot.state.occupy(0, BUSY | runner | bits);
        slot
    };
    let of_owner = run_by(owner, HANDLE);
    let (_open, tag) = owner.open_scope();
    let scoped = |worker| {
        let slot = run_by(worker, SCOPED);
        slot.set_depends(tag);
        slot
    };
    let [ended, _] = [waiter, other].map(scoped);
    settle::publish(pool, ended, Outcome::Returned);
    let _owner_waits = owner.block(DependsOn::Scope(tag));
    let depends_on = DependsOn::Job(of_owner.index());
    let _waiter_waits = waiter.block(depends_on);
    assert!(!is_in(pool, waiter, depends_on));
}
