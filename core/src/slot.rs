//! The slot: where a work item lives from submit until nobody needs it any more.
//!
//! A slot is a header, of the same type in every pool, and a payload of the pool's `BYTES`. The
//! payload holds the job, then its result in the same bytes. What is in it at any time, and who may
//! touch it, follows from the state word:
//!
//! | state | payload | belongs to |
//! |---|---|---|
//! | free | nothing | whoever takes the slot from the free list |
//! | `QUEUED`, `SUSPENDED` | the job | nobody, until `begin` or `claim` |
//! | `BUSY` | the job, nothing, or the result | the worker or canceller |
//! | `DONE`, outcome `Returned` | the result | the handle, or the completer if there is none |
//! | `DONE`, outcome `Panicked` | a `Panic` | likewise |
//! | `DONE`, any other | nothing | |
//!
//! On 32-bit targets the header takes 24 bytes, and the slot's node in the run queue 8 more.

use core::{
    mem::{ManuallyDrop, MaybeUninit},
    ptr,
    task::Waker,
};

use crate::{
    error::Panic,
    pool::Raw,
    state::State,
    sync::{AtomicU16, Ordering, UnsafeCell, const_unless_loom},
};

/// The alignment of every slot's payload, in bytes: the most that a job or a result may ask for.
pub const PAYLOAD_ALIGN: usize = 8;

/// What a job is told when it runs.
pub(crate) struct JobContext<'a> {
    pub(crate) pool: Raw<'a>,
    pub(crate) slot: u16,
    /// For a callback: where the result is that it is to look at, or why there is none.
    pub(crate) subject: Option<Result<*const u8, &'a crate::JobError>>,
}

/// Whether a job has ended with this step.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Pending,
    Ready,
}

/// Where in the payload a job's result is.
#[derive(Clone, Copy)]
pub(crate) enum Place {
    /// In the payload itself.
    Inline,
    /// The payload holds a pointer to it; the function frees what it points to, without dropping.
    Spilled(unsafe fn(*mut u8)),
}

/// What the pool knows of a job's type.
pub(crate) struct JobVTable {
    /// One step of the job at this address. After `Ready` the result is there instead, after a
    /// panic nothing is.
    pub(crate) run: unsafe fn(*mut u8, &JobContext<'_>) -> Step,
    /// Drops the job at this address.
    pub(crate) drop_job: unsafe fn(*mut u8),
    /// Drops the result at this address, and frees where it was spilled to.
    pub(crate) drop_result: unsafe fn(*mut u8),
    /// Where the result is.
    pub(crate) place: Place,
    /// Whether the payload begins with a pointer to a scope; job and result come after it.
    pub(crate) scoped: bool,
}

/// A member of a waiting set: whom to tell, and which of the set's futures this is.
#[derive(Clone, Copy)]
pub(crate) struct Member {
    /// The number of the set's waiter.
    pub(crate) waiter: u16,
    pub(crate) position: u16,
}

/// What the handle left for the completer. Two words, which is why there is no third variant.
pub(crate) enum Waiting {
    Task(Waker),
    Set(Member),
}

/// The part of a slot that does not depend on `BYTES`.
#[repr(C)]
pub(crate) struct Header {
    pub(crate) state: State,
    /// The next slot's index plus one: in the free list while free, in a chain of callbacks, or in
    /// a set's list of completions.
    pub(crate) link: AtomicU16,
    /// The slot's own node of the run queue plus one; 0 stands for the node that it had first.
    pub(crate) node: AtomicU16,
    /// The first callback's slot plus one. Follows the `CALLBACKS` protocol.
    pub(crate) callbacks: AtomicU16,
    /// The slot's own index, for a task's waker. Written by the slot's first tenant, and always the
    /// same from then on.
    pub(crate) index: AtomicU16,
    /// What kind of job the payload holds. Written before the job is queued, constant after.
    vtable: UnsafeCell<MaybeUninit<&'static JobVTable>>,
    /// Follows the `WAITING` protocol.
    waiting: UnsafeCell<MaybeUninit<WaitCell>>,
    /// Stands for the payload in the eyes of the model checker; of no size otherwise.
    payload: UnsafeCell<()>,
}

/// [`Waiting`] as it is stored.
type WaitCell = ManuallyDrop<Waiting>;

/// The bytes that hold job and result.
#[repr(C)]
pub(crate) union Payload<const BYTES: usize> {
    _bytes: [MaybeUninit<u8>; BYTES],
    _panic: ManuallyDrop<Panic>,
    _align: u64,
}

/// A slot of a pool with `BYTES` bytes for each job.
#[repr(C)]
pub(crate) struct Slot<const BYTES: usize> {
    header: Header,
    payload: core::cell::UnsafeCell<MaybeUninit<Payload<BYTES>>>,
}

/// Where in a slot the payload begins.
pub(crate) const PAYLOAD_OFFSET: usize = core::mem::offset_of!(Slot<0>, payload);

impl<const BYTES: usize> Slot<BYTES> {
    const_unless_loom! {
        pub(crate) fn new() -> Self {
            assert!(core::mem::offset_of!(Self, payload) == PAYLOAD_OFFSET);
            Self {
                header: Header {
                    state: State::new(),
                    link: AtomicU16::new(0),
                    node: AtomicU16::new(0),
                    callbacks: AtomicU16::new(0),
                    index: AtomicU16::new(0),
                    vtable: UnsafeCell::new(MaybeUninit::uninit()),
                    waiting: UnsafeCell::new(MaybeUninit::uninit()),
                    payload: UnsafeCell::new(()),
                },
                payload: core::cell::UnsafeCell::new(MaybeUninit::uninit()),
            }
        }
    }
}

/// A slot of some pool: its header, with leave to reach the payload behind it.
#[derive(Clone, Copy)]
pub(crate) struct SlotRef<'p> {
    /// Invariant: valid for 'p, and so are the payload's bytes at `PAYLOAD_OFFSET`.
    header: ptr::NonNull<Header>,
    pool: core::marker::PhantomData<&'p Header>,
}

impl core::ops::Deref for SlotRef<'_> {
    type Target = Header;

    #[inline(always)]
    fn deref(&self) -> &Header {
        self.header()
    }
}

impl<'p> SlotRef<'p> {
    /// # Safety
    ///
    /// `header` is the header of a `Slot` that is valid for 'p, and may be used to reach all of it.
    #[inline(always)]
    pub(crate) unsafe fn new(header: ptr::NonNull<Header>) -> Self {
        Self {
            header,
            pool: core::marker::PhantomData,
        }
    }

    #[inline(always)]
    fn header(self) -> &'p Header {
        // SAFETY: the type's invariant; the header is only ever shared, its cells change inside.
        unsafe { self.header.as_ref() }
    }

    /// The address that a task's waker carries.
    pub(crate) fn address(self) -> *const () {
        self.header.as_ptr().cast_const().cast()
    }

    /// The link, for the lists of the pool.
    #[inline(always)]
    pub(crate) fn link(self) -> &'p AtomicU16 {
        &self.header().link
    }

    /// The slot, which has index `index`, has a new tenant; see [`State::occupy`].
    #[inline(always)]
    pub(crate) fn occupy(self, index: u16, priority: usize, bits: u32) {
        // Relaxed: the state word, next, publishes it.
        self.header().index.store(index, Ordering::Relaxed);
        self.header().state.occupy(priority, bits);
    }

    /// Where the payload begins, for its owner to write to.
    #[inline(always)]
    pub(crate) fn payload(self) -> *mut u8 {
        self.header().payload.with_mut(|_| ());
        self.payload_address()
    }

    /// Where the payload begins, for reading.
    #[inline(always)]
    pub(crate) fn payload_shared(self) -> *const u8 {
        self.header().payload.with(|_| ());
        self.payload_address()
    }

    #[inline(always)]
    fn payload_address(self) -> *mut u8 {
        // SAFETY: the payload is inside the slot (the type's invariant).
        unsafe { self.header.as_ptr().cast::<u8>().add(PAYLOAD_OFFSET) }
    }

    /// Where job and result begin: behind the scope's pointer if there is one.
    ///
    /// # Safety
    ///
    /// As for [`vtable`](Self::vtable), and the payload belongs to the caller.
    #[inline(always)]
    pub(crate) unsafe fn value(self) -> *mut u8 {
        // SAFETY: the caller's promise.
        let offset = if unsafe { self.vtable() }.scoped {
            PAYLOAD_ALIGN
        } else {
            0
        };
        // SAFETY: a scoped job was checked to fit behind its scope's pointer.
        unsafe { self.payload().add(offset) }
    }

    /// [`value`](Self::value), for one of several readers.
    ///
    /// # Safety
    ///
    /// As for [`vtable`](Self::vtable), and the payload is not written meanwhile.
    pub(crate) unsafe fn value_shared(self) -> *const u8 {
        // SAFETY: the caller's promise.
        let offset = if unsafe { self.vtable() }.scoped {
            PAYLOAD_ALIGN
        } else {
            0
        };
        // SAFETY: a scoped job was checked to fit behind its scope's pointer.
        unsafe { self.payload_shared().add(offset) }
    }

    /// The address at the beginning of a scoped job's payload. It is there from submit until the
    /// slot is free, whoever is at work on the rest.
    ///
    /// # Safety
    ///
    /// The slot is occupied by a scoped job.
    pub(crate) unsafe fn scope_address(self) -> *const crate::scope::ScopeState {
        // SAFETY: the caller's promise.
        unsafe {
            self.payload_address()
                .cast_const()
                .cast::<*const crate::scope::ScopeState>()
                .read()
        }
    }

    /// Says what kind of job the payload holds.
    ///
    /// # Safety
    ///
    /// The caller owns the slot alone.
    #[inline(always)]
    pub(crate) unsafe fn set_vtable(self, vtable: &'static JobVTable) {
        self.header().vtable.with_mut(|cell| {
            // SAFETY: the caller's promise.
            unsafe { (*cell).write(vtable) };
        });
    }

    /// What kind of job the payload holds.
    ///
    /// # Safety
    ///
    /// The slot is occupied and the caller is one of the parties that keep it so.
    #[inline(always)]
    pub(crate) unsafe fn vtable(self) -> &'static JobVTable {
        self.header().vtable.with(|cell| {
            // SAFETY: written before the slot became visible to any other party, and not again
            // until it is free, which the caller prevents.
            unsafe { (*cell).assume_init() }
        })
    }

    /// Replaces what the handle leaves for the completer. What was there is not dropped.
    ///
    /// # Safety
    ///
    /// The cell belongs to the caller by the `WAITING` protocol.
    pub(crate) unsafe fn put_waiting(self, waiting: Waiting) {
        self.header().waiting.with_mut(|cell| {
            // SAFETY: the caller's promise.
            unsafe { (*cell).write(ManuallyDrop::new(waiting)) };
        });
    }

    /// The set that the future reports to, if it does.
    ///
    /// # Safety
    ///
    /// Nothing was taken since the last `put_waiting`, and nobody changes the cell meanwhile: the job
    /// is `DONE`, and the caller is its completer or has found it in the set's list.
    pub(crate) unsafe fn member(self) -> Option<Member> {
        self.header().waiting.with(|cell| {
            // SAFETY: the caller's promise.
            match unsafe { &**(*cell).assume_init_ref() } {
                Waiting::Set(member) => Some(*member),
                Waiting::Task(_) => None,
            }
        })
    }

    /// Whether it is this waker that the handle left.
    ///
    /// # Safety
    ///
    /// Somebody has called `put_waiting`, and nobody does meanwhile. What is there may have been
    /// taken: its address is looked at, and nothing else.
    pub(crate) unsafe fn was_left_for(self, waker: &Waker) -> bool {
        self.header().waiting.with(|cell| {
            // SAFETY: the caller's promise.
            match unsafe { &**(*cell).assume_init_ref() } {
                Waiting::Task(left) => left.will_wake(waker),
                Waiting::Set(_) => false,
            }
        })
    }

    /// Takes what was left in the cell.
    ///
    /// # Safety
    ///
    /// The cell belongs to the caller by the `WAITING` protocol, and nothing was taken since the
    /// last `put_waiting`.
    pub(crate) unsafe fn take_waiting(self) -> Waiting {
        self.header().waiting.with(|cell| {
            // SAFETY: the caller's promise.
            ManuallyDrop::into_inner(unsafe { (*cell).assume_init_read() })
        })
    }
}

/// What the module's documentation says of RAM holds.
#[cfg(all(target_pointer_width = "32", not(loom)))]
const _: () = assert!(PAYLOAD_OFFSET == 24 && size_of::<crate::queue::Node>() == 8);
