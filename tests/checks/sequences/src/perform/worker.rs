//! Workers come, run jobs, and are declared lost.

use std::collections::VecDeque;

use corepool::{BrokenReason, InitError, JobId, LossReason, OnLoss, RunError, WorkerId};
use corepool_model::{Next, Worker};

use super::end_pool;
use crate::{
    call::End,
    machine::Runner,
    world::{Frame, Pool, Sweep, framed, world},
};

/// The error of a worker that fails to start.
pub(crate) const INIT_ERROR: InitError = InitError("no such core");

pub(crate) fn run_pending(max: usize) {
    framed(
        Frame::default(),
        |pool| pool.run_pending(max),
        |world, &count| {
            let taken = world.frame().taken;
            assert!(taken <= count, "run_pending says {count}, and ran {taken}");
            for _ in taken..count {
                let next = world.next();
                let unrun = matches!(next, Next::Skipped(_) | Next::Dropped(..));
                assert!(unrun, "{next:?} was not run");
            }
            let all = count == max || !world.model.has_queued() || world.frame().lost;
            assert!(all, "run_pending ran {count} of {max}");
        },
    );
}

/// The worker's start hook tells the model that the worker starts.
pub(crate) fn worker_starts(id: WorkerId, fails: bool) {
    world(|world| {
        let name = Worker(world.name());
        world.worker = Some((name, id));
        if fails {
            let reason = BrokenReason::Initializer(INIT_ERROR);
            world.frame().sweep.push_back(Sweep::Break(reason));
        }
    });
}

/// The worker's hook for jobs tells the model of a job.
pub(crate) fn hook_says(job: JobId) {
    world(|world| world.hook = Some(job.index()));
}

/// A worker that runs jobs until there are none, and is declared lost then, since nothing else but
/// the pool's end ends it.
pub(crate) fn run_worker(fails_to_start: bool) {
    if world(|world| !world.frames.is_empty()) {
        // A worker is a context's whole life, and not part of a job.
        return;
    }
    let broken_before = world(|world| world.broken_for);
    let ran = framed(
        Frame::default(),
        |pool| pool.run(&Runner { fails_to_start }),
        |world, _| {
            // It may be lost in a callback of what it breaks as it fails to start.
            while world.sweep() {}
            if world.worker.is_some() {
                world.catch_up();
            }
        },
    );
    world(|world| {
        let lost = world.worker.take().is_none();
        let expected = match (broken_before, lost, world.broken_for) {
            (Some(reason), ..) => Err(RunError::Broken(reason)),
            (None, true, _) => Err(RunError::DeclaredLost),
            (None, false, Some(reason)) => Err(RunError::Broken(reason)),
            (None, false, None) => Ok(()),
        };
        assert_eq!(ran, expected);
        let over = ran != Ok(()) || world.model.is_shut_down() && world.model.started() == 0;
        assert!(over, "a worker left");
        world.hook = None;
    });
}

pub(crate) fn lose_worker(breaks: bool) {
    let Some((worker, id)) = world(|world| world.worker.take()) else {
        return;
    };
    let mut sweep: VecDeque<Sweep> = world(|world| {
        world
            .by_slot()
            .map(|job| Sweep::Lose(job, worker))
            .collect()
    });
    if breaks {
        sweep.push_back(Sweep::Break(BrokenReason::WorkerLost(LossReason::DECLARED)));
    }
    let on_loss = if breaks {
        OnLoss::Break
    } else {
        OnLoss::Continue
    };
    let frame = Frame {
        sweep,
        ..Frame::default()
    };
    // SAFETY: no scope is under way.
    let lose = |pool: Pool| unsafe { pool.worker_lost(id, on_loss) };
    world(|world| world.frames.iter_mut().for_each(|frame| frame.lost = true));
    framed(frame, lose, |world, ()| while world.sweep() {});
}

/// Somebody waits without a time limit, and nothing is left to run.
pub(crate) fn nothing_can_happen() {
    let endless = world(|world| {
        world.catch_up();
        assert!(!world.is_over(), "who waits no longer sleeps");
        assert!(!world.is_stuck(), "who waits in a circle sleeps");
        world.frame().endless
    });
    if endless {
        // Whatever it waits for, this ends it.
        return end_pool(End::Break);
    }
    let idle = world(|world| world.worker.is_some() && world.frames.len() == 1);
    assert!(idle, "somebody waits for nothing");
    lose_worker(false);
}
