//! The slot: where a work item lives from submit until nobody needs it any more.
//!
//! A slot is a header, of the same type in every pool, and a payload of the pool's `BYTES`. The
//! payload holds the job, then its result in the same bytes. What is in it at any time, and who may
//! touch it, follows from the state word:
//!
//! | state | payload | belongs to |
//! |---|---|---|
//! | free | nothing | the party that takes the slot from the free list |
//! | `QUEUED`, `SUSPENDED` | the job | nobody, until `begin` or `claim` |
//! | `BUSY` | the job, nothing, or the result | the worker or canceller |
//! | `DONE`, outcome `Returned` | the result | the handle, or the completer if there is none |
//! | `DONE`, outcome `Panicked` | a `Panic` | likewise |
//! | `DONE`, outcome `Failed` | a `Failure`, which needs no drop | likewise |
//! | `DONE`, any other | nothing | |
//! | `DONE` and `BUSY`, taken back | the job | the submitter |
//! | `DONE` and `BUSY`, taken over | nothing, then the new job | the submitter |
//! | `LOST` | the job, nothing, or the result | the worker that was lost |
//!
//! On 32-bit targets the header takes 24 bytes, and the slot's cell in the run queue of each priority
//! 4 more.

use core::{mem::MaybeUninit, ptr};

use crate::{
    lockfree::state::{Snapshot, State},
    lockfree::sync::{AtomicU16, Ordering, UnsafeCell, const_unless_loom},
    memory::listener::{Listener, ListenerCell, Member},
    memory::payload::{LEAST, PAYLOAD_ALIGN},
    memory::pool::Pool,
    memory::scoped::ScopeState,
};

/// Whether a job has ended with this step.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Pending,
    Ready,
}

/// See [`suspend`](crate::engine::run::suspend).
pub(crate) type Suspend = for<'p> fn(Pool<'p>, SlotRef<'p>, Snapshot);

/// See [`run_chain`](crate::engine::callbacks::run_chain).
pub(crate) type RunChain = for<'p> unsafe fn(Pool<'p>, u16, SlotRef<'p>);

/// What the pool knows of a job's type.
///
/// What only some kinds of job need is reached through here, so that a program has the code of those
/// kinds only that it uses.
pub(crate) struct JobVTable {
    /// One step of the job at this address, which is in this slot of this pool; for a callback, the
    /// slot is that of the job that it looks at. After `Ready` the result is there instead, after a
    /// panic nothing is.
    pub(crate) run: for<'p> unsafe fn(*mut u8, Pool<'p>, SlotRef<'p>) -> Step,
    /// Drops the job at this address.
    pub(crate) drop_job: unsafe fn(*mut u8),
    /// Drops the result at this address, and frees where it was spilled to.
    pub(crate) drop_result: unsafe fn(*mut u8),
    /// If the payload holds a pointer to the result: frees what it points to, without dropping.
    pub(crate) spilled: Option<unsafe fn(*mut u8)>,
    /// If the payload ends with a pointer to a scope: counts the job out of that scope.
    pub(crate) leave_scope: Option<unsafe fn(*const ScopeState)>,
    /// For a task: what follows a step after which it is pending.
    pub(crate) suspend: Option<Suspend>,
    /// For a callback: runs the chain that it is the newest of.
    pub(crate) run_chain: Option<RunChain>,
    /// For a remote job: how it leaves the slot as bytes.
    #[cfg(feature = "remote")]
    pub(crate) travel: Option<super::travel::Travel>,
}

/// The part of a slot that does not depend on `BYTES`.
#[repr(C)]
pub(crate) struct Header {
    pub(crate) state: State,
    /// The next slot's index plus one: in the free list while free, in a chain of callbacks, or in
    /// a set's list of completions. Before that, of a set's member: the number plus one of the set's place.
    pub(crate) link: AtomicU16,
    /// The first callback's slot plus one. Follows the `CALLBACKS` protocol.
    pub(crate) callbacks: AtomicU16,
    /// The slot's own index. Written before the slot is used for the first time, and not again.
    index: AtomicU16,
    /// A task has here the slot plus one of the job that it awaits, or `SEVERAL`; a scoped job has its scope's tag;
    /// 0 if there is none. For who looks for circles, and who waits for the scope.
    depends: AtomicU16,
    /// What kind of job the payload holds. Written before the job is queued, constant after.
    vtable: UnsafeCell<MaybeUninit<&'static JobVTable>>,
    /// Follows the `LISTENING` protocol.
    listener: UnsafeCell<MaybeUninit<ListenerCell>>,
    /// Stands for the payload in the eyes of the model checker; of no size otherwise.
    payload: UnsafeCell<()>,
}

/// A task awaits more than one job.
const SEVERAL: u16 = u16::MAX;

/// The bytes that hold job and result, aligned as `PAYLOAD_ALIGN` says.
#[repr(C, align(8))]
pub(crate) union Payload<const BYTES: usize> {
    _bytes: [MaybeUninit<u8>; BYTES],
    _least: [MaybeUninit<u8>; LEAST],
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
                    depends: AtomicU16::new(0),
                    vtable: UnsafeCell::new(MaybeUninit::uninit()),
                    listener: UnsafeCell::new(MaybeUninit::uninit()),
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

// SAFETY: what is reachable is shared under the protocols of the modules, which are made for any number
// of contexts; jobs and results are `Send` by the bounds of the submitting methods.
unsafe impl Send for SlotRef<'_> {}
// SAFETY: as above.
unsafe impl Sync for SlotRef<'_> {}

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

    /// The slot at an address.
    ///
    /// # Safety
    ///
    /// It is the [`address`](Self::address) of a slot that is valid for 'p.
    #[inline(always)]
    pub(crate) unsafe fn at(address: *const ()) -> Self {
        // SAFETY: the caller's promise: it comes from such a pointer.
        unsafe { Self::new(ptr::NonNull::new_unchecked(address.cast_mut().cast())) }
    }

    /// Its address, as the waker of a task and the handle of a job carry it.
    #[inline(always)]
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

    /// The slot's index. It is in use, or was.
    #[inline(always)]
    pub(crate) fn index(self) -> u16 {
        // Relaxed: it was written before the slot had its first tenant, whose state was published.
        self.header().index.load(Ordering::Relaxed)
    }

    /// Says on whom the slot's next tenant depends, or who on it. Before it is published.
    pub(crate) fn set_depends(self, depends: u16) {
        // Relaxed, here and below: with other words of the tenant's it makes a picture that is held against the
        // workers' own words before anybody believes it.
        self.header().depends.store(depends, Ordering::Relaxed);
    }

    /// The task in this slot awaits the job in another.
    pub(crate) fn set_awaits(self, slot: u16, is_over: impl FnOnce(u16) -> bool) {
        let depends = &self.header().depends;
        let now = depends.load(Ordering::Relaxed);
        let awaits = match now.checked_sub(1) {
            Some(before) if now == SEVERAL || before != slot && !is_over(before) => SEVERAL,
            _ => slot + 1,
        };
        if awaits != now {
            // Release: pairs with the Acquire of `awaits`; the task is being polled.
            depends.store(awaits, Ordering::Release);
        }
    }

    /// The slot of the job that the task in this slot awaits, if it is one.
    pub(crate) fn awaits(self) -> Option<u16> {
        // Acquire: pairs with the Release of `set_awaits`. A later look at the state sees that poll.
        let depends = self.header().depends.load(Ordering::Acquire);
        depends.checked_sub(1).filter(|_| depends != SEVERAL)
    }

    /// The tag of the scope of the job in this slot, if it has one.
    pub(crate) fn scope_tag(self) -> u16 {
        self.header().depends.load(Ordering::Relaxed)
    }

    /// The number of the place to which the set reports of which this slot's job, which waits to end, is a
    /// member.
    pub(crate) fn reports_to(self) -> Option<u16> {
        // Acquire: pairs with the Release in `push_completed`. Who finds that the link is a list's by now sees
        // from then on that the job has ended.
        self.header().link.load(Ordering::Acquire).checked_sub(1)
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

    /// The address at the end of a scoped job's payload, which has so many bytes. It is there from
    /// submit until the slot is free, whoever is at work on the rest.
    ///
    /// # Safety
    ///
    /// The slot is occupied by a scoped job.
    pub(crate) unsafe fn scope_address(self, bytes: usize) -> *const ScopeState {
        // SAFETY: the caller's promise.
        unsafe {
            self.payload_address()
                .add(bytes - PAYLOAD_ALIGN)
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
            // until it is free or taken over, which the caller prevents.
            unsafe { (*cell).assume_init() }
        })
    }

    /// Replaces what the handle leaves for the completer. What was there is not dropped.
    ///
    /// # Safety
    ///
    /// The cell belongs to the caller by the `LISTENING` protocol.
    pub(crate) unsafe fn put_listener(self, listener: Listener) {
        let place = match &listener {
            Listener::Task(_) => 0,
            Listener::Set(member, _) => member.waiter + 1,
        };
        // Relaxed: as in `set_depends`. The completer writes the link only after it has taken the waiter.
        self.header().link.store(place, Ordering::Relaxed);
        self.header().listener.with_mut(|cell| {
            // SAFETY: the caller's promise.
            unsafe { (*cell).write(ListenerCell::of(listener)) };
        });
    }

    /// A copy of what is in the cell, if anything is.
    ///
    /// # Safety
    ///
    /// Nobody writes the cell meanwhile: the caller is the handle, or TELLING is the caller's.
    pub(crate) unsafe fn listener(self) -> MaybeUninit<ListenerCell> {
        // SAFETY: the caller's promise.
        self.header().listener.with(|cell| unsafe { *cell })
    }

    /// The set that the future reports to, if it does.
    ///
    /// # Safety
    ///
    /// The caller has found the job in the set's list. So it was the set that was taken from the cell,
    /// which stays there as it is, and nobody changes the cell meanwhile.
    pub(crate) unsafe fn member(self) -> Option<Member> {
        // SAFETY: the caller's promise.
        let (member, _) = unsafe { self.listener().assume_init() }.member()?;
        Some(member)
    }

    /// Takes what was left in the cell.
    ///
    /// # Safety
    ///
    /// The cell belongs to the caller by the `LISTENING` protocol, and nothing was taken since the
    /// last `put_listener`.
    pub(crate) unsafe fn take_listener(self) -> Listener {
        // SAFETY: the caller's promise.
        unsafe { self.listener().assume_init().take() }
    }
}

/// What the module's documentation says of RAM holds.
#[cfg(all(target_pointer_width = "32", not(loom)))]
const _: () = assert!(PAYLOAD_OFFSET == 24 && size_of::<crate::lockfree::queue::QueueCell>() == 4);
