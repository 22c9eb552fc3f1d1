//! The application on a pool's lists alone: the core's own free list, run queue and state word,
//! compiled once more, around slots that hold a function and its argument.
//!
//! All that a pool does beyond handing work over is missing, and every size is known at build time.
#![no_std]
#![no_main]

#[path = "../../../../../core/src/lockfree/mod.rs"]
#[allow(dead_code, unused_imports, unused_macros, reason = "the core uses more of it")]
#[rustfmt::skip] // It would look for the modules' tests beside them.
mod lockfree;

use size::{HandOver, SLOTS, application, entry, other_work, work};

use lockfree::{
    free_list::{FreeList, FreeWords},
    queue::{Lane, Queue, QueueCell, Words},
    state::{Begin, HANDLE, Outcome, QUEUED, State},
    sync::{AtomicU16, UnsafeCell},
};

#[derive(Clone, Copy)]
struct Job {
    function: fn(u32) -> u32,
    input: u32,
}

/// The job, then its result in the same bytes.
union Payload {
    nothing: (),
    job: Job,
    result: u32,
}

struct Slot {
    state: State,
    link: AtomicU16,
    payload: UnsafeCell<Payload>,
}

impl Slot {
    const fn new() -> Self {
        Self {
            state: State::new(),
            link: AtomicU16::new(0),
            payload: UnsafeCell::new(Payload { nothing: () }),
        }
    }
}

// SAFETY: a payload is touched only by the one to whom the free list or the state word gives it.
unsafe impl Sync for Slot {}

/// All in one place, as a pool has it.
struct Memory {
    free: FreeList,
    lane: Lane,
    cells: [QueueCell; SLOTS],
    slots: [Slot; SLOTS],
}

static MEMORY: Memory = Memory {
    free: FreeList::new(),
    lane: Lane::new(),
    cells: [const { QueueCell::new() }; SLOTS],
    slots: [const { Slot::new() }; SLOTS],
};

const FREE_WORDS: FreeWords = FreeWords::for_slots(SLOTS);
const CELL_WORDS: Words = Queue::words(SLOTS);

/// Slot `index`, which comes from the lists.
fn slot(index: u16) -> &'static Slot {
    // SAFETY: the lists have no index that is not below `SLOTS`.
    unsafe { MEMORY.slots.get_unchecked(usize::from(index)) }
}

fn queue() -> Queue<'static> {
    Queue::new(&MEMORY.lane, &MEMORY.cells, CELL_WORDS)
}

/// Queues a job; returns its slot.
fn submit(function: fn(u32) -> u32, input: u32) -> Option<u16> {
    let free = &MEMORY.free;
    let index = free
        .pop(&FREE_WORDS, |index| &slot(index).link)
        .or_else(|| free.pop_fresh(&FREE_WORDS))?;
    let job = Job { function, input };
    slot(index).payload.with_mut(|payload| {
        // SAFETY: the free list gave the slot to this call alone.
        unsafe { (*payload).job = job };
    });
    slot(index).state.occupy(0, QUEUED | HANDLE);
    queue().push(index);
    Some(index)
}

struct Lists;

impl HandOver for Lists {
    /// The slot's index.
    type Job = u16;

    fn submit(&self, _round: u32, input: u32) -> Option<Self::Job> {
        submit(work, input)
    }

    fn submit_other(&self, _round: u32, input: u32) -> Option<Self::Job> {
        submit(other_work, input)
    }

    fn run(&self) {
        let Some(index) = queue().pop_if(|_| true) else {
            return;
        };
        let Begin::Begun(_) = slot(index).state.begin(0) else {
            // Somebody has ended the job, which nobody does here.
            return;
        };
        slot(index).payload.with_mut(|payload| {
            // SAFETY: `begin` gave the payload to this call alone, with a job in it.
            unsafe {
                let Job { function, input } = (*payload).job;
                (*payload).result = function(input);
            }
        });
        // False if there is somebody to tell, which there is not here.
        let _ = slot(index).state.publish(Outcome::Returned);
    }

    fn result(&self, index: Self::Job) -> Option<u32> {
        if !slot(index).state.load().is_ready() {
            return None;
        }
        let result = slot(index).payload.with(|payload| {
            // SAFETY: the payload has a result in it, and belongs to who submitted the job.
            unsafe { (*payload).result }
        });
        // Says whether anybody waits for the slot, which nobody does here.
        let link = &slot(index).link;
        let _ = MEMORY.free.push(&FREE_WORDS, index, link);
        Some(result)
    }
}

#[entry]
fn main() -> ! {
    application(&Lists)
}
