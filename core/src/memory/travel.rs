//! What is to be known of a kind of job so that it can leave its slot as bytes.

use core::{any::TypeId, time::Duration};

use crate::{
    wire::message::ToServer,
    wire::outbox::{Outbox, PushError},
};

/// What is to be known of a kind of job so that it can travel.
pub(crate) struct Travels<J, T> {
    pub(crate) job: fn() -> TypeId,
    pub(crate) idempotent: bool,
    pub(crate) timeout: Option<Duration>,
    pub(crate) encode: fn(&J, &mut Outbox<'_>, usize, ToServer) -> Result<(), PushError>,
    pub(crate) decode: fn(&[u8]) -> Option<T>,
}

/// The same of the job in a slot.
pub(crate) struct Travel {
    pub(crate) job: fn() -> TypeId,
    /// Whether it may be sent again.
    pub(crate) idempotent: bool,
    pub(crate) timeout: Option<Duration>,
    /// Adds a message and the job at this address to an outbox, in a frame of at most so many bytes.
    pub(crate) encode:
        unsafe fn(*mut u8, &mut Outbox<'_>, usize, ToServer) -> Result<(), PushError>,
    /// Drops the job at this address and puts the result there that these bytes are. False, or a
    /// panic: they are none, and nothing is there.
    pub(crate) arrive: unsafe fn(*mut u8, &[u8]) -> bool,
}
