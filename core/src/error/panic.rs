//! A panic that was caught: its payload, if there is one.

use core::{any::TypeId, fmt, mem::MaybeUninit};

/// Two words, whatever they are.
type PanicBytes = [usize; 2];

/// The payload of a job's panic.
///
/// The core cannot catch a panic; where unwinding exists, the pool's [`Port`](crate::Port) does and
/// puts the payload in here. Where it does not (on a chip, with `panic = "abort"`), this value comes into
/// being only for a job that panics elsewhere.
pub struct Panic {
    payload: Option<PanicPayload>,
}

struct PanicPayload {
    bytes: MaybeUninit<PanicBytes>,
    /// Says what `bytes` holds.
    vtable: &'static PanicVTable,
}

struct PanicVTable {
    type_id: fn() -> TypeId,
    drop: unsafe fn(*mut PanicBytes),
}

// SAFETY: the payload is of a type that `Panic::new` requires to be `Send`, and it is never shared.
unsafe impl Send for Panic {}

// SAFETY: no method gives access to the payload through a shared reference.
unsafe impl Sync for Panic {}

impl Panic {
    /// A panic with a payload of at most two words, such as a `Box<dyn Any + Send>`. A larger one
    /// is a build error.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(1).
    pub fn new<P: Send + 'static>(payload: P) -> Self {
        const {
            assert!(
                size_of::<P>() <= size_of::<PanicBytes>()
                    && align_of::<P>() <= align_of::<PanicBytes>(),
                "a panic's payload takes at most two words: box it"
            );
        }
        unsafe fn drop_as<P>(bytes: *mut PanicBytes) {
            // SAFETY: `bytes` was written as a `P` by `new`, and is not used again.
            unsafe { bytes.cast::<P>().drop_in_place() }
        }
        struct VTableOf<P>(P);
        impl<P: 'static> VTableOf<P> {
            const VTABLE: PanicVTable = PanicVTable {
                type_id: TypeId::of::<P>,
                drop: drop_as::<P>,
            };
        }
        let mut bytes = MaybeUninit::<PanicBytes>::uninit();
        // SAFETY: size and alignment fit, as asserted above.
        unsafe { bytes.as_mut_ptr().cast::<P>().write(payload) };
        Self {
            payload: Some(PanicPayload {
                bytes,
                vtable: &VTableOf::<P>::VTABLE,
            }),
        }
    }

    /// A panic whose payload is not to be had.
    pub(crate) const fn unknown() -> Self {
        Self { payload: None }
    }

    /// Whether nobody has taken the payload yet.
    pub(crate) fn is_unobserved(&self) -> bool {
        self.payload.is_some()
    }

    /// The payload, if it is there and a `P`.
    ///
    /// A payload is handed out once: the panic that a callback sees, or a second
    /// [`error`](crate::JobFuture::error), has none.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(1).
    ///
    /// # Errors
    ///
    /// The panic itself comes back if its payload is of another type, or was handed out before.
    ///
    /// ```
    /// use corepool::Panic;
    /// let panic = Panic::new(5_u32).into_payload::<&str>().unwrap_err();
    /// assert_eq!(panic.into_payload::<u32>().unwrap(), 5);
    /// ```
    pub fn into_payload<P: 'static>(mut self) -> Result<P, Self> {
        match self.payload.take() {
            Some(payload) if (payload.vtable.type_id)() == TypeId::of::<P>() => {
                let bytes = core::mem::ManuallyDrop::new(payload).bytes;
                // SAFETY: the bytes were written as a `P` by `new`; they are read once, since
                // `ManuallyDrop` keeps them from being dropped.
                Ok(unsafe { bytes.as_ptr().cast::<P>().read() })
            }
            other => {
                self.payload = other;
                Err(self)
            }
        }
    }
}

impl Drop for PanicPayload {
    fn drop(&mut self) {
        // SAFETY: `drop` is the function for the type that `bytes` holds.
        unsafe { (self.vtable.drop)(self.bytes.as_mut_ptr()) }
    }
}

impl fmt::Debug for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Panic(..)")
    }
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the job panicked")
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Panic {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "the job panicked");
    }
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests {
    use super::*;

    #[test]
    fn a_panics_payload_is_handed_out_as_what_it_is() {
        let panic = Panic::new(5_u32).into_payload::<i32>().unwrap_err();
        assert_eq!(panic.into_payload::<u32>().unwrap(), 5);
    }
}
