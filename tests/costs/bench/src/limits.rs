//! The machine's limits: hand-overs and queues with nothing around them.

use std::{
    cell::UnsafeCell,
    hint::spin_loop,
    mem::MaybeUninit,
    sync::atomic::{
        AtomicBool, AtomicU32,
        Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst},
        fence,
    },
    thread,
};

use rustix::thread::{CpuSet, futex, sched_getaffinity, sched_setaffinity};

use crate::{
    statistics::{Slice, slice},
    workloads::{Effort, Workload, check, efficiency, round_trip::after_idleness, tiny_job},
};

/// Two threads that spin on one slot.
pub const FLOOR: &str = "floor: one slot, spinning";
/// The steps that no pool with `corepool`'s promises can do without, and nothing else.
pub const SWAPS: &str = "six swaps and a fence, no pool";
/// The lists and state words of `corepool`, and nothing else of it.
pub const LISTS: &str = "lists alone, no pool";
/// The same, and whatever the promises ask of each job.
pub const PROMISES: &str = "lists and promises, no pool";
/// Two threads on two cores that wake each other.
pub const FUTEX: &str = "futex ping-pong, two cores";
/// A thread that sleeps until it is woken to answer, and one that spins until it has the answer.
pub const WAKE: &str = "one futex wake-up, two cores";
/// Two threads on two cores that spin on one word.
pub const CACHE_LINE: &str = "cache line ping-pong, two cores";
/// Threads that know their share.
pub const SPLIT: &str = "perfect split, no pool";
/// A queue between two threads on two cores.
pub const ARRAY_QUEUE: &str = "crossbeam ArrayQueue, push + pop";
/// Another.
pub const HEAPLESS: &str = "heapless::mpmc, push + pop";

const EMPTY: u32 = 0;
const JOB: u32 = 1;
const RESULT: u32 = 2;

/// As many bytes as a slot of a pool has.
pub(crate) type Payload = [MaybeUninit<u64>; 8];

/// One place for one job of any type: what a pool cannot do without.
#[repr(align(128))]
pub struct Slot {
    state: AtomicU32,
    run: UnsafeCell<unsafe fn(*mut Payload)>,
    payload: UnsafeCell<Payload>,
}

// SAFETY: the cells belong to the submitter while the state is `EMPTY` or `RESULT`, to the worker
// while it is `JOB`; jobs are `Send`.
unsafe impl Sync for Slot {}

impl Slot {
    /// An empty slot.
    pub fn new() -> Self {
        Self {
            state: AtomicU32::new(EMPTY),
            run: UnsafeCell::new(run::<fn() -> u64>),
            payload: UnsafeCell::new([MaybeUninit::uninit(); 8]),
        }
    }

    /// Puts a job in. The slot is empty, and there is one submitter.
    #[inline]
    fn submit<F: FnOnce() -> u64 + Send + 'static>(&self, job: F) {
        const { assert!(size_of::<F>() <= size_of::<Payload>() && align_of::<F>() <= 8) };
        assert_eq!(self.state.load(Relaxed), EMPTY);
        // SAFETY: empty, so the cells are the submitter's; the job fits.
        unsafe {
            self.run.get().write(run::<F>);
            self.payload.get().cast::<F>().write(job);
        }
        // Pairs with the Acquire of `work`.
        self.state.store(JOB, Release);
    }

    /// Runs the job, if there is one. There is one worker.
    #[inline]
    fn work(&self) -> bool {
        // Pairs with the Release of `submit`.
        if self.state.load(Acquire) != JOB {
            return false;
        }
        // SAFETY: `JOB`, so the cells are the worker's, and hold a job and its function.
        unsafe { (*self.run.get())(self.payload.get()) };
        // Pairs with the Acquire of `result`.
        self.state.store(RESULT, Release);
        true
    }

    /// Takes the result, if it is there.
    #[inline]
    fn result(&self) -> Option<u64> {
        // Pairs with the Release of `work`.
        if self.state.load(Acquire) != RESULT {
            return None;
        }
        // SAFETY: `RESULT`, so the payload is the submitter's, and holds what `run` wrote.
        let result = unsafe { self.payload.get().cast::<u64>().read() };
        self.state.store(EMPTY, Relaxed);
        Some(result)
    }

    /// A job's way through the slot, without another thread.
    #[inline]
    pub fn inline(&self, job: impl FnOnce() -> u64 + Send + 'static) -> u64 {
        self.submit(job);
        self.work();
        self.result().expect("the job has run")
    }
}

/// A cache line for each step of a job that several may want to take, and one of which gets it.
#[derive(Default)]
pub struct Swaps([Step; 6]);

#[derive(Default)]
#[repr(align(128))]
struct Step(AtomicU32);

impl Swaps {
    /// Takes the steps, and runs the job where it is: a free slot is claimed, against other
    /// submitters; its number is put into the queue, against them; a fence, then idle workers would be
    /// looked for; the number is taken out, against other workers; the job is begun, against who
    /// cancels it; its end is published, against who begins to wait for it; the slot is given back.
    #[inline]
    pub fn swap_each(&self, job: impl FnOnce() -> u64) -> u64 {
        let [claim, queue, pop, begin, end, free] = &self.0;
        claim.swap();
        queue.swap();
        fence(SeqCst);
        pop.swap();
        begin.swap();
        let result = job();
        end.swap();
        free.swap();
        result
    }
}

impl Step {
    #[inline]
    fn swap(&self) {
        let now = self.0.load(Relaxed);
        let swapped = self
            .0
            .compare_exchange(now, now.wrapping_add(1), AcqRel, Acquire);
        assert!(swapped.is_ok(), "there is one thread");
    }
}

impl Default for Slot {
    fn default() -> Self {
        Self::new()
    }
}

/// Runs the job in the payload and puts its result there.
///
/// # Safety
///
/// The payload is the caller's and holds an `F`.
pub(crate) unsafe fn run<F: FnOnce() -> u64>(payload: *mut Payload) {
    // SAFETY: the caller's promise; a result fits as well.
    unsafe {
        let job = payload.cast::<F>().read();
        payload.cast::<u64>().write(job());
    }
}

/// A round trip through one slot. For all workloads of tiny jobs that bars compare with it.
pub fn floor(workload: Workload, _workers: usize, effort: &Effort) -> Option<Slice> {
    use Workload::{Burst, Producers, Warm, Window};
    if !matches!(workload, Warm | Burst | Producers | Window) {
        return None;
    }
    const BATCH: u64 = 1024;
    let (slot, over) = (Slot::new(), AtomicBool::new(false));
    Some(thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Relaxed) {
                if !slot.work() {
                    spin_loop();
                }
            }
        });
        let slice = slice(effort.slice, BATCH as usize, || {
            for number in 0..BATCH {
                slot.submit(tiny_job(number));
                let result = loop {
                    match slot.result() {
                        Some(result) => break result,
                        None => spin_loop(),
                    }
                };
                check(number, result);
            }
        });
        over.store(true, Relaxed);
        slice
    }))
}

/// How one of two threads hands the turn to the other.
#[derive(Clone, Copy)]
struct Side {
    /// Waits while the word is the given one, or for a moment.
    wait: fn(&AtomicU32, u32),
    /// Says to the other side that the word has changed.
    tell: fn(&AtomicU32),
}

/// A word that two threads count up in turn, each on a core of its own. `here` is the one that measures
/// round trips.
fn ping_pong(
    here: Side,
    there: Side,
    measure: impl FnOnce(&mut dyn FnMut()) -> Slice + Send,
) -> Option<Slice> {
    #[repr(align(128))]
    struct Word(AtomicU32);

    const OVER: u32 = u32::MAX;
    let [one, other] = two_cores()?;
    let word = &Word(AtomicU32::new(0));
    let word = &word.0;
    thread::scope(|scope| {
        scope.spawn(move || {
            pin(other);
            for turn in (0..).step_by(2) {
                while word.load(Acquire) == turn {
                    (there.wait)(word, turn);
                }
                if word.load(Relaxed) == OVER {
                    return;
                }
                word.store(turn + 2, Release);
                (there.tell)(word);
            }
        });
        let measured = scope.spawn(move || {
            pin(one);
            let mut turn = 0;
            let slice = measure(&mut || {
                word.store(turn + 1, Release);
                (here.tell)(word);
                while word.load(Acquire) == turn + 1 {
                    (here.wait)(word, turn + 1);
                }
                turn += 2;
            });
            word.store(OVER, Release);
            (here.tell)(word);
            slice
        });
        measured.join().ok()
    })
}

/// The first two cores that there are.
fn two_cores() -> Option<[usize; 2]> {
    let cores = sched_getaffinity(None).ok()?;
    let mut cores = (0..CpuSet::MAX_CPU).filter(|&core| cores.is_set(core));
    Some([cores.next()?, cores.next()?])
}

fn pin(core: usize) {
    let mut cores = CpuSet::new();
    cores.set(core);
    sched_setaffinity(None, &cores).expect("the core is there");
}

const PRIVATE: futex::Flags = futex::Flags::PRIVATE;

fn sleep(word: &AtomicU32, seen: u32) {
    // An error says that the word has changed already, or that a signal came.
    let _ = futex::wait(word, PRIVATE, seen, None);
}

fn wake(word: &AtomicU32) {
    futex::wake(word, PRIVATE, 1).expect("the word is there");
}

/// The cost of waking a thread and of being woken.
pub fn futex(workload: Workload, _workers: usize, effort: &Effort) -> Option<Slice> {
    const ASLEEP: Side = Side {
        wait: sleep,
        tell: wake,
    };
    let length = effort.slice;
    match workload {
        Workload::Warm => ping_pong(ASLEEP, ASLEEP, |round_trip| slice(length, 1, round_trip)),
        Workload::Cold => ping_pong(ASLEEP, ASLEEP, |round_trip| {
            after_idleness(length, round_trip)
        }),
        _ => None,
    }
}

/// The cost of waking a thread that has had nothing to do for a while, and so sleeps.
pub fn one_wake(workload: Workload, _workers: usize, effort: &Effort) -> Option<Slice> {
    const HERE: Side = Side {
        wait: |_, _| spin_loop(),
        tell: wake,
    };
    const THERE: Side = Side {
        wait: sleep,
        tell: |_| {},
    };
    (workload == Workload::Cold)
        .then(|| {
            ping_pong(HERE, THERE, |round_trip| {
                after_idleness(effort.slice, round_trip)
            })
        })
        .flatten()
}

/// The cost for a core of seeing another core's write.
pub fn cache_line(workload: Workload, _workers: usize, effort: &Effort) -> Option<Slice> {
    const SPINNING: Side = Side {
        wait: |_, _| spin_loop(),
        tell: |_| {},
    };
    const BATCH: usize = 1024;
    let length = effort.slice;
    match workload {
        Workload::Warm => ping_pong(SPINNING, SPINNING, |round_trip| {
            slice(length, BATCH, || (0..BATCH).for_each(|_| round_trip()))
        }),
        _ => None,
    }
}

/// Each thread does its share of the jobs of 20 µs, and nobody hands anything over.
pub fn split(workload: Workload, workers: usize, effort: &Effort) -> Option<Slice> {
    (workload == Workload::Efficiency).then(|| efficiency::split(workers, effort))
}

/// Items from one thread to another.
pub fn array_queue(workload: Workload, workers: usize, effort: &Effort) -> Option<Slice> {
    let queue = crossbeam_queue::ArrayQueue::new(QUEUE);
    between_two_threads(
        workload,
        workers,
        effort,
        |n| queue.push(n).is_ok(),
        || queue.pop(),
    )
}

/// Items from one thread to another.
pub fn heapless(workload: Workload, workers: usize, effort: &Effort) -> Option<Slice> {
    #[expect(deprecated, reason = "that is why it is here: to compare with it")]
    let queue = heapless::mpmc::Queue::<u64, QUEUE>::new();
    between_two_threads(
        workload,
        workers,
        effort,
        |n| queue.enqueue(n).is_ok(),
        || queue.dequeue(),
    )
}

/// How many items have room in a queue.
const QUEUE: usize = 1024;

fn between_two_threads(
    workload: Workload,
    workers: usize,
    effort: &Effort,
    push: impl Fn(u64) -> bool + Sync,
    pop: impl Fn() -> Option<u64> + Sync,
) -> Option<Slice> {
    if workload != Workload::Burst || workers != 1 {
        return None;
    }
    let [one, other] = two_cores()?;
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            pin(other);
            let mut number = 0;
            while !over.load(Relaxed) {
                if push(number) {
                    number += 1;
                } else {
                    spin_loop();
                }
            }
        });
        let popper = scope.spawn(|| {
            pin(one);
            let mut next = 0;
            let slice = slice(effort.slice, QUEUE, || {
                for _ in 0..QUEUE {
                    let number = loop {
                        match pop() {
                            Some(number) => break number,
                            None => spin_loop(),
                        }
                    };
                    assert_eq!(number, next);
                    next += 1;
                }
            });
            over.store(true, Relaxed);
            slice
        });
        popper.join().ok()
    })
}
