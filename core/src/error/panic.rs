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
    payload: Option<Payload>,
}

struct Payload {
    bytes: MaybeUninit<PanicBytes>,
    /// Says what `bytes` holds.
    vtable: &'static PanicVTable,
}

struct PanicVTable {
    type_id: fn() -> TypeId,
    drop: unsafe fn(*mut PanicBytes),
    /// What a [`PanicPayload`] can do besides.
    shared: Option<SharedVTable>,
    /// Some asker has got the payload, or another handle on it.
    is_observed: bool,
}

struct SharedVTable {
    text: unsafe fn(&PanicBytes) -> Option<&str>,
    share: unsafe fn(&PanicBytes) -> MaybeUninit<PanicBytes>,
    /// The same table for a payload that is observed.
    observed: fn() -> &'static PanicVTable,
}

/// A panic's payload that several askers can have: it knows its text.
///
/// A [`Port`](crate::Port) that catches panics puts one into a [`Panic`]. Then each callback and each
/// error of the job tells the text, however often the job's owner asks.
pub trait PanicPayload: Send + Sync + 'static {
    /// What the job panicked with, if that is a text.
    ///
    /// * **Context**: called from any in which a `Panic` is shown.
    /// * **Cost**: on top of that.
    fn text(&self) -> Option<&str>;

    /// Another handle on the same payload.
    ///
    /// * **Context**: called from any that asks for a job's error, or runs its callbacks.
    /// * **Cost**: on top of that.
    fn share(&self) -> Self
    where
        Self: Sized;
}

// SAFETY: the payload is of a type that `Panic::new` or `Panic::shared` requires to be `Send`.
unsafe impl Send for Panic {}

// SAFETY: only a payload that is a `PanicPayload`, and so `Sync`, is used through a shared reference.
unsafe impl Sync for Panic {}

/// Writes a payload of two words or less.
///
/// # Safety
///
/// A `P` takes at most two words and asks for no more alignment.
unsafe fn to_bytes<P>(payload: P) -> MaybeUninit<PanicBytes> {
    let mut bytes = MaybeUninit::<PanicBytes>::uninit();
    // SAFETY: size and alignment fit (the caller's promise).
    unsafe { bytes.as_mut_ptr().cast::<P>().write(payload) };
    bytes
}

unsafe fn drop_as<P>(bytes: *mut PanicBytes) {
    // SAFETY: `bytes` was written as a `P` when the panic was made, and is not used again.
    unsafe { bytes.cast::<P>().drop_in_place() }
}

const fn assert_small<P>() {
    assert!(
        size_of::<P>() <= size_of::<PanicBytes>() && align_of::<P>() <= align_of::<PanicBytes>(),
        "a panic's payload takes at most two words: box it"
    );
}

impl Panic {
    /// A panic with a payload of at most two words, such as a `Box<dyn Any + Send>`. A larger one
    /// is a build error.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(1).
    pub fn new<P: Send + 'static>(payload: P) -> Self {
        const { assert_small::<P>() };
        struct VTableOf<P>(P);
        impl<P: 'static> VTableOf<P> {
            const VTABLE: PanicVTable = PanicVTable {
                type_id: TypeId::of::<P>,
                drop: drop_as::<P>,
                shared: None,
                is_observed: false,
            };
        }
        Self {
            payload: Some(Payload {
                // SAFETY: asserted above.
                bytes: unsafe { to_bytes(payload) },
                vtable: &VTableOf::<P>::VTABLE,
            }),
        }
    }

    /// A panic whose payload several askers can have, of at most two words, such as an `Arc`. A larger
    /// one is a build error.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(1).
    ///
    /// ```
    /// use corepool::{Panic, PanicPayload};
    ///
    /// struct Text(&'static str);
    ///
    /// impl PanicPayload for Text {
    ///     fn text(&self) -> Option<&str> {
    ///         Some(self.0)
    ///     }
    ///     fn share(&self) -> Self {
    ///         Self(self.0)
    ///     }
    /// }
    ///
    /// let panic = Panic::shared(Text("out of paper"));
    /// assert_eq!(panic.text(), Some("out of paper"));
    /// assert_eq!(panic.to_string(), "the job panicked: out of paper");
    /// ```
    pub fn shared<P: PanicPayload>(payload: P) -> Self {
        const { assert_small::<P>() };
        struct VTableOf<P>(P);
        impl<P: PanicPayload> VTableOf<P> {
            const fn table(is_observed: bool) -> PanicVTable {
                PanicVTable {
                    type_id: TypeId::of::<P>,
                    drop: drop_as::<P>,
                    shared: Some(SharedVTable {
                        // SAFETY: the bytes were written as a `P` when the panic was made.
                        text: |bytes| unsafe { Self::payload(bytes) }.text(),
                        // SAFETY: as above; `shared` has asserted that a `P` is small.
                        share: |bytes| unsafe { to_bytes(Self::payload(bytes).share()) },
                        observed: || &Self::OBSERVED,
                    }),
                    is_observed,
                }
            }
            const VTABLE: PanicVTable = Self::table(false);
            const OBSERVED: PanicVTable = Self::table(true);

            /// # Safety
            ///
            /// The bytes were written as a `P`.
            unsafe fn payload(bytes: &PanicBytes) -> &P {
                // SAFETY: the caller's promise.
                unsafe { &*core::ptr::from_ref(bytes).cast() }
            }
        }
        Self {
            payload: Some(Payload {
                // SAFETY: asserted above.
                bytes: unsafe { to_bytes(payload) },
                vtable: &VTableOf::<P>::VTABLE,
            }),
        }
    }

    /// What the job panicked with, if that is a text, and the port knows it.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(1).
    pub fn text(&self) -> Option<&str> {
        let payload = self.payload.as_ref()?;
        let shared = payload.vtable.shared.as_ref()?;
        // SAFETY: the bytes are of the table's type, and stay so while the panic is borrowed.
        unsafe { (shared.text)(payload.bytes.assume_init_ref()) }
    }

    /// Another handle on the payload, if several can have it.
    pub(crate) fn share(&self) -> Option<Self> {
        let payload = self.payload.as_ref()?;
        let shared = payload.vtable.shared.as_ref()?;
        Some(Self {
            payload: Some(Payload {
                // SAFETY: the bytes are of the table's type.
                bytes: unsafe { (shared.share)(payload.bytes.assume_init_ref()) },
                vtable: (shared.observed)(),
            }),
        })
    }

    /// Hands the panic out: another handle on the payload, or the payload itself, which is not there after.
    pub(crate) fn hand_out(&mut self) -> Self {
        let Some(panic) = self.share() else {
            return core::mem::replace(self, Self::unknown());
        };
        if let Some(payload) = &mut self.payload
            && let Some(shared) = &payload.vtable.shared
        {
            payload.vtable = (shared.observed)();
        }
        panic
    }

    /// A panic whose payload is not to be had.
    pub(crate) const fn unknown() -> Self {
        Self { payload: None }
    }

    /// Whether there is a payload to drop.
    pub(crate) fn has_payload(&self) -> bool {
        self.payload.is_some()
    }

    /// Whether the payload was not handed out yet.
    pub(crate) fn is_unobserved(&self) -> bool {
        let payload = self.payload.as_ref();
        payload.is_some_and(|payload| !payload.vtable.is_observed)
    }

    /// The payload, if it is there and a `P`.
    ///
    /// A payload that is no [`PanicPayload`] is handed out once: the panic that a callback sees, or a
    /// second [`error`](crate::JobFuture::error), has none.
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
                // SAFETY: `new` wrote the bytes as a `P`. They are read once, since `ManuallyDrop`
                // keeps them from being dropped.
                Ok(unsafe { bytes.as_ptr().cast::<P>().read() })
            }
            other => {
                self.payload = other;
                Err(self)
            }
        }
    }
}

impl Drop for Payload {
    fn drop(&mut self) {
        // SAFETY: `drop` is the function for the type that `bytes` holds.
        unsafe { (self.vtable.drop)(self.bytes.as_mut_ptr()) }
    }
}

impl fmt::Debug for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.text() {
            Some(text) => f.debug_tuple("Panic").field(&text).finish(),
            None => f.write_str("Panic(..)"),
        }
    }
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.text() {
            Some(text) => write!(f, "the job panicked: {text}"),
            None => f.write_str("the job panicked"),
        }
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Panic {
    fn format(&self, f: defmt::Formatter<'_>) {
        match self.text() {
            Some(text) => defmt::write!(f, "the job panicked: {=str}", text),
            None => defmt::write!(f, "the job panicked"),
        }
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
