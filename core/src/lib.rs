//! `concurrent.futures` for firmware: declare a pool in a `static`, lend it cores, RTOS tasks,
//! interrupts or OS threads as workers, submit closures and async tasks to it from any context, and
//! hold a typed future for each result. No heap, no locks on the hot path, no surprise.
#![cfg_attr(not(test), no_std)]
#![deny(missing_docs)]

mod bell;
mod block;
mod error;
mod executor;
mod free_list;
mod future;
mod idle;
mod job;
mod lent_pool;
mod lifecycle;
mod log;
mod map;
mod pool;
mod port;
mod promise;
mod queue;
mod scope;
mod slot;
mod state;
mod static_pool;
mod submit;
mod sync;
mod tagged;
mod task;
mod token;
mod wait;
mod work;
mod worker;

pub use crate::{
    error::{
        BrokenReason, CallbackError, InitError, JobError, Panic, RunError, ShutdownError,
        SubmitError,
    },
    executor::Executor,
    future::{CancelOnDrop, JobFuture, JobState},
    job::{BuildError, Spill},
    lent_pool::{LentPool, MemoryTooSmall, PoolConfig},
    lifecycle::OnLoss,
    map::{DEFAULT_WINDOW, Map, MapError, MapOptions, Submitter},
    port::{ContextId, Parker, Port},
    promise::Promise,
    scope::Scope,
    slot::PAYLOAD_ALIGN,
    static_pool::StaticPool,
    submit::{PoolRef, SubmitAsync},
    token::CancelToken,
    wait::{
        AsCompleted, AsCompletedError, FutureSet, ReturnWhen, WaitError, Waited, as_completed, wait,
    },
    worker::{JobId, SpinWorker, Worker, WorkerId},
};
