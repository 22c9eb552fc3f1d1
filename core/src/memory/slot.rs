//! The slot: where a job lives from submit until no party needs it any more.
//!
//! A slot is a header, of the same type in every pool, and a payload of the pool's `BYTES`. The
//! payload holds the job, and later its result in the same bytes. The state word determines the
//! content of the payload and its owner:
//!
//! | state | payload | belongs to |
//! |---|---|---|
//! | free | nothing | the party that takes the slot from the free list |
//! | `QUEUED`, `SUSPENDED` | the job | no party, until `begin` or `claim` |
//! | `BUSY` | the job, nothing, or the result | the worker or canceller |
//! | `DONE`, outcome `Returned` | the result | the handle, or the completer if there is no handle; with `SHARED` and `BUSY`, holders and callbacks look at it |
//! | `DONE`, outcome `Panicked` | a `Panic` | the handle, or the completer if there is no handle |
//! | `DONE`, outcome `Failed` | a `Failure`, which needs no drop | the handle, or the completer if there is no handle |
//! | `DONE`, any other outcome | nothing | |
//! | `DONE` and `BUSY`, taken back | the job | the submitter |
//! | `DONE` and `BUSY`, taken over | nothing, then the new job | the submitter |
//! | `LOST` | the job, nothing, or the result | the worker that was lost |
//!
//! * **The closure of a cancelled job** is dropped by the party that is `BUSY`. For a job that has
//!   not begun, that is the canceller, inside the call of `cancel`. If a worker begins the job after
//!   the pool's end was declared, it is that worker. For a task that is being polled, it is the
//!   task's worker, after the poll. For a job in flight, it is the remote worker. A lost worker drops
//!   its job itself, if it comes back. See [`settle`](crate::engine::settle).
//! * **The slot** is freed by the party that leaves it last: see
//!   [`Slots::leave`](crate::engine::slots::Slots::leave) and
//!   [`Slots::reap`](crate::engine::slots::Slots::reap).
//! * **An interrupt handler** may load any word of the header. Like any other context, it touches
//!   the payload, the vtable and the listener only when the state word makes it their owner.
//!
//! On 32-bit targets the header takes 24 bytes, and the slot's cell in the run queue of each
//! priority 4 more.

use core::{mem::MaybeUninit, ptr};

use crate::{
    lockfree::padding::LineStart,
    lockfree::state::{Snapshot, State},
    lockfree::sync::{AtomicU16, Ordering, UnsafeCell, const_unless_loom},
    memory::listener::{Listener, ListenerCell, Member},
    memory::payload::{LEAST, PAYLOAD_ALIGN},
    memory::pool::Pool,
    memory::scoped::ScopeState,
};

/// The result of one step of a job.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Pending,
    Ready,
}

/// The type of [`suspend`](crate::engine::run::suspend).
pub(crate) type Suspend = for<'p> fn(Pool<'p>, SlotRef<'p>, Snapshot);

/// The type of [`run_chain`](crate::engine::callbacks::run_chain).
pub(crate) type RunChain = for<'p> unsafe fn(Pool<'p>, u16, SlotRef<'p>);

/// The functions for a job's type, which the slot does not know.
///
/// The parts that only some kinds of job need are optional, so that a program has the code only of
/// the kinds that it uses.
pub(crate) struct JobVTable {
    /// Runs one step of the job at this address, in this slot of this pool. For a callback, the
    /// slot is that of the job that has ended. After `Ready` the payload holds the result, and
    /// after a panic it is empty.
    pub(crate) run: for<'p> unsafe fn(*mut u8, Pool<'p>, SlotRef<'p>) -> Step,
    /// Drops the job at this address.
    pub(crate) drop_job: unsafe fn(*mut u8),
    /// Drops the result at this address, and frees the place that it was spilled to.
    pub(crate) drop_result: unsafe fn(*mut u8),
    /// For a spilled result, to which the payload has a pointer: frees its place without dropping
    /// it.
    pub(crate) spilled: Option<unsafe fn(*mut u8)>,
    /// For a scoped job, whose payload ends with a pointer to its scope: counts the job out of the
    /// scope.
    pub(crate) leave_scope: Option<unsafe fn(*const ScopeState)>,
    /// For a task: what the worker does after a step that returned `Pending`.
    pub(crate) suspend: Option<Suspend>,
    /// For a callback: runs the chain whose newest callback it is.
    pub(crate) run_chain: Option<RunChain>,
    /// For a remote job: what its worker needs to send it as bytes.
    #[cfg(feature = "remote")]
    pub(crate) travel: Option<super::travel::Travel>,
}

/// The part of a slot that does not depend on `BYTES`.
#[repr(C)]
pub(crate) struct Header {
    pub(crate) state: State,
    /// The next slot's index plus one: in the free list, in a chain of callbacks, or in a set's
    /// list of completions. Until a set's member is in that list, the number plus one of the set's
    /// place.
    pub(crate) link: AtomicU16,
    /// The first callback's slot plus one. Protected by `CALLBACKS`.
    pub(crate) callbacks: AtomicU16,
    /// The slot's own index. Written once, before the slot is used for the first time.
    index: AtomicU16,
    /// For a task: the slot plus one of the job that it awaits, or `SEVERAL`. For a scoped job: its
    /// scope's tag. 0 for others. It is read by a worker that looks for a circle of waits, and by
    /// one that waits for the scope.
    depends: AtomicU16,
    /// The functions for the job in the payload. Written before the job is queued, constant after.
    vtable: UnsafeCell<MaybeUninit<&'static JobVTable>>,
    /// Protected by `LISTENING`.
    listener: UnsafeCell<MaybeUninit<ListenerCell>>,
    /// Stands for the payload in the model checker. It has no size otherwise.
    payload: UnsafeCell<()>,
}

/// The value of `depends` of a task that awaits several jobs.
const SEVERAL: u16 = u16::MAX;

/// The bytes that hold job and result, aligned to `PAYLOAD_ALIGN`.
#[repr(C, align(8))]
pub(crate) union Payload<const BYTES: usize> {
    _bytes: [MaybeUninit<u8>; BYTES],
    _least: [MaybeUninit<u8>; LEAST],
}

/// A slot of a pool with `BYTES` bytes for each job.
///
/// It begins a cache line, which avoids false sharing between the workers of neighbouring slots.
#[repr(C)]
pub(crate) struct Slot<const BYTES: usize> {
    line: [LineStart; 0],
    header: Header,
    payload: core::cell::UnsafeCell<MaybeUninit<Payload<BYTES>>>,
}

/// The offset of the payload in a slot.
pub(crate) const PAYLOAD_OFFSET: usize = core::mem::offset_of!(Slot<0>, payload);

impl<const BYTES: usize> Slot<BYTES> {
    const_unless_loom! {
        pub(crate) fn new() -> Self {
            assert!(core::mem::offset_of!(Self, payload) == PAYLOAD_OFFSET);
            Self {
                line: [],
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

/// A slot of some pool: its header, and the permission to reach the payload behind it.
#[derive(Clone, Copy)]
pub(crate) struct SlotRef<'p> {
    /// Invariant: valid for 'p, and so are the payload's bytes at `PAYLOAD_OFFSET`.
    header: ptr::NonNull<Header>,
    pool: core::marker::PhantomData<&'p Header>,
}

// SAFETY: what is reachable is shared under the protocols of the modules, which allow any number of
// contexts. Jobs and results are `Send` by the bounds of the submitting methods.
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
        // SAFETY: the type's invariant. The header is only ever shared, and its cells are
        // interiorly mutable.
        unsafe { self.header.as_ref() }
    }

    /// The slot at an address.
    ///
    /// # Safety
    ///
    /// It is the [`address`](Self::address) of a slot that is valid for 'p.
    #[inline(always)]
    pub(crate) unsafe fn at(address: *const ()) -> Self {
        // SAFETY: the address comes from `address` of a valid slot (the caller's promise).
        unsafe { Self::new(ptr::NonNull::new_unchecked(address.cast_mut().cast())) }
    }

    /// The slot's address, which the waker of a task and the handle of a job carry.
    #[inline(always)]
    pub(crate) fn address(self) -> *const () {
        self.header.as_ptr().cast_const().cast()
    }

    /// The link, for the lists of the pool.
    #[inline(always)]
    pub(crate) fn link(self) -> &'p AtomicU16 {
        &self.header().link
    }

    /// Stores the index of a slot that is used for the first time.
    pub(crate) fn use_first(self, index: u16) {
        // Relaxed: the state word of the slot's first tenant publishes it.
        self.header().index.store(index, Ordering::Relaxed);
    }

    /// The index of a slot that is or was in use.
    #[inline(always)]
    pub(crate) fn index(self) -> u16 {
        // Relaxed: it was written before the state word of the slot's first tenant was published.
        self.header().index.load(Ordering::Relaxed)
    }

    /// Sets `depends` for the slot's next tenant, before the tenant is published.
    pub(crate) fn set_depends(self, depends: u16) {
        // Relaxed, here and below: `engine::circle` combines it with other words of the tenant. It
        // believes the result only after it has checked the workers' own words.
        self.header().depends.store(depends, Ordering::Relaxed);
    }

    /// Notes that the task in this slot awaits the job in another.
    pub(crate) fn set_awaits(self, slot: u16, is_over: impl FnOnce(u16) -> bool) {
        let depends = &self.header().depends;
        let now = depends.load(Ordering::Relaxed);
        let awaits = match now.checked_sub(1) {
            Some(before) if now == SEVERAL || before != slot && !is_over(before) => SEVERAL,
            _ => slot + 1,
        };
        if awaits != now {
            // Release: pairs with the Acquire of `awaits`. It publishes that the task is being
            // polled.
            depends.store(awaits, Ordering::Release);
        }
    }

    /// The slot of the job that the task in this slot awaits, if it awaits a single job.
    pub(crate) fn awaits(self) -> Option<u16> {
        // Acquire: pairs with the Release of `set_awaits`. A later load of the state word sees that
        // poll.
        let depends = self.header().depends.load(Ordering::Acquire);
        depends.checked_sub(1).filter(|_| depends != SEVERAL)
    }

    /// The tag of the scope of the job in this slot, or 0.
    pub(crate) fn scope_tag(self) -> u16 {
        self.header().depends.load(Ordering::Relaxed)
    }

    /// The number of the waiter's place to which this slot's job reports as a member of a set. The
    /// job has not ended yet.
    pub(crate) fn reports_to(self) -> Option<u16> {
        // Acquire: pairs with the Release of `push_completed` (`engine/waiters.rs`). A caller that
        // reads the link of a list of completions here sees the job's end from then on.
        self.header().link.load(Ordering::Acquire).checked_sub(1)
    }

    /// The address of the payload, for its owner to write to.
    #[inline(always)]
    pub(crate) fn payload(self) -> *mut u8 {
        self.header().payload.with_mut(|_| ());
        self.payload_address()
    }

    /// The address of the payload, for reading.
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

    /// The place of a scope's address: the last bytes of a payload.
    ///
    /// # Safety
    ///
    /// The pool's payloads have `bytes` bytes, which are PAYLOAD_ALIGN or more.
    unsafe fn scope_place(self, bytes: usize) -> *mut *const ScopeState {
        // SAFETY: the caller's promise.
        unsafe { self.payload_address().add(bytes - PAYLOAD_ALIGN).cast() }
    }

    /// Writes the scope's address. It stays there from submit until the slot is free.
    ///
    /// # Safety
    ///
    /// The caller owns the slot alone. The pool's payloads have `bytes` bytes, and the job leaves
    /// the last PAYLOAD_ALIGN of them free.
    pub(crate) unsafe fn set_scope_address(self, bytes: usize, scope: *const ScopeState) {
        // SAFETY: the caller's promise.
        unsafe { self.scope_place(bytes).write(scope) }
    }

    /// The scope's address.
    ///
    /// # Safety
    ///
    /// The slot is occupied by a scoped job. The pool's payloads have `bytes` bytes.
    pub(crate) unsafe fn scope_address(self, bytes: usize) -> *const ScopeState {
        // SAFETY: the caller's promise.
        unsafe { self.scope_place(bytes).read() }
    }

    /// Sets the functions for the job in the payload.
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

    /// The functions for the job in the payload.
    ///
    /// # Safety
    ///
    /// The slot is occupied, and the caller is one of the parties that keep it so.
    #[inline(always)]
    pub(crate) unsafe fn vtable(self) -> &'static JobVTable {
        self.header().vtable.with(|cell| {
            // SAFETY: written before the slot became visible to another party. It is written again
            // only after the slot is free or taken over, which the caller prevents.
            unsafe { (*cell).assume_init() }
        })
    }

    /// Writes the listener for the completer. The old content of the cell is not dropped.
    ///
    /// # Safety
    ///
    /// The cell belongs to the caller, by the rules of `LISTENING`.
    pub(crate) unsafe fn put_listener(self, listener: Listener) {
        let place = match &listener {
            Listener::Task(_) => 0,
            Listener::Set(member, _) => member.waiter + 1,
        };
        // Relaxed: as in `set_depends`. The completer writes the link only after it has taken the
        // listener.
        self.header().link.store(place, Ordering::Relaxed);
        self.header().listener.with_mut(|cell| {
            // SAFETY: the caller's promise.
            unsafe { (*cell).write(ListenerCell::of(listener)) };
        });
    }

    /// A copy of the content of the cell, if it has any.
    ///
    /// # Safety
    ///
    /// No other party writes the cell meanwhile: the caller is the handle, has set TELLING, or is BUSY
    /// with a job whose handle is shared.
    pub(crate) unsafe fn listener(self) -> MaybeUninit<ListenerCell> {
        // SAFETY: the caller's promise.
        self.header().listener.with(|cell| unsafe { *cell })
    }

    /// The set that the future reports to, if there is one.
    ///
    /// # Safety
    ///
    /// The caller has found the job in the set's list. So the completer has taken that set from the
    /// cell, and the content stays as it is.
    pub(crate) unsafe fn member(self) -> Option<Member> {
        // SAFETY: the caller's promise.
        let (member, _) = unsafe { self.listener().assume_init() }.member()?;
        Some(member)
    }

    /// Takes the listener out of the cell.
    ///
    /// # Safety
    ///
    /// The cell belongs to the caller by the rules of `LISTENING`, and nothing was taken since the
    /// last `put_listener`.
    pub(crate) unsafe fn take_listener(self) -> Listener {
        // SAFETY: the caller's promise.
        unsafe { self.listener().assume_init().take() }
    }
}

/// The sizes in the module's documentation are right.
#[cfg(all(target_pointer_width = "32", not(loom)))]
const _: () = assert!(PAYLOAD_OFFSET == 24 && size_of::<crate::lockfree::queue::QueueCell>() == 4);
