//! What the parties do: workers, submitters, waiters.

pub(crate) mod block;
pub(crate) mod circle;
pub(crate) mod life;
pub(crate) mod seats;
pub(crate) mod slots;
pub(crate) mod task;
pub(crate) mod work;
