//! The errors. The text of each names its cause, and the remedy if the caller has one.

#[cfg(feature = "remote")]
mod codec;
mod job;
mod panic;
mod pool;
mod submit;

#[cfg(feature = "remote")]
pub use self::codec::CodecError;
pub(crate) use self::{
    job::{Blocked, Failure},
    submit::{MAY_NOT_BLOCK, NO_CLOCK, NO_SUCH_PRIORITY, TOO_MANY_WAITERS},
};
pub use self::{
    job::{JobError, NotInTask, PromiseError},
    panic::{Panic, PanicLocation, PanicPayload},
    pool::{BrokenReason, InitError, LossReason, RunError, ShutdownError},
    submit::{CallbackError, NoWorker, SubmitError},
};
