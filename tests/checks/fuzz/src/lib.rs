//! Links whose other side is hostile: what is fuzzed, and what must hold all the same.
//!
//! Most of the bytes are made into valid frames, so that they get past the checksum. A second
//! decoder, which shares no code with the core's, reads from the bytes what may come of them.

pub mod client;
mod jobs;
mod link;
pub mod server;
mod wire;
