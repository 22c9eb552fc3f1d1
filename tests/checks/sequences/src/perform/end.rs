//! The pool is shut down, or broken.

use corepool::{BrokenReason, ShutdownError};
use corepool_model::End as Ended;

use super::may_block;
use crate::{
    call::End,
    world::{Frame, Sweep, framed, timeout, world},
};

const BREAK: &str = "broken on purpose";

pub(crate) fn end_pool(end: End) {
    let cancel = matches!(
        end,
        End::Shutdown {
            cancel_futures: true
        } | End::ShutdownTimeout {
            cancel_futures: true
        }
    );
    let waits = matches!(end, End::ShutdownTimeout { .. });
    if waits && !may_block() {
        return;
    }
    let sweep = world(|world| {
        if matches!(end, End::Break) {
            return vec![Sweep::Break(BrokenReason::Application(BREAK))];
        }
        world.model.shut_down(cancel);
        if cancel {
            world.ends(Ended::Cancelled)
        } else {
            Vec::new()
        }
    });
    if matches!(end, End::Break) {
        // The pool is broken before the first job is told.
        let mut frame = Frame::default();
        frame.sweep.extend(sweep);
        world(|world| {
            world.frames.push(frame);
            world.sweep();
        });
        world(|world| world.pool).break_pool(BREAK);
        return world(|world| {
            while world.sweep() {}
            world.frames.pop();
        });
    }
    let timeout = timeout(false);
    let frame = Frame {
        sweep: sweep.into(),
        for_end: waits,
        ..Frame::default()
    };
    let mut in_job = false;
    let mut started = 0;
    let mut queued = false;
    let over = framed(
        frame,
        |pool| match end {
            End::ShutdownTimeout { cancel_futures } => {
                pool.shutdown_timeout(timeout, cancel_futures)
            }
            _ => pool.shutdown(false, cancel),
        },
        |world, _| {
            while world.sweep() {}
            // Jobs of a worker that was declared lost, be it in the sweep, are nobody's.
            in_job = world.frames.iter().rev().skip(1).any(|frame| !frame.lost);
            if waits && !in_job {
                world.catch_up();
                // Jobs that have ended in the queue keep nobody.
                world.model.end_sweep();
                queued = world.model.has_queued();
                started = world.model.started();
            }
        },
    );
    match over {
        Ok(()) => {
            let over = !in_job && started == 0 && !queued;
            assert!(!waits || over, "the pool is not over");
        }
        Err(ShutdownError::StillRunning { jobs, workers }) => {
            assert!(waits && started > 0);
            assert_eq!((jobs, workers), (started, 0));
        }
        Err(ShutdownError::WouldDeadlock) => assert!(waits && in_job),
        Err(error) => panic!("{error}"),
    }
}
