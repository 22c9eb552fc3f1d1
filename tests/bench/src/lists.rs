//! What is left of the pool without all that it does beyond handing jobs over: the core's own free list,
//! run queue and state word, compiled once more, around slots that hold a closure of any type.
//!
//! No handle, no cancel, callbacks, waiters, wake-up, panics, shutdown or errors; and every size is known
//! at build time. What a pool with these lists does, it does beyond this.

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

use std::mem::MaybeUninit;

use crate::limits::{Payload, run};
use free_list::{FreeList, FreeWords};
use queue::{Cell, Lane, Queue};
use state::{HANDLE, Outcome, QUEUED, State};
use sync::{AtomicU16, UnsafeCell};
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

    /// Runs the job that was queued first.
    #[inline]
    fn run(&self) {
        let Some(index) = self.queue().pop_if(|_| true) else {
            return;
        };
        let slot = self.slot(index);
        if slot.state.begin(0).is_none() {
            // Somebody has ended the job, which nobody does here.
            return;
        }
        // SAFETY: `begin` gave the cells to this call alone, with a job and its function in them.
        let run = slot.run.with(|place| unsafe { *place });
        // SAFETY: as above.
        slot.payload.with_mut(|payload| unsafe { run(payload) });
        // False if there is somebody to tell, which there is not here.
        let _ = slot.state.publish(Outcome::Returned);
    }

    /// Takes the result of the job in slot `index`, which the caller submitted, and gives the slot back.
    /// `None` if the job has not run.
    #[inline]
    fn result(&self, index: u16) -> Option<u64> {
        let slot = self.slot(index);
        if !slot.state.load().is_ready() {
            return None;
        }
        // SAFETY: ready, so the payload is the submitter's, and holds what `run` wrote.
        let result = slot
            .payload
            .with(|payload| unsafe { payload.cast::<u64>().read() });
        // Says whether anybody waits for the slot, which nobody does here.
        let _ = self.free.push(&FREE_WORDS, index, &slot.link);
        Some(result)
    }

    /// A job's way through the lists, without another thread.
    #[inline]
    pub fn inline(&self, job: impl FnOnce() -> u64 + Send + 'static) -> u64 {
        let index = self.submit(job).expect("there is room");
        self.run();
        self.result(index).expect("the job has run")
    }
}
