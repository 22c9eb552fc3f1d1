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
//! | `DONE`, outcome `Failed` | a `Failure`, which needs no drop | likewise |
//! | `DONE`, any other | nothing | |
//!
//! On 32-bit targets the header takes 24 bytes, and the slot's cell in the run queue of each priority
//! 4 more.

use core::{
    mem::{ManuallyDrop, MaybeUninit},
    ptr,
    task::Waker,
};

use crate::{
    error::Panic,
    pool::Raw,
    scope::ScopeState,
    state::{Snapshot, State},
    sync::{AtomicU16, Ordering, UnsafeCell, const_unless_loom},
};

/// The alignment of every slot's payload, in bytes: the most that a job or a result may ask for.
pub const PAYLOAD_ALIGN: usize = 8;

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

/// See [`suspend`](crate::work::suspend).
pub(crate) type Suspend = fn(Raw<'_>, u16, Snapshot);

/// See [`run_chain`](crate::work::run_chain).
pub(crate) type RunChain = unsafe fn(Raw<'_>, u16, u16);

/// What the pool knows of a job's type.
///
/// What only some kinds of job need is reached through here, so that a program has the code of those
/// kinds only that it uses.
pub(crate) struct JobVTable {
    /// One step of the job at this address, which is in this slot of this pool; for a callback, the
    /// slot is that of the job that it looks at. After `Ready` the result is there instead, after a
    /// panic nothing is.
    pub(crate) run: unsafe fn(*mut u8, Raw<'_>, u16) -> Step,
    /// Drops the job at this address.
    pub(crate) drop_job: unsafe fn(*mut u8),
    /// Drops the result at this address, and frees where it was spilled to.
    pub(crate) drop_result: unsafe fn(*mut u8),
    /// Where the result is.
    pub(crate) place: Place,
    /// If the payload begins with a pointer to a scope, with job and result behind it: counts the
    /// job out of that scope.
    pub(crate) leave_scope: Option<unsafe fn(*const ScopeState)>,
    /// For a task: what follows a step after which it is pending.
    pub(crate) suspend: Option<Suspend>,
    /// For a callback: runs the chain that it is the newest of.
    pub(crate) run_chain: Option<RunChain>,
    /// For a remote job: how it leaves the slot as bytes.
    #[cfg(feature = "remote")]
    pub(crate) travel: Option<crate::remote::Travel>,
}

impl JobVTable {
    /// Where in the payload job and result begin.
    #[inline(always)]
    fn offset(&self) -> usize {
        if self.leave_scope.is_some() {
            PAYLOAD_ALIGN
        } else {
            0
        }
    }
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
    /// The first callback's slot plus one. Follows the `CALLBACKS` protocol.
    pub(crate) callbacks: AtomicU16,
    /// The slot's own index, for a task's waker. Written before the slot is used for the first time,
    /// and not again.
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

/// The bytes that hold job and result, aligned as `PAYLOAD_ALIGN` says.
#[repr(C, align(8))]
pub(crate) union Payload<const BYTES: usize> {
    _bytes: [MaybeUninit<u8>; BYTES],
    _panic: ManuallyDrop<Panic>,
}

/// A slot of a pool with `BYTES` bytes for each job.
///
/// On a host it begins a cache line: who works on a job shares no line with who works on the next one.
#[cfg_attr(target_os = "none", repr(C))]
#[cfg_attr(not(target_os = "none"), repr(C, align(64)))]
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

    /// The slot, which has index `index`, is used for the first time.
    pub(crate) fn use_first(self, index: u16) {
        // Relaxed: the state word of its tenant publishes it.
        self.header().index.store(index, Ordering::Relaxed);
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
        let offset = unsafe { self.vtable() }.offset();
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
        let offset = unsafe { self.vtable() }.offset();
        // SAFETY: a scoped job was checked to fit behind its scope's pointer.
        unsafe { self.payload_shared().add(offset) }
    }

    /// The address at the beginning of a scoped job's payload. It is there from submit until the
    /// slot is free, whoever is at work on the rest.
    ///
    /// # Safety
    ///
    /// The slot is occupied by a scoped job.
    pub(crate) unsafe fn scope_address(self) -> *const ScopeState {
        // SAFETY: the caller's promise.
        unsafe {
            self.payload_address()
                .cast_const()
                .cast::<*const ScopeState>()
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
    /// The caller has found the job in the set's list. So it was the set that was taken from the cell,
    /// which stays there as it is, and nobody changes the cell meanwhile.
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
const _: () = assert!(PAYLOAD_OFFSET == 24 && size_of::<crate::queue::Cell>() == 4);
