//! A slot's payload: its size, and how a value is stored in it.

use core::{
    marker::PhantomData,
    ptr::{self, NonNull},
};

use crate::error::{Failure, Panic};

/// The alignment of every slot's payload, in bytes: the most that a job or a result may ask for.
pub const PAYLOAD_ALIGN: usize = 8;

/// Whether a panic unwinds. If not, the pool has no code to catch panics.
pub(crate) const UNWINDS: bool = cfg!(panic = "unwind");

/// Whether a job can end by a panic: by its own, or by that of a job in another address space.
pub(crate) const PANICS: bool = UNWINDS || cfg!(feature = "remote");

/// The least size of a payload: room for a panic or a failure in place of a result. It is no
/// smaller than a pointer.
pub(crate) const LEAST: usize = if PANICS {
    size_of::<Panic>()
} else {
    size_of::<Failure>()
};

/// The size of a payload for `bytes` bytes: whole words, and no fewer than `LEAST`.
pub(crate) const fn capacity(bytes: usize) -> usize {
    let bytes = if bytes < LEAST { LEAST } else { bytes };
    bytes.next_multiple_of(PAYLOAD_ALIGN)
}

/// The policy for a job or result that does not fit a slot.
///
/// The pools of this crate use [`NoSpill`], with which the build fails. A pool on a host with a
/// heap may box the job or result instead.
///
/// # Safety
///
/// `store` moves `value` to a place, and returns a pointer to it. The value stays there until
/// `release` is called with that pointer. `release` frees the place without dropping the value.
///
/// ```
/// use core::{mem::MaybeUninit, ptr::NonNull};
/// use corepool::{Spill, StaticPool};
///
/// /// The heap, for jobs that do not fit a slot.
/// struct Heap;
///
/// // SAFETY: a box stays where it is until `release`, which frees it and drops no value.
/// unsafe impl Spill for Heap {
///     const CAN_SPILL: bool = true;
///
///     fn store<V>(value: V) -> NonNull<V> {
///         NonNull::from(Box::leak(Box::new(value)))
///     }
///
///     unsafe fn release<V>(place: NonNull<V>) {
///         // SAFETY: the place is that of a box, whose value is gone.
///         drop(unsafe { Box::<MaybeUninit<V>>::from_raw(place.as_ptr().cast()) });
///     }
/// }
///
/// static POOL: StaticPool<4, 32> = StaticPool::new();
/// let large = [1_u8; 100];
/// let length = POOL.pool_ref().spill_to::<Heap>().submit(move || large.len()).unwrap();
/// assert_eq!(length.result().unwrap(), 100);
/// ```
pub unsafe trait Spill {
    /// Whether `store` has a place for values. If not, a job or result that does not fit is a build
    /// error.
    const CAN_SPILL: bool;

    /// Moves a value to its place.
    ///
    /// * **Context**: called from any that submits a job, runs one, or keeps a promise.
    /// * **Cost**: on top of each job or result that does not fit a slot.
    fn store<V>(value: V) -> NonNull<V>;

    /// Frees the place of a value that was moved out or dropped.
    ///
    /// * **Context**: called from any that runs, ends or drops a job, or takes its result.
    /// * **Cost**: as for [`store`](Self::store).
    ///
    /// # Safety
    ///
    /// `place` comes from `store`, and is not used again.
    unsafe fn release<V>(place: NonNull<V>);
}

/// The policy of pools without another place: a job or result that does not fit a slot is a build
/// error.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct NoSpill;

// SAFETY: neither method is ever called. Where `CAN_SPILL` is false, the build asserts
// `Stored::FITS`.
unsafe impl Spill for NoSpill {
    const CAN_SPILL: bool = false;

    fn store<V>(value: V) -> NonNull<V> {
        core::mem::forget(value);
        NonNull::dangling()
    }

    unsafe fn release<V>(_place: NonNull<V>) {}
}

/// The storage of a `V` in a payload of `BYTES` bytes, whose last `KEPT` bytes are kept for other
/// data.
pub(crate) struct Stored<V, S, const BYTES: usize, const KEPT: usize>(PhantomData<(V, S)>);

impl<V, S: Spill, const BYTES: usize, const KEPT: usize> Stored<V, S, BYTES, KEPT> {
    /// Whether the payload itself has room for the value.
    pub(crate) const FITS: bool =
        size_of::<V>() <= capacity(BYTES).saturating_sub(KEPT) && align_of::<V>() <= PAYLOAD_ALIGN;

    pub(crate) const SPILLED: Option<unsafe fn(*mut u8)> = if Self::FITS {
        None
    } else {
        Some(Self::release)
    };

    /// # Safety
    ///
    /// `payload` is an empty payload, and the caller's.
    #[inline(always)]
    pub(crate) unsafe fn put(payload: *mut u8, value: V) {
        if Self::FITS {
            // SAFETY: size and alignment fit, by `FITS`.
            unsafe { payload.cast::<V>().write(value) }
        } else {
            // SAFETY: every payload has room for a pointer.
            unsafe { payload.cast::<NonNull<V>>().write(S::store(value)) }
        }
    }

    /// The address of the value.
    ///
    /// # Safety
    ///
    /// `put` was called on this payload.
    #[inline(always)]
    pub(crate) unsafe fn locate(payload: *mut u8) -> *mut V {
        if Self::FITS {
            payload.cast()
        } else {
            // SAFETY: `put` wrote the pointer.
            unsafe { payload.cast::<NonNull<V>>().read() }.as_ptr()
        }
    }

    /// # Safety
    ///
    /// `value` comes from `locate`, and the value was moved out or dropped.
    pub(crate) unsafe fn release(value: *mut u8) {
        if !Self::FITS
            && let Some(place) = NonNull::new(value.cast::<V>())
        {
            // SAFETY: the caller's promise.
            unsafe { S::release(place) };
        }
    }

    /// # Safety
    ///
    /// `put` was called on this payload. The payload is empty after this call.
    #[inline(always)]
    pub(crate) unsafe fn take(payload: *mut u8) -> V {
        // SAFETY: the caller's promise.
        unsafe {
            let place = Self::locate(payload);
            let value = place.read();
            Self::release(place.cast());
            value
        }
    }

    /// # Safety
    ///
    /// As for `take`.
    pub(crate) unsafe fn drop(payload: *mut u8) {
        /// Frees the place even if the value's destructor panics.
        struct Release<V, S: Spill, const BYTES: usize, const KEPT: usize>(*mut V, PhantomData<S>);
        impl<V, S: Spill, const BYTES: usize, const KEPT: usize> Drop for Release<V, S, BYTES, KEPT> {
            fn drop(&mut self) {
                // SAFETY: the value was dropped, at least as far as its destructor ran.
                unsafe { Stored::<V, S, BYTES, KEPT>::release(self.0.cast()) };
            }
        }
        // SAFETY: the caller's promise.
        unsafe {
            let place = Release::<V, S, BYTES, KEPT>(Self::locate(payload), PhantomData);
            ptr::drop_in_place(place.0);
        }
    }
}
