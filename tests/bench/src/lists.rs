//! What is left of the pool without all that it does beyond handing jobs over: the core's own free list,
//! run queue and state word, compiled once more, around slots that hold a closure of any type.
//!
//! No handle, no cancel, callbacks, waiters, wake-up, panics, shutdown or errors; and every size is known
//! at build time. What a pool with these lists does, it does beyond this.
//!
//! [`Promises`] is the same with what the pool's promises ask of each job: to look whether there is anything
//! to do for them. Nothing is ever to be done, and what would be is not there.

#[path = "../../../core/src/free_list.rs"]
#[expect(dead_code, reason = "a pool also counts free slots, and waits for one")]
mod free_list;
#[path = "../../../core/src/queue.rs"]
#[expect(dead_code, reason = "a pool also asks whether anything is queued")]
mod queue;
#[path = "../../../core/src/state.rs"]
#[expect(dead_code, reason = "a pool's jobs have more ends, and more parties")]
#[rustfmt::skip] // It would look for the module's tests beside it.
mod state;
#[path = "../../../core/src/sync.rs"]
#[expect(unused_imports, unused_macros, reason = "the core uses more of it")]
#[rustfmt::skip] // It would look for what is there for loom beside it.
pub(crate) mod sync;
#[path = "../../../core/src/tagged.rs"]
pub(crate) mod tagged;

use std::{hint::black_box, mem::MaybeUninit};

use crate::limits::{Payload, run};
use free_list::{FreeList, FreeWords};
use queue::{Cell, Lane, Queue};
use state::{HANDLE, Outcome, QUEUED, State};
use sync::{AtomicU16, AtomicU32, AtomicUsize, Ordering, UnsafeCell, fence};
use tagged::Tagged;

/// As many as the pools have that it is compared with.
const SLOTS: usize = 16;

const FREE_WORDS: FreeWords = FreeWords::for_slots(SLOTS);
const CELL_WORDS: Tagged = Queue::words(SLOTS);

/// The lists, and the slots that they are about.
pub struct Lists {
    free: FreeList,
    lane: Lane,
    cells: [Cell; SLOTS],
    slots: [Slot; SLOTS],
}

/// Begins a cache line, as a pool's does.
#[repr(align(64))]
struct Slot {
    state: State,
    link: AtomicU16,
    run: UnsafeCell<unsafe fn(*mut Payload)>,
    /// The job, then its result in the same bytes.
    payload: UnsafeCell<Payload>,
}

impl Slot {
    const fn new() -> Self {
        Self {
            state: State::new(),
            link: AtomicU16::new(0),
            run: UnsafeCell::new(run::<fn() -> u64>),
            payload: UnsafeCell::new([MaybeUninit::uninit(); 8]),
        }
    }
}

impl Default for Lists {
    fn default() -> Self {
        Self {
            free: FreeList::new(),
            lane: Lane::new(),
            cells: [const { Cell::new() }; SLOTS],
            slots: [const { Slot::new() }; SLOTS],
        }
    }
}

impl Lists {
    /// Slot `index`, which comes from the lists.
    #[inline]
    fn slot(&self, index: u16) -> &Slot {
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
        // SAFETY: the free list gave the slot to this call alone; the job fits.
        slot.run.with_mut(|place| unsafe { place.write(run::<F>) });
        // SAFETY: as above.
        slot.payload
            .with_mut(|payload| unsafe { payload.cast::<F>().write(job) });
        slot.state.occupy(0, QUEUED | HANDLE);
        self.queue().push(index);
        Some(index)
    }

    /// The slot of the job that was queued first, which the caller is to run. `None` if there is none.
    #[inline]
    fn begin(&self) -> Option<&Slot> {
        let slot = self.slot(self.queue().pop_if(|_| true)?);
        // `None` if somebody has ended the job, which nobody does here.
        slot.state.begin(0).map(|_| slot)
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

    /// A job's way through the lists, without another thread.
    #[inline]
    pub fn inline(&self, job: impl FnOnce() -> u64 + Send + 'static) -> u64 {
        let index = self.submit(job).expect("there is room");
        if let Some(slot) = self.begin() {
            // Says whether there is nobody to tell, which there is not here.
            let _ = slot.run();
        }
        self.ended(index).expect("the job has run");
        let (result, _) = self.take(index);
        result
    }
}

impl Slot {
    /// Runs the job that `begin` gave to the caller. False if there is somebody to tell of its end.
    #[inline]
    fn run(&self) -> bool {
        // SAFETY: `begin` gave the cells to the caller alone, with a job and its function in them.
        let run = self.run.with(|place| unsafe { *place });
        // SAFETY: as above.
        self.payload.with_mut(|payload| unsafe { run(payload) });
        self.state.publish(Outcome::Returned)
    }
}

/// The pool takes no more jobs.
const CLOSED: u32 = 1 << 0;
/// Jobs that have not begun end as they are.
const ENDING: u32 = 1 << 1;
/// There is somebody who catches panics.
const CATCHES: u32 = 1 << 2;

/// The lists, with what the pool's promises ask of each job.
#[derive(Default)]
pub struct Promises {
    lists: Lists,
    /// `CLOSED`, `ENDING`, `CATCHES`.
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
        if self.idle.load(Ordering::Relaxed) != 0 {
            do_more();
        }
        // So is a shutdown that came in between.
        if self.has(CLOSED) {
            do_more();
        }
        Some(Handle {
            pool: self,
            index,
            taken: false,
        })
    }

    #[inline]
    fn run_pending(&self) {
        // A shutdown waits for who runs jobs.
        self.callers.fetch_add(1, Ordering::Relaxed);
        if let Some(slot) = self.lists.begin() {
            if self.has(ENDING) {
                do_more();
            }
            if self.has(CATCHES) {
                do_more();
            }
            // False: for waiters, callbacks, a scope, or nobody.
            if !slot.run() {
                do_more();
            }
        }
        self.callers.fetch_sub(1, Ordering::Relaxed);
        // A shutdown that waits sees that the caller has left, or is seen here.
        fence(Ordering::SeqCst);
        if self.has(CLOSED) {
            do_more();
        }
    }

    /// A job's way through the lists, without another thread.
    #[inline]
    pub fn inline(&self, job: impl FnOnce() -> u64 + Send + 'static) -> u64 {
        let mut handle = self.submit(job).expect("there is room");
        self.run_pending();
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
