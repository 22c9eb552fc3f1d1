//! A sequence from its first call to the end of the pool.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use corepool_model::End as Ended;

use crate::{
    call::{End, Sequence},
    machine::{self, Machine},
    perform::{drop_future, drop_holder, end_pool, keep_promise, perform, run_pending},
    pool::with_pool,
    values,
    world::{Frame, Pool, WORLD, World, check_counts, world},
};

/// Makes the calls of a sequence.
///
/// # Panics
///
/// If the pool answers otherwise than the model, or a value or slot is lost.
pub fn run(sequence: &Sequence) {
    values::reset();
    machine::reset();
    let shape = sequence.shape;
    let body = |pool: Pool| {
        pool.install(&Machine);
        let fresh = World::new(pool, shape);
        WORLD.set(Some(fresh));
        let ran = catch_unwind(AssertUnwindSafe(|| {
            for call in &sequence.calls {
                perform(call);
                check_quiet();
            }
            end(shape.abrupt);
        }));
        if let Err(failure) = ran {
            // Its futures refer to a pool that is in no good state.
            std::mem::forget(WORLD.take());
            machine::resume_failure();
            resume_unwind(failure);
        }
    };
    // SAFETY: `end` leaves no future and no promise, and a pool that is shut down makes none; wakers
    // are not woken any more.
    unsafe { with_pool(shape, body) };
    WORLD.set(None);
    machine::resume_failure();
    assert_eq!(values::there(), 0, "values were never dropped");
}

/// Checks what must hold between two calls.
fn check_quiet() {
    machine::resume_failure();
    check_counts();
    world(|world| {
        assert!(world.frames.is_empty() && world.callback_depth == 0);
        assert_eq!((world.pool.workers(), world.pool.idle_workers()), (0, 0));
        let unobserved = world.model.unobserved_failures();
        assert_eq!(
            machine::unobserved_failures(),
            unobserved,
            "unobserved failures"
        );
        for (job, flag) in &world.awaited {
            let ready = !world.model.contains(*job) || world.model.is_ready(*job);
            assert_eq!(
                flag.was_woken(),
                ready,
                "whether who awaits {job:?} was woken"
            );
        }
    });
}

/// Lets go of everything; no slot may be missing then.
fn end(abrupt: bool) {
    let_go();
    if abrupt {
        // The pool is dropped next, and shuts down and ends its jobs as it goes.
        return world(|world| {
            world.model.shut_down(true);
            let sweep = world.ends(Ended::Cancelled).into();
            world.frames.push(Frame {
                sweep,
                ..Frame::default()
            });
        });
    }
    run_pending(usize::MAX);
    let_go();
    end_pool(End::Shutdown {
        cancel_futures: true,
    });
    run_pending(usize::MAX);
    check_quiet();
    world(|world| {
        assert_eq!(
            world.pool.free_slots(),
            world.shape.slots,
            "a slot is missing"
        )
    });
}

/// Drops all promises and futures, those too that callbacks make meanwhile.
fn let_go() {
    loop {
        if let Some((job, promise)) = world(|world| world.promises.pop()) {
            keep_promise(job, promise, false);
        } else if let Some((job, future)) = world(|world| world.futures.pop()) {
            drop_future(job, future, false);
        } else if let Some((job, holder)) = world(|world| world.holders.pop()) {
            drop_holder(job, holder);
        } else {
            return check_quiet();
        }
    }
}
