//! `concurrent.futures` for firmware: declare a pool in a `static`, lend it cores, RTOS tasks,
//! interrupts or OS threads as workers, submit closures and async tasks to it from any context, and
//! hold a typed future for each result. No heap, no locks on the hot path, no surprise.
//!
//! ```
//! use corepool::{SpinWorker, StaticPool};
//!
//! // 16 jobs in flight, each with a closure and a result of up to 64 bytes.
//! static POOL: StaticPool<16, 64> = StaticPool::new();
//!
//! fn core_1() {
//!     POOL.run(&SpinWorker).unwrap();
//! }
//!
//! fn core_0() {
//!     let mut sum = POOL.submit(|| (1..=100).sum::<u32>()).unwrap();
//!     let mut done = false;
//!     while !done {
//!         // the control loop goes on here
//!         done = sum.done();
//!     }
//!     assert_eq!(sum.try_result().unwrap().unwrap(), 5050);
//!     POOL.shutdown(true, false).unwrap();
//! }
//!
//! # let worker = std::thread::spawn(core_1);
//! # core_0();
//! # worker.join().unwrap();
//! ```
//!
//! # What is where
//!
//! | to do | use |
//! |---|---|
//! | declare a pool | [`StaticPool`], or [`LentPool`] in memory of your choice |
//! | submit a closure | [`submit`](StaticPool::submit) and its variants: cancellable, detached, at a [priority](StaticPool::at), waiting for room |
//! | submit many | [`map`](StaticPool::map), [`scope`](StaticPool::scope) |
//! | submit an async task | [`spawn`](StaticPool::spawn) |
//! | set a result by hand | [`promise`](StaticPool::promise) |
//! | get a result | [`JobFuture`]: wait, poll, await, callback, cancel |
//! | wait on many | [`wait()`], [`as_completed`] |
//! | run jobs | [`run`](StaticPool::run) with a [`Worker`], or [`run_pending`](StaticPool::run_pending) from a main loop |
//! | end | [`shutdown`](StaticPool::shutdown), [`break_pool`](StaticPool::break_pool), [`worker_lost`](StaticPool::worker_lost) |
//! | fit it to a machine | [`Port`], [`Parker`], [`Worker`] |
//!
//! # How a job travels
//!
//! [`submit`](StaticPool::submit) takes a free slot, moves the closure into it, puts the slot's index
//! into the run queue and wakes one idle worker. The worker takes the index, runs the closure,
//! writes the result into the same bytes, publishes that it is there, runs callbacks and wakes the
//! waiter. Whoever needs the slot last, handle or queue, frees it. An async task is the same with
//! more than one step.
//!
//! # Promises
//!
//! * **Lock-free in the strict sense.** A thread, core or interrupt that is stopped for ever between
//!   any two instructions of submit, run, cancel or result makes nobody else fail or wait; at most
//!   its own slot is lost, and the place of the worker or waiter that it was waking. A worker that is
//!   stopped when it was woken delays the job that it was woken for until the next job is submitted, or
//!   until it is declared lost. One that is stopped and goes on later relies on [tags](#tags), which are of
//!   a finite size. No interrupt is masked on targets with compare-and-swap. On targets
//!   without, each atomic access is a critical section of a few instructions, and a core that is
//!   stopped inside of one makes the other cores wait.
//! * **Strict FIFO** within a priority, as long as a slot is free. A job that finds none takes over the slot of one that
//!   was cancelled in the queue, or that its waiter ran. It has that one's place, and so overtakes the jobs behind it.
//! * **Any context may submit**: thread, task, interrupt handler, job, callback.
//! * **A full pool is an error** that gives the job back, and not a wait, a panic or a silent drop. Its slots are held
//!   by work that can still run, by futures, by promises, by callbacks, or by lost workers. Only a job of another
//!   priority that ended in the queue may hold one, too. A job that cannot fit is a build error.
//! * **Every job ends and says how**: result, cancelled, panicked, worker lost, broken.
//! * **Waiting does not deadlock the pool**: a job that waits runs what it waits for, if nobody has begun
//!   it, and nothing else on its stack. Only the last worker of a pool whose workers are all blocked runs
//!   the oldest queued job. A wait that could never end, since what it waits for depends on the caller, ends
//!   with [`JobError::WouldDeadlock`]. This needs a [`Port`], which says who is calling; without one, a
//!   blocked caller spins. Its limits are in [`JobFuture::result`].
//! * **Constant cost**: submit, run, cancel and result take the same time with 4 slots and with
//!   4,000. There are two exceptions. A submit that finds no slot free while slots of ended jobs
//!   are in the queue looks for one there, at O(SLOTS). A wait that may be part of a circle of
//!   waits has a look at the slots.
//!
//! # Contract lines
//!
//! The documentation of each public function ends its prose with lines of a fixed form:
//!
//! * **Context**: from where it may be called. *Any* is a thread, a task, an interrupt handler, a
//!   job, a callback or a waker. *Any that may block* leaves out interrupt handlers, and each
//!   context for which the [`Port`] has no parker: the call fails there. Without a port nobody
//!   refuses it, and the caller spins.
//! * **Cost**: how the time grows, in the pool's parameters and in the arguments, and on whom the
//!   call waits. A line that names no wait stands for a call that never waits. *O(1)* does not grow
//!   with SLOTS, WAITERS or the number of jobs; it looks at PRIORITIES queues at most.
//! * **Cancel safety**: what is lost if a future is dropped before it is ready. A future that is
//!   awaited by `&mut` is not dropped with the await.
//! * **Errors**, in a section of that name: which, and when.
//!
//! A `const fn` has none of them, since the compiler can call it too. Neither has an option of a
//! builder.
//!
//! No function of this crate allocates or takes a lock. None masks an interrupt on targets with
//! compare-and-swap. A compare-and-swap is repeated for as long as other parties get theirs through.
//! Four things come on top of each line:
//!
//! * foreign code that the call runs: the job, a destructor, a callback, a waker, a spill, the port;
//! * a wake-up: one look at a word for each 16 WORKERS, or 32 on a 64-bit target. If all idle
//!   workers have been woken already, each is woken again;
//! * a freed slot, or a job ended in the queue, while a caller waits for room: a look at WAITERS
//!   places;
//! * a pool that comes to its end during the call: the call helps, at O(SLOTS + WORKERS + WAITERS).
//!
//! # Tags
//!
//! A word that parties compare and swap carries a tag beside the index. One that is stopped between reading a
//! word and swapping it, and goes on later, sees by the tag that others were there meanwhile. A tag has the bits
//! that the index leaves, and counts round: only a party that is stopped for exactly a multiple of this many steps,
//! and finds the same index again, would take the word for the old one. A step is a slot taken or given back in
//! the free list, and a lap, of as many jobs as there are SLOTS, in the queue.
//!
//! | SLOTS | free list, 16-bit | queue, 16-bit | free list, 32-bit | queue, 32-bit | free list, 64-bit | queue, 64-bit |
//! |---:|---:|---:|---:|---:|---:|---:|
//! | 4 | 12 | 14 | 28 | 30 | 60 | 62 |
//! | 16 | 10 | 12 | 26 | 28 | 58 | 60 |
//! | 255 | 7 | 8 | 23 | 24 | 55 | 56 |
//! | 256 | 6 | 8 | 22 | 24 | 54 | 56 |
//! | 1,024 | 4 | 6 | 20 | 22 | 52 | 54 |
//! | 4,096 | 2 | 4 | 18 | 20 | 50 | 52 |
//! | 65,000 | - | - | 15 | 16 | 47 | 48 |
//!
//! In bits. With 16 slots on a 32-bit chip the free list's tag repeats after 67 million steps, and the queue's after
//! four thousand million jobs; with 65,000 slots the free list's repeats after 32,768 steps. A submit that finds no slot
//! free notes that there is none to take over, by a tag of 15 bits. On a target whose `usize`
//! has 16 bits, 16 slots leave the free list 1,024 steps: stop no party there for as long as others take for them.
//!
//! # RAM
//!
//! All of a pool is zero at first: in a `static` it takes RAM (`.bss`) and no flash. What one more
//! slot takes, in bytes ([`StaticPool::bytes_per_slot`]), at one priority:
//!
//! | BYTES | 32-bit chip | 64-bit host |
//! |---:|---:|---:|
//! | 8 | 36 | 72 |
//! | 16 | 44 | 72 |
//! | 32 | 60 | 136 |
//! | 64 | 92 | 136 |
//! | 128 | 156 | 200 |
//! | 256 | 284 | 328 |
//!
//! Fewer than 16 are 16, and on a host 24, where a job can end by a panic: unless panics abort and the
//! feature `remote` is off.
//!
//! What one more of the others takes:
//!
//! | one more of | 32-bit chip | 64-bit host |
//! |---|---:|---:|
//! | PRIORITIES | 8 | 256 |
//! | WORKERS | 36 | 64 |
//! | WAITERS | 16 | 32 |
//!
//! Each further priority takes a word (4 or 8 bytes) of each slot besides. On a host there is
//! padding, so that submitters and workers do not wait for each other's cache lines; on a chip
//! (`target_os = "none"`) there is none.
//!
//! `StaticPool<16, 64>` with its defaults takes 1,880 bytes on a 32-bit chip.
//!
//! # Targets and Cargo features
//!
//! The crate builds for any target with aligned pointers and with 16-bit and pointer-sized atomics,
//! native or by way of `portable-atomic`. On a target **without compare-and-swap** (Cortex-M0, RISC-V without the A
//! extension) the application chooses how to make up for it, by a feature of `portable-atomic` in
//! its own `Cargo.toml`:
//!
//! * `critical-section`, with a critical section that is right for the chip: on several cores, one
//!   that masks interrupts and takes a spin lock. Always sound if that is.
//! * `unsafe-assume-single-core`: smaller, and unsound as soon as a second core runs (never on an
//!   RP2040).
//!
//! This crate enables neither. Its own features, all off by default, all additive:
//!
//! | feature | what for |
//! |---|---|
//! | `defmt` | `defmt::Format` on every public type, log points through `defmt` |
//! | `log` | log points through the `log` facade |
//! | `remote` | [`remote`]: workers that share no memory with the pool |
#![cfg_attr(not(test), no_std)]
#![deny(missing_docs)]

// The hot path is inlined where nobody counts bytes. For a chip the compiler decides: hints make it
// grow by a third at `opt-level = "s"`.

mod api;
mod engine;
mod error;
mod jobs;
mod lockfree;
mod log;
mod machine;
mod memory;
#[cfg(all(loom, test))]
mod models;
#[cfg(feature = "remote")]
pub mod remote;
#[cfg(feature = "remote")]
mod wire;

#[cfg(feature = "remote")]
pub use crate::error::CodecError;
pub use crate::{
    api::{
        as_completed::{AsCompleted, AsCompletedError, FutureSet, as_completed},
        cancel_on_drop::CancelOnDrop,
        executor::Executor,
        future::{JobFuture, JobState},
        lent_pool::{LentPool, MemoryTooSmall, PoolConfig},
        map::{DEFAULT_WINDOW, Map, MapError, MapOptions, Submitter},
        pool_ref::PoolRef,
        promise::Promise,
        scope::Scope,
        static_pool::StaticPool,
        submit_async::SubmitAsync,
        wait::{ReturnWhen, WaitError, Waited, wait},
    },
    engine::life::OnLoss,
    error::{
        BrokenReason, CallbackError, InitError, JobError, LossReason, NoWorker, Panic,
        PanicPayload, PromiseError, RunError, ShutdownError, SubmitError,
    },
    jobs::token::CancelToken,
    machine::{
        port::{ContextId, Parker, Port},
        worker::{JobId, SpinWorker, Worker, WorkerId},
    },
    memory::payload::{NoSpill, PAYLOAD_ALIGN, Spill},
};

#[cfg(test)]
#[cfg(not(loom))]
mod documentation {
    use crate::{
        StaticPool,
        lockfree::queue::Lane,
        memory::{seat::Seat, waiter::Waiter},
    };

    /// The numbers in the row of this file's documentation that begins with `name`.
    fn row(name: &str) -> [usize; 2] {
        let start = format!("//! | {name} |");
        let (_, ram) = include_str!("lib.rs").split_once("//! # RAM").unwrap();
        let row = ram
            .lines()
            .find_map(|line| line.strip_prefix(&start))
            .unwrap();
        let mut cells = row.split('|').map(|cell| cell.trim().parse().unwrap());
        [cells.next().unwrap(), cells.next().unwrap()]
    }

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn ram_per_slot_is_as_documented() {
        // `slot.rs` asserts the 32-bit header's size when it is built for such a target.
        let on_32_bit = |bytes: usize| 24 + 4 + bytes;
        assert_eq!(
            row("8"),
            [on_32_bit(8), StaticPool::<1, 8>::bytes_per_slot()]
        );
        assert_eq!(
            row("16"),
            [on_32_bit(16), StaticPool::<1, 16>::bytes_per_slot()]
        );
        assert_eq!(
            row("32"),
            [on_32_bit(32), StaticPool::<1, 32>::bytes_per_slot()]
        );
        assert_eq!(
            row("64"),
            [on_32_bit(64), StaticPool::<1, 64>::bytes_per_slot()]
        );
        assert_eq!(
            row("128"),
            [on_32_bit(128), StaticPool::<1, 128>::bytes_per_slot()]
        );
        assert_eq!(
            row("256"),
            [on_32_bit(256), StaticPool::<1, 256>::bytes_per_slot()]
        );
        // Eight more, since a pool's size is a multiple of a cache line's.
        assert_eq!(
            size_of::<StaticPool<24, 64>>() - size_of::<StaticPool<16, 64>>(),
            8 * StaticPool::<16, 64>::bytes_per_slot()
        );
    }

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn ram_of_the_rest_is_as_documented() {
        assert_eq!(row("PRIORITIES")[1], size_of::<Lane>());
        assert_eq!(row("WORKERS")[1], size_of::<Seat>());
        assert_eq!(row("WAITERS")[1], size_of::<Waiter>());
    }
}
