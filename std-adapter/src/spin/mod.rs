//! How the host's threads spend the time in which they have nothing to run: they spin, sleep or park.
//!
//! A thread that *spins* looks again and again for what it waits for: a job or a result. It finds it at once, but
//! keeps a core from others. A thread that *parks* costs nothing, but its wake-up takes some microseconds. The
//! thread that wakes it pays for a part of them. So each thread spins for a while, and then parks. A submitter wakes
//! only a worker that has announced its sleep.
//!
//! | thread | looks again, at most | policy |
//! |---|---|---|
//! | a worker | `spins` times: by default 1,050, for two to six tenths of a millisecond | [`worker`] |
//! | a caller that is blocked | `spins` times, or 128 if that is less: for some fifty microseconds | [`blocked`] |
//! | the thread of a child process | `spins` times, or for fifty microseconds if that is less | `poll` |
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
//! The caller keeps its core for ten looks, and then yields it before each. If at least 64 jobs are queued before
//! the 33rd look, the caller sleeps for a tenth of a millisecond. If as many are queued after that look, it parks:
//! [`blocked`].
//!
//! # A thread that parks
//!
//! Each thread parks in a [`parker::ThreadParker`] of its own. By one word, [`sleep_state`], a waker knows whether the
//! thread sleeps.

pub(crate) mod blocked;
mod core_use;
mod gathering;
pub(crate) mod parker;
mod pause;
#[cfg(all(unix, feature = "process"))]
pub(crate) mod poll;
pub(crate) mod sleep_state;
pub(crate) mod turn;
pub(crate) mod worker;
