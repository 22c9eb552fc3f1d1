//! Links to remote workers.

pub(crate) mod stream_link;
