//! A panic that was caught: its payload, if there is one, its text and its place in the source.

use core::{any::TypeId, fmt, mem::MaybeUninit, panic::Location};

/// Two words, of any content.
type PanicBytes = [usize; 2];

/// The payload of a job's panic.
///
/// The core cannot catch a panic. Where panics unwind, the pool's [`Port`](crate::Port) catches
/// them, and puts the payload in here. Where they do not (on a chip, with `panic = "abort"`), this
/// value exists only for a job that panicked in another address space.
///
/// ```
/// use corepool::{JobError, JobFuture};
///
/// fn report(job: JobFuture<'_, u32>) {
///     match job.result() {
///         Err(JobError::Panicked(panic)) => match (panic.text(), panic.location()) {
///             (Some(text), Some(place)) => println!("{place}: {text}"),
///             _ => println!("a panic"),
///         },
///         ended => println!("{ended:?}"),
///     }
/// }
/// # static POOL: corepool::StaticPool<4, 32> = corepool::StaticPool::new();
/// # report(POOL.submit(|| 1).unwrap());
/// ```
pub struct Panic {
    payload: Option<Payload>,
}

struct Payload {
    bytes: MaybeUninit<PanicBytes>,
    /// The functions for the type in `bytes`.
    vtable: &'static PanicVTable,
}

struct PanicVTable {
    type_id: fn() -> TypeId,
    drop: unsafe fn(*mut PanicBytes),
    /// The functions of a [`PanicPayload`].
    shared: Option<SharedVTable>,
    /// The payload, or a clone of it, has been handed out.
    is_observed: bool,
}

struct SharedVTable {
    text: unsafe fn(&PanicBytes) -> Option<&str>,
    location: unsafe fn(&PanicBytes) -> Option<PanicLocation<'_>>,
    share: unsafe fn(&PanicBytes) -> MaybeUninit<PanicBytes>,
    /// The table for a payload that has been handed out.
    observed: fn() -> &'static PanicVTable,
}

/// A panic's payload that can be cloned, and that has a text.
///
/// A [`Port`](crate::Port) that catches panics puts one into a [`Panic`]. Then each callback and
/// each error of the job has the text, even if the handle asks several times.
///
/// ```
/// use std::sync::Arc;
/// use corepool::{Panic, PanicLocation, PanicPayload};
///
/// /// The text and the line of a panic.
/// struct Caught(Arc<(String, u32)>);
///
/// impl PanicPayload for Caught {
///     fn text(&self) -> Option<&str> {
///         Some(&self.0.0)
///     }
///     fn location(&self) -> Option<PanicLocation<'_>> {
///         Some(PanicLocation { file: "src/printer.rs", line: self.0.1, column: 1 })
///     }
///     fn share(&self) -> Self {
///         Self(Arc::clone(&self.0))
///     }
/// }
///
/// let panic = Panic::shared(Caught(Arc::new(("out of paper".into(), 9))));
/// assert_eq!(panic.text(), Some("out of paper"));
/// assert_eq!(panic.location().unwrap().line, 9);
/// ```
pub trait PanicPayload: Send + Sync + 'static {
    /// The text that the job panicked with, if there is one.
    ///
    /// * **Context**: called from any in which a `Panic` is shown.
    /// * **Cost**: on top of that.
    fn text(&self) -> Option<&str>;

    /// The place in the source where the job panicked, if it is known. By default it is not.
    ///
    /// * **Context**: as for [`text`](Self::text).
    /// * **Cost**: as for [`text`](Self::text).
    fn location(&self) -> Option<PanicLocation<'_>> {
        None
    }

    /// A clone that stands for the same payload, such as that of an `Arc`.
    ///
    /// * **Context**: called from any that asks for a job's error, or runs its callbacks.
    /// * **Cost**: on top of that.
    fn share(&self) -> Self
    where
        Self: Sized;
}

/// The place in the source where a job panicked. Its text is `file:line:column`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PanicLocation<'a> {
    /// The file's path, as the compiler was given it.
    pub file: &'a str,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1.
    pub column: u32,
}

impl<'a> From<&'a Location<'a>> for PanicLocation<'a> {
    fn from(location: &'a Location<'a>) -> Self {
        Self {
            file: location.file(),
            line: location.line(),
            column: location.column(),
        }
    }
}

impl fmt::Display for PanicLocation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for PanicLocation<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "{=str}:{=u32}:{=u32}", self.file, self.line, self.column);
    }
}

// SAFETY: the payload is of a type that `Panic::new` or `Panic::shared` requires to be `Send`.
unsafe impl Send for Panic {}

// SAFETY: only a `PanicPayload`, which is `Sync`, is used through a shared reference.
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
    ///
    /// ```
    /// use corepool::Panic;
    ///
    /// let payload = std::panic::catch_unwind(|| panic!("out of paper")).unwrap_err();
    /// let panic = Panic::new(payload); // a port's `catch_panic` returns it
    /// assert_eq!(panic.text(), None); // a box cannot be cloned, so it has no text
    /// ```
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

    /// A panic with a payload that can be cloned, of at most two words, such as an `Arc`. A larger
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
                        // SAFETY: as above.
                        location: |bytes| unsafe { Self::payload(bytes) }.location(),
                        // SAFETY: the bytes were written as a `P`, and `shared` has asserted that a
                        // `P` is small.
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

    /// The text that the job panicked with, if there is one and the port has it.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(1).
    pub fn text(&self) -> Option<&str> {
        let payload = self.payload.as_ref()?;
        let shared = payload.vtable.shared.as_ref()?;
        // SAFETY: the bytes are of the table's type, and do not change while the panic is borrowed.
        unsafe { (shared.text)(payload.bytes.assume_init_ref()) }
    }

    /// The place in the source where the job panicked, if the port has it.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(1).
    pub fn location(&self) -> Option<PanicLocation<'_>> {
        let payload = self.payload.as_ref()?;
        let shared = payload.vtable.shared.as_ref()?;
        // SAFETY: the bytes are of the table's type, and do not change while the panic is borrowed.
        unsafe { (shared.location)(payload.bytes.assume_init_ref()) }
    }

    /// A panic with a clone of the payload, if it can be cloned.
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

    /// Hands the panic out, with a clone of the payload or with the payload itself. In the second
    /// case `self` has no payload any more.
    pub(crate) fn hand_out(&mut self) -> Self {
        let Some(panic) = self.share() else {
            return core::mem::replace(self, Self::unknown());
        };
        self.set_observed();
        panic
    }

    /// Notes that a clone of the payload has been handed out, if it can be cloned.
    pub(crate) fn set_observed(&mut self) {
        if let Some(payload) = &mut self.payload
            && let Some(shared) = &payload.vtable.shared
        {
            payload.vtable = (shared.observed)();
        }
    }

    /// A panic whose payload is not available.
    pub(crate) const fn unknown() -> Self {
        Self { payload: None }
    }

    /// Whether the panic has a payload to drop.
    pub(crate) fn has_payload(&self) -> bool {
        self.payload.is_some()
    }

    /// Whether the panic has a payload that was not handed out yet.
    pub(crate) fn is_unobserved(&self) -> bool {
        let payload = self.payload.as_ref();
        payload.is_some_and(|payload| !payload.vtable.is_observed)
    }

    /// The payload, if it is still there and is a `P`.
    ///
    /// A payload that is no [`PanicPayload`] is handed out once. The panic that a callback sees has
    /// none, nor has that of a second call of [`error`](crate::JobFuture::error).
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
                // SAFETY: the bytes were written as a `P` when the panic was made. They are read
                // once, since `ManuallyDrop` keeps them from being dropped.
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
        let (text, location) = (self.text(), self.location());
        if text.is_none() && location.is_none() {
            return f.write_str("Panic(..)");
        }
        let mut tuple = f.debug_tuple("Panic");
        if let Some(text) = text {
            tuple.field(&text);
        }
        if let Some(location) = location {
            tuple.field(&format_args!("{location}"));
        }
        tuple.finish()
    }
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the job panicked")?;
        if let Some(location) = self.location() {
            write!(f, " at {location}")?;
        }
        match self.text() {
            Some(text) => write!(f, ": {text}"),
            None => Ok(()),
        }
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Panic {
    fn format(&self, f: defmt::Formatter<'_>) {
        match (self.text(), self.location()) {
            (Some(text), Some(at)) => {
                defmt::write!(f, "the job panicked at {}: {=str}", at, text);
            }
            (Some(text), None) => defmt::write!(f, "the job panicked: {=str}", text),
            (None, Some(at)) => defmt::write!(f, "the job panicked at {}", at),
            (None, None) => defmt::write!(f, "the job panicked"),
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
