//! What spins and what sleeps: how the host's threads spend the time in which they have nothing to run.
//!
//! A thread that *spins* looks again and again for what it waits for. It finds a job or a result at once, and
//! takes a core from others meanwhile. A thread that *parks* costs nothing. Its wake-up takes some
//! microseconds, and the thread that wakes it pays a part of them. So each thread spins for a while, and then
//! parks. The pool knows which threads are parked, and wakes no other.
//!
//! | thread | looks again, at most | policy |
//! |---|---|---|
//! | a worker | `spins` times: by default 1,050, for two to six tenths of a millisecond | [`WorkerSpin`] |
//! | a caller that is blocked | `spins` times, and 128 times: for some fifty microseconds | [`blocked`] |
//! | the thread of a child process | `spins` times, and for fifty microseconds | `PollSpin` |
//!
//! # A worker that spins
//!
//! Three rules say how a worker spins:
//!
//! * It keeps its core for 250 looks, some ten microseconds. From then on, it yields its core before each look.
//!   Where it shares its core with the submitter, it yields after ten looks: [`core_use`].
//! * Where jobs come so quickly that each look finds one, the worker lets some gather before it looks again:
//!   [`gathering`].
//! * In a pool with more workers than cores, one worker at a time spins after it has yielded its core. The
//!   others sleep for up to five milliseconds. For the pool, they count as awake: [`turn`].
//!
//! # A caller that is blocked
//!
//! The caller keeps its core for ten looks, and then yields it before each. If at least 64 jobs are queued at
//! the 33rd look, the caller sleeps for a tenth of a millisecond. If they still are at the next look, it parks:
//! [`blocked`].
//!
//! # What is below
//!
//! [`ThreadParker`] is where a thread parks, and [`sleep_state`] how others know whether it does.

pub(crate) mod blocked;
mod core_use;
mod gathering;
mod parker;
mod pause;
#[cfg(all(unix, feature = "process"))]
mod poll;
mod sleep_state;
mod turn;
mod worker;

pub use self::parker::ThreadParker;
pub(crate) use self::{
    parker::own_parker,
    turn::SoleSpinner,
    worker::{SPINS, WorkerSpin},
};
#[cfg(all(unix, feature = "process"))]
pub(crate) use self::{poll::PollSpin, sleep_state::SleepState};
