//! The functions that a worker needs to send a job to another address space as bytes.

use core::{any::TypeId, time::Duration};

use crate::{
    wire::message::ToServer,
    wire::outbox::{Outbox, PushError},
};

/// The functions that a worker needs to send a job of type `J` with a result of type `T`.
pub(crate) struct Travels<J, T> {
    pub(crate) job: fn() -> TypeId,
    pub(crate) idempotent: bool,
    pub(crate) timeout: Option<Duration>,
    pub(crate) encode: fn(&J, &mut Outbox<'_>, usize, ToServer) -> Result<(), PushError>,
    pub(crate) decode: fn(&[u8]) -> Option<T>,
}

/// [`Travels`] for a job in a slot, whose type is erased.
pub(crate) struct Travel {
    pub(crate) job: fn() -> TypeId,
    /// Whether the job may be sent again.
    pub(crate) idempotent: bool,
    pub(crate) timeout: Option<Duration>,
    /// Adds a message and the job at this address to an outbox. The number is the most bytes of
    /// their frame.
    pub(crate) encode:
        unsafe fn(*mut u8, &mut Outbox<'_>, usize, ToServer) -> Result<(), PushError>,
    /// Drops the job at this address, and puts the result that these bytes encode in its place. If
    /// it returns false or panics, the bytes encode no result, and the payload is empty.
    pub(crate) arrive: unsafe fn(*mut u8, &[u8]) -> bool,
}
