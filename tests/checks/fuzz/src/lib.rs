//! Links whose other side is hostile: what is fuzzed, and what must hold all the same.
//!
//! Most of what arrives is made into valid frames, so that it gets past the checksum. What may come
//! of it is read off the bytes themselves, by a second decoder that shares no code with the core's.

pub mod client;
mod jobs;
mod link;
pub mod server;
mod wire;
