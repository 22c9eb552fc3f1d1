//! How a remote job leaves its slot as bytes, and its result comes back to it.

use core::{any::TypeId, marker::PhantomData, task::Poll, time::Duration};

use super::{
    job::{JobContext, RemoteJob},
    wire::{Outbox, PushError, ToServer},
};
use crate::{
    jobs::{
        kinds::{Job, JobPlace},
        token::CancelToken,
    },
    memory::{
        payload::{Spill, Stored},
        pool::Pool,
        slot::SlotRef,
    },
};

/// A remote job in a slot.
pub(crate) struct Travelling<J>(pub(crate) J);

impl<J: RemoteJob> Job for Travelling<J> {
    type Output = J::Output;
    const TRAVELS: Option<Travels<Self>> = Some(Travels {
        job: TypeId::of::<J>,
        idempotent: J::IDEMPOTENT,
        timeout: J::TIMEOUT,
        encode: |job, outbox, limit, message| outbox.push(limit, message, &job.0),
        decode: |bytes| postcard::from_bytes(bytes).ok(),
    });

    fn step<'p>(this: JobPlace<'_, Self>, _pool: Pool<'p>, slot: SlotRef<'p>) -> Poll<J::Output> {
        let mut context = JobContext::here(CancelToken::new(slot));
        Poll::Ready(this.take().0.run(&mut context))
    }
}

/// What is to be known of a kind of job so that it can travel.
pub(crate) struct Travels<J: Job> {
    job: fn() -> TypeId,
    idempotent: bool,
    timeout: Option<Duration>,
    encode: fn(&J, &mut Outbox<'_>, usize, ToServer) -> Result<(), PushError>,
    decode: fn(&[u8]) -> Option<J::Output>,
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

/// The [`Travel`] of a job `J` in a pool that stores by `S` in `BYTES`, of which the last `KEPT` are kept.
pub(crate) struct TravelOf<J, S, const BYTES: usize, const KEPT: usize>(PhantomData<(J, S)>);

impl<J: Job, S: Spill, const BYTES: usize, const KEPT: usize> TravelOf<J, S, BYTES, KEPT> {
    pub(crate) const TRAVEL: Option<Travel> = match J::TRAVELS {
        Some(Travels {
            job,
            idempotent,
            timeout,
            ..
        }) => Some(Travel {
            job,
            idempotent,
            timeout,
            encode: Self::encode,
            arrive: Self::arrive,
        }),
        None => None,
    };

    /// # Safety
    ///
    /// The payload holds a `J` stored so, and is not changed meanwhile.
    unsafe fn encode(
        payload: *mut u8,
        outbox: &mut Outbox<'_>,
        limit: usize,
        message: ToServer,
    ) -> Result<(), PushError> {
        let Some(travels) = J::TRAVELS else {
            return Err(PushError::Encoding);
        };
        // SAFETY: the caller's promise.
        let job = unsafe { &*Stored::<J, S, BYTES, KEPT>::locate(payload) };
        (travels.encode)(job, outbox, limit, message)
    }

    /// # Safety
    ///
    /// The payload holds a `J` stored so, and is the caller's.
    unsafe fn arrive(payload: *mut u8, bytes: &[u8]) -> bool {
        // SAFETY: the caller's promise. It is empty after, even if the job's destructor unwinds.
        unsafe { Stored::<J, S, BYTES, KEPT>::drop(payload) };
        match J::TRAVELS.and_then(|travels| (travels.decode)(bytes)) {
            Some(result) => {
                // SAFETY: empty, and the caller's; `FITS` was checked for the result, too.
                unsafe { Stored::<J::Output, S, BYTES, KEPT>::put(payload, result) };
                true
            }
            None => false,
        }
    }
}
