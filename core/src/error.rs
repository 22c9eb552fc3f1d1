//! What can go wrong, and what to do about it.

use core::{any::TypeId, fmt, mem::MaybeUninit};

/// Why a worker's start hook refused to start: a text for the one who reads the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct InitError(pub &'static str);

impl InitError {
    /// The start hook panicked.
    pub const PANICKED: Self = Self("its start hook panicked");
}

impl fmt::Display for InitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl core::error::Error for InitError {}

/// Why a worker counts as lost, and its jobs with it: a text for the one who reads the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct LossReason(pub &'static str);

impl LossReason {
    /// [`worker_lost`](crate::StaticPool::worker_lost) was called.
    pub const DECLARED: Self = Self("the application declared it lost");
    /// A [`Promise`](crate::Promise) was dropped, and there is nobody else to set the result.
    pub const PROMISE_DROPPED: Self = Self("its promise was dropped");
    /// The pool's last worker panicked outside of a job: in one of its own methods.
    pub const UNWOUND: Self = Self("the last worker panicked outside of its jobs");
}

/// Of workers behind a link.
#[cfg(feature = "remote")]
impl LossReason {
    /// The other side did not answer in the job's time.
    pub const TIMED_OUT: Self = Self("it did not answer in time");
    /// The other side has not said anything for as long as it may be silent.
    pub const SILENT: Self = Self("its link is silent");
    /// The other side has started anew, and knows nothing of the job.
    pub const RESTARTED: Self = Self("it has started anew");
    /// The job or its result was damaged on the way.
    pub const DAMAGED: Self = Self("the job or its result was damaged on the way");
    /// The other side sent what is no frame, by a link that does no damage.
    pub const MALFORMED: Self = Self("it sent what makes no sense");
    /// The worker on this side left.
    pub const WORKER_LEFT: Self = Self("the worker that sent the job left");
}

/// Why a job could not go to another address space, or its result not come back.
#[cfg(feature = "remote")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
// So that no error has a part of a word to itself, which each result would be moved with.
#[repr(usize)]
pub enum CodecError {
    /// The arguments could not be encoded, or the job is not in the worker's table.
    Arguments,
    /// The arguments do not fit a buffer of the two sides.
    ArgumentsTooLarge,
    /// The other side could not decode the arguments.
    ArgumentsRefused,
    /// The other side has no such job.
    UnknownJob,
    /// The other side could not encode the result.
    Result,
    /// The result does not fit a buffer of the two sides.
    ResultTooLarge,
    /// This side could not decode the result.
    ResultRefused,
}

#[cfg(feature = "remote")]
impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Arguments => {
                "the arguments could not be encoded, or the job is not in the worker's job table"
            }
            Self::ArgumentsTooLarge => {
                "the arguments are too large: make the link's buffers larger, or the job smaller"
            }
            Self::ArgumentsRefused => "the other side could not decode the arguments",
            Self::UnknownJob => "the other side has no such job",
            Self::Result => "the other side could not encode the result",
            Self::ResultTooLarge => {
                "the result is too large: make the link's buffers larger, or the result smaller"
            }
            Self::ResultRefused => "the result could not be decoded",
        })
    }
}

#[cfg(feature = "remote")]
impl core::error::Error for CodecError {}

impl fmt::Display for LossReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl core::error::Error for LossReason {}

/// Why no worker comes for a job, where a port starts workers on demand: a text for the one who reads the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct NoWorker(pub &'static str);

impl fmt::Display for NoWorker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl core::error::Error for NoWorker {}

/// Why a pool takes no more work for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum BrokenReason {
    /// A worker's start hook failed.
    Initializer(InitError),
    /// A worker was lost, and the application chose to break the pool with it.
    WorkerLost(LossReason),
    /// The application said so, with this text.
    Application(&'static str),
}

impl fmt::Display for BrokenReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Initializer(error) => write!(f, "a worker could not start: {error}"),
            Self::WorkerLost(reason) => write!(f, "a worker was lost: {reason}"),
            Self::Application(text) => f.write_str(text),
        }
    }
}

impl core::error::Error for BrokenReason {}

/// Why a job was not accepted. The job comes back in it: nothing is lost.
///
/// `F` is what was submitted: a closure, or a future.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubmitError<F> {
    /// Every slot is taken, by work that can still run or by a future. Try again later, use a submit that waits for
    /// room, or raise SLOTS. A job that forks and joins can run what it has back itself.
    ///
    /// A slot may also be that of a job of another priority which ended in the queue. Two contexts that come for the
    /// slot of the same ended job may both be told so, and try again.
    Full(F),
    /// The pool has been shut down.
    ShutDown(F),
    /// The pool is broken, for this reason.
    Broken(F, BrokenReason),
    /// The pool has no worker, and could not start one, for this reason. Try again later: the next submit tries
    /// to start one, too.
    NoWorker(F, NoWorker),
    /// The pool has fewer priorities than that.
    NoSuchPriority(F),
    /// A timeout was given, but the pool has no port and so no clock. Install a `Port`.
    NoClock(F),
    /// As many callers as the pool has WAITERS are waiting already. Try again later, or raise WAITERS.
    TooManyWaiters(F),
    /// The call would wait, and the caller's context may not block: it is an interrupt handler, say. Or
    /// waiting there could never end.
    WouldDeadlock(F),
}

impl<F> SubmitError<F> {
    /// The job that was submitted.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(1).
    ///
    /// ```
    /// # use corepool::{StaticPool, SubmitError};
    /// static POOL: StaticPool<1, 16> = StaticPool::new();
    /// let first = POOL.submit(|| 1).unwrap();
    /// let error = POOL.submit(|| 2).unwrap_err();
    /// assert!(matches!(error, SubmitError::Full(_)));
    /// assert_eq!(error.into_inner()(), 2); // not lost: run it here
    /// # first.cancel();
    /// ```
    pub fn into_inner(self) -> F {
        match self {
            Self::Full(job)
            | Self::ShutDown(job)
            | Self::Broken(job, _)
            | Self::NoWorker(job, _)
            | Self::NoSuchPriority(job)
            | Self::NoClock(job)
            | Self::TooManyWaiters(job)
            | Self::WouldDeadlock(job) => job,
        }
    }

    /// The same error about something else, such as `()`: for passing it on with `?` where what was
    /// submitted cannot go.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(1), and `f`.
    ///
    /// ```
    /// # use corepool::{StaticPool, SubmitError};
    /// fn start(pool: &StaticPool<1, 16>) -> Result<(), SubmitError<()>> {
    ///     pool.submit_detached(|| ()).map_err(|error| error.map(drop))
    /// }
    /// # static POOL: StaticPool<1, 16> = StaticPool::new();
    /// # start(&POOL).unwrap();
    /// ```
    pub fn map<G>(self, f: impl FnOnce(F) -> G) -> SubmitError<G> {
        match self {
            Self::Full(job) => SubmitError::Full(f(job)),
            Self::ShutDown(job) => SubmitError::ShutDown(f(job)),
            Self::Broken(job, reason) => SubmitError::Broken(f(job), reason),
            Self::NoWorker(job, reason) => SubmitError::NoWorker(f(job), reason),
            Self::NoSuchPriority(job) => SubmitError::NoSuchPriority(f(job)),
            Self::NoClock(job) => SubmitError::NoClock(f(job)),
            Self::TooManyWaiters(job) => SubmitError::TooManyWaiters(f(job)),
            Self::WouldDeadlock(job) => SubmitError::WouldDeadlock(f(job)),
        }
    }

    fn text(&self) -> &'static str {
        match self {
            Self::Full(_) => {
                "the pool is full: try again later, wait for room, or raise the pool's SLOTS"
            }
            Self::ShutDown(_) => "the pool has been shut down and takes no new work",
            Self::Broken(..) => "the pool is broken and takes no new work",
            Self::NoWorker(..) => {
                "the pool has no worker, and could not start one: try again later"
            }
            Self::NoSuchPriority(_) => {
                "the pool has no such priority: raise the pool's PRIORITIES or use a lower one"
            }
            Self::NoClock(_) => "the pool has no clock for a timeout: install a port",
            Self::TooManyWaiters(_) => TOO_MANY_WAITERS,
            Self::WouldDeadlock(_) => MAY_NOT_BLOCK,
        }
    }
}

/// The text of every call that would have to wait, and finds no place to.
pub(crate) const TOO_MANY_WAITERS: &str = "too many waits are under way: raise the pool's WAITERS";

/// The text of every call that would have to wait where that is not possible.
const MAY_NOT_BLOCK: &str = "waiting here could never end: the caller's context may not block, or what it \
                             waits for depends on the caller";

impl<F> fmt::Debug for SubmitError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(_) => f.write_str("Full(..)"),
            Self::ShutDown(_) => f.write_str("ShutDown(..)"),
            Self::Broken(_, reason) => write!(f, "Broken(.., {reason:?})"),
            Self::NoWorker(_, reason) => write!(f, "NoWorker(.., {reason:?})"),
            Self::NoSuchPriority(_) => f.write_str("NoSuchPriority(..)"),
            Self::NoClock(_) => f.write_str("NoClock(..)"),
            Self::TooManyWaiters(_) => f.write_str("TooManyWaiters(..)"),
            Self::WouldDeadlock(_) => f.write_str("WouldDeadlock(..)"),
        }
    }
}

impl<F> fmt::Display for SubmitError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())?;
        match self {
            Self::Broken(_, reason) => write!(f, ": {reason}"),
            Self::NoWorker(_, reason) => write!(f, ": {reason}"),
            _ => Ok(()),
        }
    }
}

impl<F> core::error::Error for SubmitError<F> {}

#[cfg(feature = "defmt")]
impl<F> defmt::Format for SubmitError<F> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "{=str}", self.text());
        match self {
            Self::Broken(_, reason) => defmt::write!(f, ": {}", reason),
            Self::NoWorker(_, reason) => defmt::write!(f, ": {}", reason),
            _ => {}
        }
    }
}

/// Why a callback was not added. The callback comes back in it.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallbackError<F> {
    /// A callback waits in a slot of its own, and every slot is taken.
    Full(F),
    /// The callback does not fit a slot: raise the pool's BYTES, or capture a reference.
    TooLarge(F),
}

impl<F> CallbackError<F> {
    /// The callback.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(1).
    pub fn into_inner(self) -> F {
        match self {
            Self::Full(callback) | Self::TooLarge(callback) => callback,
        }
    }

    fn text(&self) -> &'static str {
        match self {
            Self::Full(_) => {
                "no free slot for the callback: try again later or raise the pool's SLOTS"
            }
            Self::TooLarge(_) => "the callback does not fit a slot: raise the pool's BYTES",
        }
    }
}

impl<F> fmt::Debug for CallbackError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "Full(..)",
            Self::TooLarge(_) => "TooLarge(..)",
        })
    }
}

impl<F> fmt::Display for CallbackError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl<F> core::error::Error for CallbackError<F> {}

#[cfg(feature = "defmt")]
impl<F> defmt::Format for CallbackError<F> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "{=str}", self.text());
    }
}

/// Why a job gave no result.
///
/// [`TimedOut`](Self::TimedOut) and [`WouldDeadlock`](Self::WouldDeadlock) speak of the call and
/// not of the job. The job goes on, and a later call can still get its result.
#[derive(Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum JobError {
    /// The job was cancelled before it ended.
    Cancelled,
    /// The job panicked.
    Panicked(Panic),
    /// The worker that ran the job was lost, or the promise was dropped unfulfilled.
    WorkerLost(LossReason),
    /// The job was for another address space, and it or its result could not get there.
    #[cfg(feature = "remote")]
    Codec(CodecError),
    /// The pool broke before the job could run.
    Broken(BrokenReason),
    /// The pool was shut down before the job could be submitted (from `map`).
    ShutDown,
    /// The pool had no worker when the job was submitted, and could not start one (from `map`).
    NoWorker(NoWorker),
    /// The time was over before the job was done.
    TimedOut,
    /// As many callers as the pool has WAITERS are waiting already, and this one would have to wait for a place:
    /// raise WAITERS.
    TooManyWaiters,
    /// Waiting here could never end: the caller's context may not block, as the pool's
    /// [`Port`](crate::Port) says of an interrupt handler; or the caller is a job of the same pool, and
    /// the job that it waits for cannot go on before the caller does.
    WouldDeadlock,
    /// A timeout was given, but the pool has no port and so no clock. Install a `Port`.
    NoClock,
    /// The result was taken before.
    AlreadyTaken,
}

impl fmt::Display for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled => f.write_str("the job was cancelled"),
            Self::Panicked(panic) => panic.fmt(f),
            Self::WorkerLost(reason) => {
                write!(f, "the worker that ran the job was lost: {reason}")
            }
            #[cfg(feature = "remote")]
            Self::Codec(error) => error.fmt(f),
            Self::Broken(reason) => write!(f, "the pool broke before the job ran: {reason}"),
            Self::ShutDown => f.write_str("the pool was shut down before the job was submitted"),
            Self::NoWorker(reason) => {
                write!(
                    f,
                    "the pool had no worker for the job, and could not start one: {reason}"
                )
            }
            Self::TimedOut => f.write_str("the job was not done in time"),
            Self::TooManyWaiters => f.write_str(TOO_MANY_WAITERS),
            Self::WouldDeadlock => f.write_str(MAY_NOT_BLOCK),
            Self::NoClock => f.write_str("the pool has no clock for a timeout: install a port"),
            Self::AlreadyTaken => f.write_str("the job's result was taken before"),
        }
    }
}

impl core::error::Error for JobError {}

/// Why a job ended without a result, where its outcome alone does not say: what its payload holds then.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Failure {
    Lost(LossReason),
    #[cfg(feature = "remote")]
    Codec(CodecError),
}

impl From<Failure> for JobError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Lost(reason) => Self::WorkerLost(reason),
            #[cfg(feature = "remote")]
            Failure::Codec(error) => Self::Codec(error),
        }
    }
}

/// Why a blocking call ended before what it waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blocked {
    TimedOut,
    WouldDeadlock,
    NoClock,
    TooManyWaiters,
}

impl From<Blocked> for JobError {
    fn from(blocked: Blocked) -> Self {
        match blocked {
            Blocked::TimedOut => Self::TimedOut,
            Blocked::WouldDeadlock => Self::WouldDeadlock,
            Blocked::NoClock => Self::NoClock,
            Blocked::TooManyWaiters => Self::TooManyWaiters,
        }
    }
}

/// Why a shutdown did not come to its end. The pool takes no new work all the same, and the call
/// may be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ShutdownError {
    /// The time was over. This much still ran then.
    StillRunning {
        /// Jobs that were running or suspended.
        jobs: usize,
        /// Workers that had not left.
        workers: usize,
    },
    /// As many callers as the pool has WAITERS are waiting already: raise WAITERS.
    TooManyWaiters,
    /// Called with `wait` from a job or callback of the pool itself, or from a context that may not
    /// block.
    WouldDeadlock,
    /// A timeout was given, but the pool has no port and so no clock. Install a `Port`.
    NoClock,
}

impl fmt::Display for ShutdownError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StillRunning { jobs, workers } => write!(
                f,
                "time was over with {jobs} jobs still running on {workers} workers"
            ),
            Self::TooManyWaiters => f.write_str(TOO_MANY_WAITERS),
            Self::WouldDeadlock => f.write_str(
                "a job cannot wait for the shutdown of its own pool, nor can a context that may not block: \
                 call shutdown without wait",
            ),
            Self::NoClock => f.write_str("the pool has no clock for a timeout: install a port"),
        }
    }
}

impl core::error::Error for ShutdownError {}

/// Why a worker's run loop ended otherwise than by shutdown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum RunError {
    /// The pool has its WORKERS workers already.
    TooManyWorkers,
    /// The caller is a worker of this pool already: a job of the pool called it.
    AlreadyWorker,
    /// The pool is broken, by this worker's start hook or before.
    Broken(BrokenReason),
    /// This worker had been declared lost, and came back. It may join again.
    DeclaredLost,
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyWorkers => {
                f.write_str("all places for workers are taken: raise the pool's WORKERS")
            }
            Self::AlreadyWorker => f.write_str(
                "the caller is a worker of this pool already: a job of the pool cannot lend its context again",
            ),
            Self::Broken(reason) => write!(f, "the pool is broken: {reason}"),
            Self::DeclaredLost => f.write_str("this worker was declared lost meanwhile"),
        }
    }
}

impl core::error::Error for RunError {}

/// Two words, whatever they are.
type PanicBytes = [usize; 2];

/// The payload of a job's panic.
///
/// The core cannot catch a panic; where unwinding exists, the pool's [`Port`](crate::Port) does and
/// puts the payload in here. Where it does not (on a chip, with `panic = "abort"`), this value comes into
/// being only for a job that panics elsewhere.
pub struct Panic {
    payload: Option<PanicPayload>,
}

struct PanicPayload {
    bytes: MaybeUninit<PanicBytes>,
    /// Says what `bytes` holds.
    vtable: &'static PanicVTable,
}

struct PanicVTable {
    type_id: fn() -> TypeId,
    drop: unsafe fn(*mut PanicBytes),
}

// SAFETY: the payload is of a type that `Panic::new` requires to be `Send`, and it is never shared.
unsafe impl Send for Panic {}
// SAFETY: no method gives access to the payload through a shared reference.
unsafe impl Sync for Panic {}

impl Panic {
    /// A panic with a payload of at most two words, such as a `Box<dyn Any + Send>`. A larger one
    /// is a build error.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(1).
    pub fn new<P: Send + 'static>(payload: P) -> Self {
        const {
            assert!(
                size_of::<P>() <= size_of::<PanicBytes>()
                    && align_of::<P>() <= align_of::<PanicBytes>(),
                "a panic's payload takes at most two words: box it"
            );
        }
        unsafe fn drop_as<P>(bytes: *mut PanicBytes) {
            // SAFETY: `bytes` was written as a `P` by `new`, and is not used again.
            unsafe { bytes.cast::<P>().drop_in_place() }
        }
        struct VTableOf<P>(P);
        impl<P: 'static> VTableOf<P> {
            const VTABLE: PanicVTable = PanicVTable {
                type_id: TypeId::of::<P>,
                drop: drop_as::<P>,
            };
        }
        let mut bytes = MaybeUninit::<PanicBytes>::uninit();
        // SAFETY: size and alignment fit, as asserted above.
        unsafe { bytes.as_mut_ptr().cast::<P>().write(payload) };
        Self {
            payload: Some(PanicPayload {
                bytes,
                vtable: &VTableOf::<P>::VTABLE,
            }),
        }
    }

    /// A panic whose payload is not to be had.
    pub(crate) const fn unknown() -> Self {
        Self { payload: None }
    }

    /// Whether nobody has taken the payload yet.
    pub(crate) fn is_unobserved(&self) -> bool {
        self.payload.is_some()
    }

    /// The payload, if it is there and a `P`.
    ///
    /// A payload is handed out once: the panic that a callback sees, or a second
    /// [`error`](crate::JobFuture::error), has none.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(1).
    ///
    /// # Errors
    ///
    /// The panic itself comes back if its payload is of another type, or was handed out before.
    ///
    /// ```
    /// use corepool::Panic;
    /// let panic = Panic::new(5_u32).into_payload::<&str>().unwrap_err();
    /// assert_eq!(panic.into_payload::<u32>().unwrap(), 5);
    /// ```
    pub fn into_payload<P: 'static>(mut self) -> Result<P, Self> {
        match self.payload.take() {
            Some(payload) if (payload.vtable.type_id)() == TypeId::of::<P>() => {
                let bytes = core::mem::ManuallyDrop::new(payload).bytes;
                // SAFETY: the bytes were written as a `P` by `new`; they are read once, since
                // `ManuallyDrop` keeps them from being dropped.
                Ok(unsafe { bytes.as_ptr().cast::<P>().read() })
            }
            other => {
                self.payload = other;
                Err(self)
            }
        }
    }
}

impl Drop for PanicPayload {
    fn drop(&mut self) {
        // SAFETY: `drop` is the function for the type that `bytes` holds.
        unsafe { (self.vtable.drop)(self.bytes.as_mut_ptr()) }
    }
}

impl fmt::Debug for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Panic(..)")
    }
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the job panicked")
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Panic {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "the job panicked");
    }
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests {
    use super::*;

    #[test]
    fn a_panics_payload_is_handed_out_as_what_it_is() {
        let panic = Panic::new(5_u32).into_payload::<i32>().unwrap_err();
        assert_eq!(panic.into_payload::<u32>().unwrap(), 5);
    }
}
