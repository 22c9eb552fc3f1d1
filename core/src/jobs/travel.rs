//! How a remote job leaves its slot as bytes, and its result comes back to the slot.

use core::marker::PhantomData;

use crate::{
    jobs::job::Job,
    memory::payload::{Spill, Stored},
    memory::travel::{Travel, Travels},
    wire::message::ToServer,
    wire::outbox::{Outbox, PushError},
};

/// The [`Travel`] of a job `J` in a pool with `BYTES` bytes and the policy `S`. The last `KEPT`
/// bytes are kept for other data.
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
    /// The payload holds a `J` stored like this, and is not changed meanwhile.
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
    /// The payload holds a `J` stored like this, and is the caller's.
    unsafe fn arrive(payload: *mut u8, bytes: &[u8]) -> bool {
        // SAFETY: the caller's promise. The payload is empty after this, even if the job's
        // destructor unwinds.
        unsafe { Stored::<J, S, BYTES, KEPT>::drop(payload) };
        match J::TRAVELS.and_then(|travels| (travels.decode)(bytes)) {
            Some(result) => {
                // SAFETY: the payload is empty, and the caller's. `FITS` was checked for the
                // result, too.
                unsafe { Stored::<J::Output, S, BYTES, KEPT>::put(payload, result) };
                true
            }
            None => false,
        }
    }
}
