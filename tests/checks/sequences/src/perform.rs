//! Makes the calls, on the pool and in the model.

mod end;
mod future;
mod many;
mod map;
mod shared;
mod submit;
mod worker;

use corepool_model::Job;

pub(crate) use self::{
    end::end_pool,
    future::drop_future,
    shared::drop_holder,
    submit::keep_promise,
    worker::{INIT_ERROR, hook_says, nothing_can_happen, run_pending, worker_starts},
};
use self::{
    future::{add_callback, block, look, poll_future},
    many::{iterate, scope, wait_on},
    map::map,
    shared::{hold, share},
    submit::{promise, spawn, submit, wake},
    worker::{lose_worker, run_worker},
};
use crate::{
    answers::check_taken,
    call::{Call, Holding},
    world::{Handle, world},
};

pub(crate) fn perform(call: &Call) {
    let claims = matches!(
        call,
        Call::Submit { .. }
            | Call::Spawn { .. }
            | Call::Promise { .. }
            | Call::AddCallback { .. }
            | Call::Hold {
                what: Holding::AddCallback(_),
                ..
            }
    );
    if claims && !world(|world| world.knows_each_end()) {
        // Whether there is room depends on which jobs have ended.
        return;
    }
    match call {
        Call::Submit {
            priority,
            kind,
            body,
        } => submit(*priority, *kind, body),
        Call::Spawn { priority, polls } => spawn(*priority, polls),
        Call::Wake { waker } => wake(*waker),
        Call::Promise { priority } => promise(*priority),
        Call::KeepPromise { promise, keep } => {
            let chosen = world(|world| {
                let count = world.promises.len();
                (count > 0).then(|| world.promises.remove(usize::from(*promise) % count))
            });
            if let Some((job, promise)) = chosen {
                keep_promise(job, promise, *keep);
            }
        }
        Call::RunPending { max } => run_pending(usize::from(*max)),
        Call::Run { fails_to_start } => run_worker(*fails_to_start),
        Call::LoseWorker { breaks } => {
            // Inside a scope, its jobs would lose the values that they borrow.
            if world(|world| world.scope_depth == 0) {
                lose_worker(*breaks);
            }
        }
        Call::AddCallback { future, body } => with_future(*future, |job, future| {
            add_callback(job, future, body);
        }),
        Call::Cancel { future } => with_future(*future, |job, future| {
            let expected = world(|world| {
                let expected = world.model.cancel(job);
                world.note(job);
                expected
            });
            assert_eq!(future.cancel(), expected, "cancel {job:?}");
        }),
        Call::Look { future } => with_future(*future, |job, future| look(job, future)),
        Call::TryResult { future } => {
            with_future(*future, |job, future| match future.try_result() {
                Some(result) => check_taken(job, result),
                None => assert!(
                    !world(|world| world.model.is_ready(job)),
                    "{job:?} is ready"
                ),
            })
        }
        Call::Await { future } => with_future(*future, poll_future),
        Call::Block { future, how, looks } if may_block() => {
            if let Some((job, future)) = world(|world| world.choose(*future)) {
                block(job, future, *how, *looks);
            }
        }
        Call::Drop { future, cancel } => {
            if let Some((job, future)) = world(|world| world.choose(*future)) {
                drop_future(job, future, *cancel);
            }
        }
        Call::Share { future } => share(*future),
        Call::Hold { holder, what } => hold(*holder, what),
        Call::Wait {
            futures,
            when,
            looks,
        } if may_block() => wait_on(*futures, *when, *looks),
        Call::AsCompleted {
            futures,
            asked,
            looks,
        } if may_block() => iterate(*futures, *asked, *looks),
        Call::Map {
            count,
            window,
            asked,
        } if may_block() => map(*count, *window, *asked),
        Call::Scope { bodies } if may_block() => scope(bodies),
        Call::End(end) => end_pool(*end),
        Call::Block { .. }
        | Call::Wait { .. }
        | Call::AsCompleted { .. }
        | Call::Map { .. }
        | Call::Scope { .. } => {}
    }
}

/// Calls `f` with a future, which is put back.
fn with_future(number: u8, f: impl FnOnce(Job, &mut Handle)) {
    if let Some((job, mut future)) = world(|world| world.choose(number)) {
        f(job, &mut future);
        world(|world| world.futures.push((job, future)));
    }
}

/// Whether a call may block here.
fn may_block() -> bool {
    world(|world| world.callback_depth == 0)
}
