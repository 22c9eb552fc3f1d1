//! The least cost of an event loop's jobs: a worker that spins on slots, which one thread fills in turn.

use std::{
    cell::UnsafeCell,
    hint::spin_loop,
    mem::MaybeUninit,
    pin::Pin,
    sync::atomic::{
        AtomicBool, AtomicU32, AtomicUsize,
        Ordering::{AcqRel, Acquire, Relaxed, Release},
    },
    task::{Context, Poll, Waker},
    thread,
};

use crate::{
    limits::{Payload, run},
    pool::Pool,
    statistics::Slice,
    workloads::{Effort, Workload, event_loop},
};

/// A spinning worker whose slots are filled one after the other.
pub const FLOOR: &str = "floor: slots in turn, spinning";

/// Twice as many as an event loop has tasks, so that the next one is free.
const SLOTS: usize = 2 * event_loop::TASKS;

const EMPTY: u32 = 0;
const JOB: u32 = 1;
/// A job, for whose result somebody has left a waker.
const AWAITED: u32 = 2;
const RESULT: u32 = 3;

/// One place for one job of any type, its result, and who waits for it.
#[repr(align(128))]
struct Slot {
    state: AtomicU32,
    run: UnsafeCell<unsafe fn(*mut Payload)>,
    waker: UnsafeCell<MaybeUninit<Waker>>,
    payload: UnsafeCell<Payload>,
}

impl Slot {
    const fn new() -> Self {
        Self {
            state: AtomicU32::new(EMPTY),
            run: UnsafeCell::new(run::<fn() -> u64>),
            waker: UnsafeCell::new(MaybeUninit::uninit()),
            payload: UnsafeCell::new([MaybeUninit::uninit(); 8]),
        }
    }
}

// SAFETY: run and payload belong to the submitter while the state is `EMPTY` or `RESULT`, to the worker
// otherwise; the waker belongs to the submitter, but to the worker while it is `AWAITED` and until it has
// woken it. Jobs are `Send`.
unsafe impl Sync for Slot {}

struct Slots {
    slots: [Slot; SLOTS],
    /// Where the submitter, which is one thread, goes on.
    next: AtomicUsize,
    over: AtomicBool,
    /// For how many pauses of the processor the worker does not look at a slot again that it found empty.
    pauses: u32,
}

impl Slots {
    /// Runs job after job, in the order of the slots.
    fn work(&self) {
        for slot in self.slots.iter().cycle() {
            // Acquire: pairs with the Release of `call`.
            while matches!(slot.state.load(Acquire), EMPTY | RESULT) {
                if self.over.load(Relaxed) {
                    return;
                }
                (0..self.pauses).for_each(|_| spin_loop());
            }
            // SAFETY: neither `EMPTY` nor `RESULT`, so the cells are the worker's, and hold a job and its
            // function.
            unsafe { (*slot.run.get())(slot.payload.get()) };
            // AcqRel: pairs with the two of `poll`.
            if slot.state.swap(RESULT, AcqRel) == AWAITED {
                // SAFETY: `AWAITED`, so a waker is there, and its owner does nothing until it is woken.
                unsafe { (*slot.waker.get()).assume_init_read() }.wake();
            }
        }
    }
}

impl Pool for Slots {
    const NAME: &'static str = FLOOR;

    fn start(_workers: usize) -> Option<Self> {
        Some(Self {
            slots: [const { Slot::new() }; SLOTS],
            next: AtomicUsize::new(0),
            over: AtomicBool::new(false),
            pauses: 1,
        })
    }

    /// By one thread, which takes the results in about this order.
    fn call(&self, job: impl FnOnce() -> u64 + Send + 'static) -> impl Future<Output = u64> {
        fn put<F: FnOnce() -> u64 + Send + 'static>(slot: &Slot, job: F) {
            const { assert!(size_of::<F>() <= size_of::<Payload>() && align_of::<F>() <= 8) };
            assert_eq!(slot.state.load(Relaxed), EMPTY);
            // SAFETY: empty, so the cells are the submitter's; the job fits.
            unsafe {
                slot.run.get().write(run::<F>);
                slot.payload.get().cast::<F>().write(job);
            }
            // Release: pairs with the Acquire of `work`.
            slot.state.store(JOB, Release);
        }
        let next = self.next.load(Relaxed);
        self.next.store((next + 1) % SLOTS, Relaxed);
        let slot = &self.slots[next];
        put(slot, job);
        Awaited(slot)
    }
}

/// A job of whose slot the result is to be taken.
struct Awaited<'a>(&'a Slot);

impl Future for Awaited<'_> {
    type Output = u64;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<u64> {
        let slot = self.0;
        // Acquire: pairs with the AcqRel of `work`.
        let mut state = slot.state.load(Acquire);
        if state == JOB {
            // SAFETY: not `AWAITED`, so the cell is the submitter's, and empty.
            unsafe { (*slot.waker.get()).write(cx.waker().clone()) };
            match slot.state.compare_exchange(JOB, AWAITED, AcqRel, Acquire) {
                Ok(_) => state = AWAITED,
                Err(now) => {
                    // SAFETY: the worker has not seen the waker, which was written just now.
                    unsafe { (*slot.waker.get()).assume_init_drop() };
                    state = now;
                }
            }
        }
        if state != RESULT {
            return Poll::Pending;
        }
        // SAFETY: `RESULT`, so the payload is the submitter's, and holds what `run` wrote.
        let result = unsafe { slot.payload.get().cast::<u64>().read() };
        slot.state.store(EMPTY, Relaxed);
        Poll::Ready(result)
    }
}

/// Jobs that an event loop awaits, in one thread that spins.
pub fn floor(workload: Workload, workers: usize, effort: &Effort) -> Option<Slice> {
    let (measure, pauses): (fn(&Slots, &Effort) -> Slice, u32) = match workload {
        Workload::AwaitOne => (event_loop::one, 1),
        // Where many jobs come, it is best to let some gather, and to leave the lines to who writes them.
        Workload::AwaitMany => (event_loop::many, 256),
        _ => return None,
    };
    let slots = &Slots {
        pauses,
        ..Slots::start(workers)?
    };
    Some(thread::scope(|scope| {
        scope.spawn(|| slots.work());
        let slice = measure(slots, effort);
        slots.over.store(true, Relaxed);
        slice
    }))
}
