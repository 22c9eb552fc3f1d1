//! The pool without all that it does beyond handing jobs over: the core's own free list,
//! run queue and state word, compiled once more, around slots that hold a closure of any type.
//!
//! No handle, no cancel, callbacks, waiters, wake-up, panics, shutdown or errors; and every size is known
//! at build time. A pool with these lists does everything else on top of this.
//!
//! [`Promises`] is the same with what the pool's promises ask of each job: to look whether there is anything
//! to do for them. Nothing is ever to be done, and what would be is not there.

#[path = "../../../../core/src/lockfree/mod.rs"]
#[allow(dead_code, unused_imports, unused_macros, reason = "the core uses more of it")]
#[rustfmt::skip] // It would look for the modules' tests beside them.
pub(crate) mod lockfree;

use std::{hint::black_box, marker::PhantomData, mem::MaybeUninit};

use crate::limits::{Payload, run};
use lockfree::{
    free_list::{FreeList, FreeWords},
    queue::{Lane, Queue, QueueCell, Words},
    state::{Begin, HANDLE, Outcome, QUEUED, State},
    sync::{AtomicU16, AtomicU32, AtomicUsize, Ordering, UnsafeCell, fence},
};

/// As many as the pools have that it is compared with.
const SLOTS: usize = 16;

const FREE_WORDS: FreeWords = FreeWords::for_slots(SLOTS);
const CELL_WORDS: Words = Queue::words(SLOTS);

/// A slot's knowledge of its job's type.
trait Kind: Copy {
    /// That of an `F`.
    fn of<F: FnOnce() -> u64>() -> Self;
}

/// How to run it.
type Run = unsafe fn(*mut Payload);

impl Kind for Run {
    #[inline]
    fn of<F: FnOnce() -> u64>() -> Self {
        run::<F>
    }
}

/// The lists, and the slots that they are about.
struct Lists<K> {
    free: FreeList,
    lane: Lane,
    cells: [QueueCell; SLOTS],
    slots: [Slot<K>; SLOTS],
}

/// Begins a cache line, as a pool's does.
#[repr(align(64))]
struct Slot<K> {
    state: State,
    link: AtomicU16,
    kind: UnsafeCell<MaybeUninit<K>>,
    /// The job, then its result in the same bytes.
    payload: UnsafeCell<Payload>,
}

impl<K> Slot<K> {
    const fn new() -> Self {
        Self {
            state: State::new(),
            link: AtomicU16::new(0),
            kind: UnsafeCell::new(MaybeUninit::uninit()),
            payload: UnsafeCell::new([MaybeUninit::uninit(); 8]),
        }
    }
}

impl<K> Default for Lists<K> {
    fn default() -> Self {
        Self {
            free: FreeList::new(),
            lane: Lane::new(),
            cells: [const { QueueCell::new() }; SLOTS],
            slots: [const { Slot::new() }; SLOTS],
        }
    }
}

impl<K: Kind> Lists<K> {
    /// Slot `index`, which comes from the lists.
    #[inline]
    fn slot(&self, index: u16) -> &Slot<K> {
        // SAFETY: the lists have no index that is not below `SLOTS`.
        unsafe { self.slots.get_unchecked(usize::from(index)) }
    }

    #[inline]
    fn queue(&self) -> Queue<'_> {
        Queue::new(&self.lane, &self.cells, CELL_WORDS)
    }

    /// Queues a job; returns its slot. `None` if there is no free one.
    #[inline]
    fn submit<F: FnOnce() -> u64 + Send + 'static>(&self, job: F) -> Option<u16> {
        const { assert!(size_of::<F>() <= size_of::<Payload>() && align_of::<F>() <= 8) };
        let index = self
            .free
            .pop(&FREE_WORDS, |index| &self.slot(index).link)
            .or_else(|| self.free.pop_fresh(&FREE_WORDS))?;
        let slot = self.slot(index);
        // SAFETY: the free list gave the slot to this call alone.
        slot.kind
            .with_mut(|place| unsafe { (*place).write(K::of::<F>()) });
        // SAFETY: as above; the job fits.
        slot.payload
            .with_mut(|payload| unsafe { payload.cast::<F>().write(job) });
        slot.state.occupy(0, QUEUED | HANDLE);
        self.queue().push(index);
        Some(index)
    }

    /// The slot of the job that was queued first, which the caller is to run. `None` if there is none.
    #[inline]
    fn begin(&self) -> Option<&Slot<K>> {
        let slot = self.slot(self.queue().pop_if(|_| true)?);
        // `None` if somebody has ended the job, which nobody does here.
        matches!(slot.state.begin(0), Begin::Begun(_)).then_some(slot)
    }

    /// Whether the job is in the slot, which `index` says, has ended.
    #[inline]
    fn ended(&self, index: u16) -> Option<Outcome> {
        let state = self.slot(index).state.load();
        state.is_ready().then(|| state.outcome())
    }

    /// Gives the slot of a job back that has ended; returns its result, and whether anybody waits for room.
    #[inline]
    fn take(&self, index: u16) -> (u64, bool) {
        let slot = self.slot(index);
        // SAFETY: it has ended, so the payload is the submitter's, and holds what `run` wrote.
        let result = slot
            .payload
            .with(|payload| unsafe { payload.cast::<u64>().read() });
        (result, self.free.push(&FREE_WORDS, index, &slot.link))
    }
}

impl<K: Kind> Slot<K> {
    /// The kind of the job in the slot, which is not free.
    #[inline]
    fn kind(&self) -> K {
        // SAFETY: written by who submitted the job, and not again before the slot is free.
        self.kind.with(|place| unsafe { (*place).assume_init() })
    }
}

/// The lists and nothing else.
#[derive(Default)]
pub struct Alone(Lists<Run>);

impl Alone {
    /// A job's way through the lists, without another thread.
    #[inline]
    pub fn inline(&self, job: impl FnOnce() -> u64 + Send + 'static) -> u64 {
        let lists = &self.0;
        let index = lists.submit(job).expect("there is room");
        if let Some(slot) = lists.begin() {
            // SAFETY: `begin` gave the payload to this call alone, with a job of this kind in it.
            slot.payload
                .with_mut(|payload| unsafe { slot.kind()(payload) });
            // Says whether there is nobody to tell, which there is not here.
            let _ = slot.state.publish(Outcome::Returned);
        }
        lists.ended(index).expect("the job has run");
        let (result, _) = lists.take(index);
        result
    }
}

/// The functions in a slot of a pool that takes more than closures: see the core's `JobVTable`.
struct Table {
    run: unsafe fn(*mut Payload) -> Step,
    /// How to free the place of a result that did not fit the slot.
    spilled: Option<unsafe fn(*mut Payload)>,
}

/// Whether a job has ended: a task may wait for something.
#[derive(PartialEq)]
enum Step {
    #[expect(dead_code, reason = "closures do not wait")]
    Pending,
    Ready,
}

struct TableOf<F>(PhantomData<F>);

impl<F: FnOnce() -> u64> TableOf<F> {
    const TABLE: Table = Table {
        run: Self::run,
        spilled: None,
    };

    /// # Safety
    ///
    /// The payload is the caller's and holds an `F`.
    unsafe fn run(payload: *mut Payload) -> Step {
        // SAFETY: the caller's promise.
        unsafe { run::<F>(payload) };
        Step::Ready
    }
}

impl Kind for &'static Table {
    #[inline]
    fn of<F: FnOnce() -> u64>() -> Self {
        const { &TableOf::<F>::TABLE }
    }
}

/// The pool takes no more jobs.
const CLOSED: u32 = 1 << 0;
/// Jobs that have not begun end as they are.
const ENDING: u32 = 1 << 1;
/// There is a port: it starts threads where no worker is idle, gives who runs jobs a worker's place, and
/// catches panics.
const PORT: u32 = 1 << 2;

/// The lists, with what the pool's promises ask of each job.
#[derive(Default)]
pub struct Promises {
    lists: Lists<&'static Table>,
    /// `CLOSED`, `ENDING`, `PORT`.
    phase: AtomicU32,
    /// Which workers are idle.
    idle: AtomicUsize,
    /// Callers that run jobs, for whom a shutdown waits.
    callers: AtomicU32,
}

/// A job that was submitted: what is dropped with its result still in the slot lets go of the slot.
struct Handle<'p> {
    pool: &'p Promises,
    index: u16,
    taken: bool,
}

/// Stands for what is to be done where a promise asks for more than to look.
#[cold]
#[inline(never)]
fn do_more() {
    black_box(());
}

impl Promises {
    #[inline]
    fn has(&self, phases: u32) -> bool {
        self.phase.load(Ordering::Relaxed) & phases != 0
    }

    #[inline]
    fn submit(&self, job: impl FnOnce() -> u64 + Send + 'static) -> Option<Handle<'_>> {
        // A pool that was shut down takes no job.
        if self.has(CLOSED) {
            return None;
        }
        let index = self.lists.submit(job)?;
        // A worker that goes to sleep sees the job, or is seen here.
        fence(Ordering::SeqCst);
        let phase = self.phase.load(Ordering::Relaxed);
        if self.idle.load(Ordering::Relaxed) != 0 || phase & PORT != 0 {
            do_more();
        }
        // So is a shutdown that came in between.
        if phase & CLOSED != 0 {
            do_more();
        }
        Some(Handle {
            pool: self,
            index,
            taken: false,
        })
    }

    /// Runs jobs, at most `max`; returns how many there were.
    #[inline]
    fn run_pending(&self, max: usize) -> usize {
        if self.has(PORT) {
            do_more();
        }
        // A shutdown waits for who runs jobs.
        self.callers.fetch_add(1, Ordering::Relaxed);
        let mut count = 0;
        while count < max
            && let Some(slot) = self.lists.begin()
        {
            self.run(slot);
            count += 1;
        }
        self.callers.fetch_sub(1, Ordering::Relaxed);
        // A shutdown that waits sees that the caller has left, or is seen here.
        fence(Ordering::SeqCst);
        if self.has(CLOSED) {
            do_more();
        }
        count
    }

    /// Runs the job that `begin` gave to the caller.
    #[inline]
    fn run(&self, slot: &Slot<&'static Table>) {
        if self.has(ENDING) {
            do_more();
        }
        if self.has(PORT) {
            do_more();
        }
        // SAFETY: `begin` gave the payload to the caller alone, with a job of this kind in it.
        let step = slot
            .payload
            .with_mut(|payload| unsafe { (slot.kind().run)(payload) });
        // False: for waiters, callbacks, a scope, or nobody.
        if step != Step::Ready || !slot.state.publish(Outcome::Returned) {
            do_more();
        }
    }

    /// A job's way through the lists, without another thread.
    #[inline]
    pub fn inline(&self, job: impl FnOnce() -> u64 + Send + 'static) -> u64 {
        let mut handle = self.submit(job).expect("there is room");
        self.run_pending(1);
        handle.result().expect("the job has run")
    }
}

impl Handle<'_> {
    /// `None` if the job has not ended with a result, or it was taken.
    #[inline]
    fn result(&mut self) -> Option<u64> {
        let lists = &self.pool.lists;
        if self.taken || lists.ended(self.index)? != Outcome::Returned {
            return None;
        }
        self.taken = true;
        if lists.slot(self.index).kind().spilled.is_some() {
            do_more();
        }
        let (result, is_waited_for) = lists.take(self.index);
        if is_waited_for {
            do_more();
        }
        Some(result)
    }
}

impl Drop for Handle<'_> {
    #[inline]
    fn drop(&mut self) {
        if !self.taken {
            do_more();
        }
    }
}
