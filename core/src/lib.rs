#![doc = include_str!("../README.md")]
//!
//! The repository has a book, in `book`: how to start on a host and on a board, five patterns, waiting, porting and
//! troubleshooting. `cargo xtask book` makes it.
//!
//! An async executor is smaller, if each task awaits and none computes for long. Cores that share no
//! program or no coherent memory need a pool each. No party can stop a running job from outside.
//!
//! # Where to find it
//!
//! | to do | use |
//! |---|---|
//! | declare a pool | [`StaticPool`], or [`LentPool`] in memory of your choice |
//! | submit a closure | [`submit`](StaticPool::submit) and its variants: cancellable, detached, at a [priority](StaticPool::at) |
//! | submit, and wait for room | [`submit_blocking`](StaticPool::submit_blocking), [`submit_async`](StaticPool::submit_async) |
//! | submit many | [`map`](StaticPool::map), [`scope`](StaticPool::scope) |
//! | submit an async task | [`spawn`](StaticPool::spawn); it can [end itself](StaticPool::cancel_current_task) as cancelled |
//! | set a result by hand | [`promise`](StaticPool::promise) |
//! | get a result | [`JobFuture`]: wait, poll, await, callback, cancel, [`cancel_on_drop`](JobFuture::cancel_on_drop) |
//! | let several wait for one, before its callbacks run | [`share`](JobFuture::share) |
//! | wait on many | [`wait()`], [`as_completed`]; of shared ones, [`wait_shared`] |
//! | await many | [`wait_async`], [`gather`], [`next_done`](AsCompleted::next_done); of shared ones, [`wait_shared_async`] |
//! | run jobs | [`run`](StaticPool::run) with a [`Worker`], or [`run_pending`](StaticPool::run_pending) from a main loop |
//! | carry a tracing span, a locale, a request's id | [`carrying`](StaticPool::carrying) with an [`Ambient`] |
//! | take a pool of any type | [`Executor`], [`DynExecutor`] |
//! | end | [`shutdown`](StaticPool::shutdown), [`shutdown_async`](StaticPool::shutdown_async), [`break_pool`](StaticPool::break_pool), [`worker_lost`](StaticPool::worker_lost) |
//! | fit it to a machine | the module `ports` for a chip, with a feature for its architecture; or your own [`Port`], [`Parker`], [`Worker`] |
//!
//! Users of Python's `concurrent.futures` find each of its public names, and those of asyncio's futures
//! and tasks, in `PYTHON.md` beside this crate's sources.
//!
//! # How a job travels
//!
#![cfg_attr(doc, doc = include_str!("../images/way-of-a-job.svg"))]
//!
//! [`submit`](StaticPool::submit) takes a free slot, moves the closure into it, pushes the slot's
//! index onto the run queue, and wakes an idle worker. The worker pops the index, runs the closure,
//! and writes the result into the same bytes. Then it publishes the outcome, runs callbacks and
//! wakes the waiter. The party that needs the slot last frees it. An async task takes the same way,
//! with several steps.
//!
//! # Glossary
//!
#![doc = include_str!("glossary.md")]
//!
//! [`carrying`]: StaticPool::carrying
//! [`run`]: StaticPool::run
//! [`run_pending`]: StaticPool::run_pending
//!
//! # Promises
//!
//! * **Lock-free in the strict sense.** A thread, core or interrupt may stop for ever between any
//!   two instructions of submit, run, cancel or result. It makes no other party fail or wait. At
//!   most its own slot is lost, and the place of the worker or waiter that it was waking. A worker
//!   that stops after it was woken delays one job, until the next submit or until it is declared
//!   lost. A party that is stopped and goes on later relies on [tags](#tags), which are of a finite
//!   size. No interrupt is masked. On targets without compare-and-swap, [critical
//!   sections](#critical-sections) take its place.
//! * **Strict FIFO** within a priority, as long as a slot is free. A job that finds no free slot
//!   takes over the slot of a job that was cancelled in the queue, or that its waiter ran. It takes
//!   that job's place in the queue, too, and so overtakes the jobs behind it.
//! * **Any context may submit**: thread, task, interrupt handler, job, callback.
//! * **A full pool is an error** that gives the job back, and not a wait, a panic or a silent drop.
//!   The slots of a full pool are held by work that can still run, by futures, promises or
//!   callbacks, or by lost workers. The one exception is a job of another priority that has ended
//!   in the queue. A job that cannot fit is a build error.
//! * **Every job ends, with an outcome**: result, cancelled, panicked, worker lost, broken.
//! * **Waiting does not deadlock the pool.** A waiting job runs no other job on its stack than the
//!   awaited one, and that only if no party has begun it. There is one exception: if all workers of
//!   a pool are blocked, the last one to block runs the oldest queued job. A wait that could never
//!   end, since the awaited job depends on the caller, ends with [`JobError::WouldDeadlock`]. This
//!   needs a [`Port`], which names the calling context. Without a port a blocked caller spins.
//!   [`JobFuture::result`] lists the circles of waits that the pool does not detect.
//! * **Constant cost**: submit, run, cancel and result take the same time with 4 slots and with
//!   4,096. There are two exceptions. A submit that finds no slot free while slots of ended jobs
//!   are in the queue searches the queue, at O(SLOTS). A wait that may be part of a circle of waits
//!   looks at the slots.
//!
//! # Contract lines
//!
//! The documentation of each public function ends its prose with lines of a fixed form:
//!
//! * **Context**: the contexts that may call it. *Any* is a thread, a task, an interrupt handler, a
//!   job, a callback or a waker. *Any that may block* leaves out interrupt handlers, and each
//!   context for which the [`Port`] has no parker: the call fails there. Without a port the call
//!   does not fail, and the caller spins. An interrupt handler may then spin for ever.
//! * **Cost**: how the time grows with the pool's parameters and the arguments, and which party the
//!   call waits for. A line that names no wait stands for a call that never waits. *O(1)* does not
//!   grow with SLOTS, WAITERS or the number of jobs. It looks at up to PRIORITIES queues.
//! * **Cancel safety**: the loss if a future is dropped before it is ready. A future that is
//!   awaited by `&mut` is not dropped with the await.
//! * **Errors**, in a section of that name: each error, and its cause.
//!
//! A `const fn` has none of these lines, since the compiler can call it too. Nor has a method that
//! sets an option of a builder.
//!
//! No function of this crate allocates. None takes a lock or masks an interrupt, except in [critical
//! sections](#critical-sections). A compare-and-swap is repeated for as long as other parties change
//! the word first. Four things come on top of each line:
//!
//! * foreign code that the call runs: the job, a destructor, a callback, a waker, a spill policy,
//!   the port;
//! * a wake-up: one look at a word for each 16 WORKERS, or 32 on a 64-bit target, and one at a word
//!   of each sleeping worker, of which it wakes the most urgent. If all idle workers have been
//!   claimed already, each is woken again;
//! * a freed slot, or a job that ended in the queue, while a caller waits for room: a look at
//!   WAITERS places;
//! * the end of the pool during the call: the call helps, at O(SLOTS + WORKERS + WAITERS).
//!
//! # Critical sections
//!
//! Parties share words: the free list, the run queues, each slot's state, and the words of workers and
//! waiters. The words change by compare-and-swap, or in critical sections. A target with
//! compare-and-swap has the first variant. A target without has the second, and so has a program with
//! the feature `critical-section`. The calls are the same. The promises differ:
//!
//! | promise | compare-and-swap | critical sections |
//! |---|---|---|
//! | a party that stops for ever makes no other party wait | holds | holds for a party that stops outside of sections. One that stops inside makes each party wait that comes to a section |
//! | interrupts | are never masked | are masked in each section, by the application's critical section |
//! | length of a section | | bounded: no section waits, or has a loop that grows with the pool |
//! | foreign code in a section | | none |
//! | a step is repeated | while other parties change the word first | never, for the free list, the queues and a job's transitions. The words of workers and waiters are as in the first variant |
//! | a party that is stopped and goes on later | relies on [tags](#tags) | relies on no tag, except in the word of a waiter for room, and in the note of a submit that finds no slot free |
//! | each other promise | holds | holds |
//!
//! A submit, its run and its result take eight sections together. On a Cortex-M0 the longest of them
//! takes 25 instructions, with the section of one core.
//!
//! # Tags
//!
//! A word that parties compare and swap has a tag beside the index. A party that is stopped between
//! reading a word and swapping it finds another tag if other parties changed the word meanwhile.
//! The tag has the bits that the index leaves, and wraps. A party mistakes a word for the old one
//! only if tag and index are the same again. A tag of n bits is the same again after 2ⁿ steps. In
//! the free list, each slot that is taken or given back is a step. In the queue, a step is a lap of
//! as many jobs as there are SLOTS.
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
//! The numbers are bits. With 16 slots on a 32-bit chip, the free list's tag repeats after 67
//! million steps, and the queue's after four thousand million jobs. With 65,000 slots, the free
//! list's repeats after 32,768 steps. A submit that finds no slot free, and none to take over, leaves
//! a note in the free list. The note has a tag of 15 bits. On a target with a `usize` of 16 bits, 16
//! slots leave the free list 1,024 steps. On such a target, no party may be stopped while other
//! parties take that many slots.
//!
//! # RAM
//!
//! All of a pool is zero at first: in a `static` it takes RAM (`.bss`) and no flash. One more slot
//! takes so many bytes ([`StaticPool::bytes_per_slot`]), at one priority:
//!
//! | BYTES | 32-bit chip without caches | 64-bit host or chip |
//! |---:|---:|---:|
//! | 8 | 36 | 72 |
//! | 16 | 44 | 72 |
//! | 32 | 60 | 136 |
//! | 64 | 92 | 136 |
//! | 128 | 156 | 200 |
//! | 256 | 284 | 328 |
//!
//! BYTES below 16 count as 16, and below 24 as 24 on a host, since a panic's payload has to fit. If
//! panics abort and the feature `remote` is off, no payload has to fit, and BYTES may be smaller.
//!
//! One more of the other parameters takes so many bytes:
//!
//! | one more of | 32-bit chip without caches | 64-bit host or chip |
//! |---|---:|---:|
//! | PRIORITIES | 8 | 256 |
//! | WORKERS | 36 | 64 |
//! | WAITERS | 16 | 32 |
//!
//! Each further priority also takes a word (4 or 8 bytes) of each slot. A host has padding against
//! false sharing between submitters and workers. So has a chip whose cores have caches: each 64-bit chip, and Arm's A- and
//! R-profile. Any other chip (`target_os = "none"`) has none.
//!
//! `StaticPool<16, 64>` with its defaults takes 1,880 bytes on a 32-bit chip.
//!
//! # Targets and Cargo features
//!
//! The crate builds for any target with aligned pointers, on which loads and stores of 16 bits and of
//! a pointer are atomic. It also compiles for Armv4T and Armv5TE, whose processors have no atomics at
//! all. There the application chooses a feature of `portable-atomic`, such as `critical-section`, and
//! defines the function `__sync_synchronize`, which the compiler calls for a fence. No such program
//! has run yet. On a target **without compare-and-swap** (Cortex-M0, RISC-V without the A extension)
//! the pool uses the [critical section](#critical-sections) that the application provides
//! for the crate `critical-section`:
//!
//! * with one core, a section that masks interrupts. `cortex-m` and `riscv` have one, each by a
//!   feature;
//! * with several cores, a section that masks interrupts and takes a lock, such as that of
//!   `rp2040-hal`.
//!
//! The pool is sound if the critical section is. Without a critical section the program does not link.
//!
//! All features are off by default, and all are additive:
//!
//! | feature | purpose |
//! |---|---|
//! | `critical-section` | [critical sections](#critical-sections) on every target: for fewer instructions on one core, and for chips whose compare-and-swap does not work between the cores, or not in the pool's memory |
//! | `defmt` | `defmt::Format` on every public type, log points through `defmt` |
//! | `log` | log points through the `log` facade |
//! | `remote` | the module `remote`: workers that share no memory with the pool |
//! | `cortex-m` | the module `ports` for a Cortex-M: workers that sleep, and the ports of a chip |
//! | `riscv` | the module `ports` for RISC-V in machine mode |
//! | `aarch64`, `aarch32` | the module `ports` for Arm's A- and R-profile: AArch64, and AArch32 from Armv7 on |
//! | `rtos` | the module `ports::rtos`: tasks of FreeRTOS or Zephyr as workers, by a shim in C |
//! | `critical-section-several-cores` | with one of the features of a chip: `ports::AllCores`, a critical section for a chip with several cores |
//! | `sim` | places at which the simulator `corepool-sim` lets other contexts go on; it enables the feature itself. Nothing on bare metal. With `critical-section`, the sections are those of the simulated chip |
#![cfg_attr(not(test), no_std)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(missing_docs)]

// On a host the hot path is inlined. For a chip the compiler decides: hints would make a program
// larger by a third at `opt-level = "s"`.

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
#[cfg(all(
    not(loom),
    any(
        feature = "aarch32",
        feature = "aarch64",
        feature = "cortex-m",
        feature = "riscv",
        feature = "rtos"
    )
))]
pub mod ports;
#[cfg(feature = "remote")]
pub mod remote;
#[cfg(all(feature = "sim", not(loom), not(target_os = "none")))]
pub mod sim;
#[cfg(feature = "remote")]
mod wire;

#[doc(no_inline)]
pub use heapless;

#[cfg(feature = "remote")]
pub use crate::error::CodecError;
pub use crate::{
    api::{
        as_completed::{AsCompleted, AsCompletedError, FutureSet, as_completed},
        cancel_current_task::CancelCurrentTask,
        cancel_on_drop::CancelOnDrop,
        dyn_executor::DynExecutor,
        executor::Executor,
        future::JobFuture,
        gather::{Gather, gather},
        job_state::JobState,
        lent_pool::{LentPool, MemoryTooSmall, PoolConfig},
        map::{DEFAULT_WINDOW, Map, MapError, MapOptions, Submitter},
        pool_ref::PoolRef,
        promise::Promise,
        scope::Scope,
        several::{ReturnWhen, Waited},
        shared_future::{ResultAsync, SharedFuture},
        shutdown::Shutdown,
        static_pool::StaticPool,
        submit_async::SubmitAsync,
        wait::{WaitError, wait},
        wait_async::{WaitAsync, wait_async},
        wait_shared::{WaitSharedAsync, wait_shared, wait_shared_async},
    },
    engine::life::OnLoss,
    error::{
        BrokenReason, CallbackError, InitError, JobError, LossReason, NoWorker, NotInTask, Panic,
        PanicLocation, PanicPayload, PromiseError, RunError, ShutdownError, SubmitError,
    },
    jobs::{
        ambient::{Ambient, Carrying, Policy},
        token::CancelToken,
    },
    machine::{
        port::{ContextId, Parker, Port},
        spin::spin_loop,
        worker::{JobId, Kept, Ranked, SpinWorker, Worker, WorkerId},
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
        // A lane that changes in critical sections needs no padding.
        if cfg!(not(feature = "critical-section")) {
            assert_eq!(row("PRIORITIES")[1], size_of::<Lane>());
        }
        assert_eq!(row("WORKERS")[1], size_of::<Seat>());
        assert_eq!(row("WAITERS")[1], size_of::<Waiter>());
    }
}
