//! Ports and workers for chips. The module needs the feature of a chip's architecture (`cortex-m`, `riscv`, `aarch64` or
//! `aarch32`), or `rtos` for tasks of an RTOS.
//!
//! | worker | sleeps in | is woken by | for |
//! |---|---|---|---|
//! | [`SpinWorker`](crate::SpinWorker) | nothing | nothing: it looks all the time | a core that has nothing else to do |
//! | [`Wfi`] | `WFI` | any interrupt of its core | a chip with one core: its main loop, and callers that block |
//! | [`Pended`] | nothing: its handler returns | an interrupt that software pends | jobs above the main loop and below the drivers |
//! | [`ThisCore`], Arm | `WFE`, by an `Event` of `cortex_m`, `aarch64` or `aarch32` | `SEV` of any core | several cores that share memory |
//! | [`ThisCore`], RISC-V | `WFI`, by a `riscv::Ipi` | a software interrupt from any hart | several harts that share memory |
//! | `rtos::Task` | a call of the kernel | a task notification, or a semaphore | tasks of FreeRTOS or Zephyr, with the feature `rtos` |
//!
//! [`OneCore`] is the [`Port`](crate::Port) for the second and the third, [`SeveralCores`] that for
//! the next two, and `rtos::Rtos` for the last. They name the contexts of the chip, and let no interrupt
//! handler block: a call that would block there fails, see [`Port::with_parker`](crate::Port::with_parker).
//!
//! # One core
//!
//! ```no_run
//! # #[cfg(any(feature = "aarch32", feature = "aarch64", feature = "cortex-m", feature = "riscv"))]
//! # mod example {
//! use core::time::Duration;
//! use corepool::{
//!     StaticPool,
//!     ports::{OneCore, Wfi},
//! };
//!
//! static POOL: StaticPool<8, 32> = StaticPool::new();
//!
//! // SAFETY: the chip has one core, and its handlers call `in_handler` (except on a Cortex-M).
//! static PORT: OneCore = unsafe { OneCore::new() }.with_clock(now);
//!
//! fn now() -> Duration {
//! #   Duration::ZERO
//!     // the time that a timer of the chip has counted
//! }
//!
//! fn main_loop() {
//!     POOL.install(&PORT);
//!     // Runs the jobs that handlers submit, and sleeps in between.
//!     POOL.run(&Wfi).unwrap();
//! }
//! # }
//! ```
//!
//! # Several cores
//!
//! An application describes its chip by a [`Cores`]. With that, each worker core runs
//! `POOL.run(&ThisCore::<Chip>::new())`.
//!
//! A chip without compare-and-swap also needs a critical section that excludes the other cores. If
//! the chip's HAL has none, `AllCores` is one, with the feature `critical-section-several-cores`.
//!
//! # On a host
//!
//! The module compiles on a host, so that an application's tests build there. Its functions panic: the
//! host's port and workers are those of `corepool-std`.

#[cfg(feature = "aarch32")]
pub mod aarch32;
#[cfg(feature = "aarch64")]
pub mod aarch64;
#[cfg(all(
    any(
        feature = "aarch32",
        feature = "aarch64",
        feature = "cortex-m",
        feature = "riscv"
    ),
    feature = "critical-section-several-cores"
))]
mod all_cores;
#[cfg(any(
    feature = "aarch32",
    feature = "aarch64",
    feature = "cortex-m",
    feature = "riscv"
))]
mod arch;
#[cfg(any(
    feature = "aarch32",
    feature = "aarch64",
    feature = "cortex-m",
    feature = "riscv"
))]
mod context;
#[cfg(feature = "cortex-m")]
pub mod cortex_m;
#[cfg(any(feature = "aarch32", feature = "aarch64", feature = "cortex-m"))]
mod event;
#[cfg(any(
    feature = "aarch32",
    feature = "aarch64",
    feature = "cortex-m",
    feature = "riscv"
))]
mod interrupt;
#[cfg(any(
    feature = "aarch32",
    feature = "aarch64",
    feature = "cortex-m",
    feature = "riscv"
))]
mod one_core;
#[cfg(any(
    feature = "aarch32",
    feature = "aarch64",
    feature = "cortex-m",
    feature = "riscv"
))]
mod pended;
#[cfg(feature = "riscv")]
pub mod riscv;
#[cfg(feature = "rtos")]
pub mod rtos;
#[cfg(any(
    feature = "aarch32",
    feature = "aarch64",
    feature = "cortex-m",
    feature = "riscv"
))]
mod several_cores;

#[cfg(all(
    any(
        feature = "aarch32",
        feature = "aarch64",
        feature = "cortex-m",
        feature = "riscv"
    ),
    feature = "critical-section-several-cores"
))]
pub use self::all_cores::AllCores;
#[cfg(any(
    feature = "aarch32",
    feature = "aarch64",
    feature = "cortex-m",
    feature = "riscv"
))]
pub use self::{
    context::{context, in_thread, sleep_unless},
    interrupt::SoftwareInterrupt,
    one_core::{OneCore, Wfi},
    pended::Pended,
    several_cores::{Cores, SeveralCores, ThisCore},
};
