//! Links to remote workers.

mod stream_link;

pub use self::stream_link::StreamLink;
