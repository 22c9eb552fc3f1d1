//! The wire: messages in frames, between two address spaces.
//!
//! ```text
//!     frame    COBS( message  body  CRC-32 )  0x00
//!     message  a `ToServer` or `ToClient`, in postcard's encoding
//!     body     a job's arguments or its result, in the same encoding; nothing for other messages
//! ```
//!
//! Only the last byte of a frame is zero, so a receiver finds the next frame after any loss. A
//! damaged frame does not match its checksum, and is dropped. An empty frame has no meaning.

pub(crate) mod frame;
pub(crate) mod inbox;
pub(crate) mod message;
pub(crate) mod outbox;
