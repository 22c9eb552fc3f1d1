//! What goes over the wire: messages in frames.
//!
//! ```text
//!     frame    COBS( message  body  CRC-32 )  0x00
//!     message  a `ToServer` or `ToClient`, in postcard's encoding
//!     body     a job's arguments or its result, likewise; nothing for other messages
//! ```
//!
//! No frame has a zero byte but the last, so that a receiver finds the next frame whatever it
//! has missed. A frame that is damaged does not match its checksum and is dropped; an empty one is
//! nothing.

pub(crate) mod frame;
pub(crate) mod inbox;
pub(crate) mod message;
pub(crate) mod outbox;
