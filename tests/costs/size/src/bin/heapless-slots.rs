//! The application with other lists than the pool's: one `heapless::mpmc` of free slots, and one of those
//! to be run, around slots that hold a function and its argument, then the result.
//!
//! Less than `lists-alone` keeps: a thread that is stopped in a queue makes others fail, and nobody but who
//! runs a job can end it.
#![no_std]
#![no_main]

use core::{
    cell::UnsafeCell,
    sync::atomic::{AtomicBool, Ordering},
};

use heapless::mpmc::Queue;
use size::{HandOver, SLOTS, application, entry, other_work, work};

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
    is_done: AtomicBool,
    payload: UnsafeCell<Payload>,
}

// SAFETY: a payload is touched only by the one who took its slot's index out of a queue, and by who submitted
// the job after it is done.
unsafe impl Sync for Slot {}

type Indices = Queue<u8, SLOTS>;

#[expect(deprecated, reason = "not lock-free, which a firmware may accept")]
static FREE: Indices = Queue::new();
#[expect(deprecated, reason = "as above")]
static QUEUED: Indices = Queue::new();
static JOBS: [Slot; SLOTS] = [const {
    Slot {
        is_done: AtomicBool::new(false),
        payload: UnsafeCell::new(Payload { nothing: () }),
    }
}; SLOTS];

/// Slot `index`, which comes from the queues.
fn slot(index: u8) -> &'static Slot {
    // SAFETY: no index in the queues is above those that `main` has put there.
    unsafe { JOBS.get_unchecked(usize::from(index)) }
}

/// Queues a job; returns its slot.
fn submit(function: fn(u32) -> u32, input: u32) -> Option<u8> {
    let index = FREE.dequeue()?;
    let slot = slot(index);
    // Relaxed: the queue publishes it.
    slot.is_done.store(false, Ordering::Relaxed);
    // SAFETY: taken out of the queue just now.
    unsafe { (*slot.payload.get()).job = Job { function, input } };
    QUEUED.enqueue(index).ok()?;
    Some(index)
}

struct Slots;

impl HandOver for Slots {
    /// The slot's index.
    type Job = u8;

    fn submit(&self, _round: u32, input: u32) -> Option<Self::Job> {
        submit(work, input)
    }

    fn submit_other(&self, _round: u32, input: u32) -> Option<Self::Job> {
        submit(other_work, input)
    }

    fn run(&self) {
        if let Some(index) = QUEUED.dequeue() {
            let slot = slot(index);
            // SAFETY: taken out of the queue just now, with a job in it.
            unsafe {
                let Job { function, input } = (*slot.payload.get()).job;
                (*slot.payload.get()).result = function(input);
            }
            // Release: pairs with the load in `result`.
            slot.is_done.store(true, Ordering::Release);
        }
    }

    fn result(&self, index: Self::Job) -> Option<u32> {
        let slot = slot(index);
        // Acquire: pairs with the store in `run`.
        if !slot.is_done.load(Ordering::Acquire) {
            return None;
        }
        // SAFETY: done, so the payload has a result in it, and belongs to who submitted the job.
        let result = unsafe { (*slot.payload.get()).result };
        FREE.enqueue(index).ok()?;
        Some(result)
    }
}

#[entry]
fn main() -> ! {
    for index in 0..SLOTS as u8 {
        // There is room for all of them.
        let _ = FREE.enqueue(index);
    }
    application(&Slots)
}
