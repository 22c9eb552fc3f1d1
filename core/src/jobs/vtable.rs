//! The table by which a slot knows the functions of its job's type.

use core::{marker::PhantomData, task::Poll};

use crate::{
    jobs::job::{Job, JobPlace},
    jobs::too_large::{does_not_fit, is_over_aligned},
    memory::payload::{PAYLOAD_ALIGN, Spill, Stored},
    memory::pool::Pool,
    memory::scoped::ScopeState,
    memory::slot::{JobVTable, SlotRef, Step},
};

/// The vtable of a job `J` in a pool with `BYTES` bytes and the policy `S`. The last `KEPT` bytes
/// are kept for other data.
pub(crate) struct VTableOf<J, S, const BYTES: usize, const KEPT: usize>(PhantomData<(J, S)>);

impl<J: Job, S: Spill, const BYTES: usize, const KEPT: usize> VTableOf<J, S, BYTES, KEPT> {
    pub(crate) const TABLE: JobVTable = JobVTable {
        run: Self::run,
        drop_job: Stored::<J, S, BYTES, KEPT>::drop,
        drop_result: Stored::<J::Output, S, BYTES, KEPT>::drop,
        spilled: Stored::<J::Output, S, BYTES, KEPT>::SPILLED,
        leave_scope: if KEPT == 0 {
            None
        } else {
            Some(ScopeState::leave)
        },
        suspend: J::SUSPEND,
        run_chain: J::RUN_CHAIN,
        #[cfg(feature = "remote")]
        travel: super::travel::TravelOf::<J, S, BYTES, KEPT>::TRAVEL,
    };

    /// Fails the build if the job or its result does not fit.
    pub(crate) const FITS: () = {
        if !S::CAN_SPILL {
            let (job, result) = ("the job", "the job's result");
            if align_of::<J>() > PAYLOAD_ALIGN {
                let text = is_over_aligned(job, align_of::<J>(), ": capture a reference");
                panic!("{}", text.as_str());
            }
            if align_of::<J::Output>() > PAYLOAD_ALIGN {
                let text = is_over_aligned(result, align_of::<J::Output>(), ": return less");
                panic!("{}", text.as_str());
            }
            if !Stored::<J, S, BYTES, KEPT>::FITS {
                let text =
                    does_not_fit(job, size_of::<J>(), BYTES, KEPT, ", or capture a reference");
                panic!("{}", text.as_str());
            }
            if !Stored::<J::Output, S, BYTES, KEPT>::FITS {
                let text = does_not_fit(result, size_of::<J::Output>(), BYTES, KEPT, "");
                panic!("{}", text.as_str());
            }
        }
    };

    unsafe fn run<'p>(payload: *mut u8, pool: Pool<'p>, slot: SlotRef<'p>) -> Step {
        /// Drops the job, if it is still there, after a step that is over or has panicked.
        struct Leave<J, S: Spill, const BYTES: usize, const KEPT: usize> {
            payload: *mut u8,
            place: *mut J,
            there: bool,
            keep: bool,
            marker: PhantomData<S>,
        }
        impl<J, S: Spill, const BYTES: usize, const KEPT: usize> Drop for Leave<J, S, BYTES, KEPT> {
            fn drop(&mut self) {
                if self.keep {
                    return;
                }
                if self.there {
                    // SAFETY: the job is there, and only the caller is at work on it.
                    unsafe { Stored::<J, S, BYTES, KEPT>::drop(self.payload) };
                } else {
                    // SAFETY: the job was moved out.
                    unsafe { Stored::<J, S, BYTES, KEPT>::release(self.place.cast()) };
                }
            }
        }
        let mut leave = Leave::<J, S, BYTES, KEPT> {
            payload,
            // SAFETY: the caller owns the payload, which holds a job.
            place: unsafe { Stored::<J, S, BYTES, KEPT>::locate(payload) },
            there: true,
            keep: false,
            marker: PhantomData,
        };
        let place = JobPlace {
            // SAFETY: the caller owns the payload, which holds a job, and this is the only
            // reference.
            place: unsafe { &mut *leave.place.cast() },
            there: &mut leave.there,
        };
        match J::step(place, pool, slot) {
            Poll::Pending => {
                leave.keep = true;
                Step::Pending
            }
            Poll::Ready(output) => {
                drop(leave);
                // SAFETY: the payload is empty now, and the caller's.
                unsafe { Stored::<J::Output, S, BYTES, KEPT>::put(payload, output) };
                Step::Ready
            }
        }
    }
}
