//! The work of the parties: submitters, workers, completers, handles, waiters.

pub(crate) mod block;
pub(crate) mod callbacks;
pub(crate) mod circle;
pub(crate) mod end;
pub(crate) mod guard;
pub(crate) mod handle;
pub(crate) mod life;
pub(crate) mod outcome;
pub(crate) mod room;
pub(crate) mod run;
pub(crate) mod seats;
pub(crate) mod settle;
pub(crate) mod shared;
pub(crate) mod slots;
pub(crate) mod waiters;
pub(crate) mod wakers;
pub(crate) mod wakeups;
