//! Four cores of Arm's A-profile, of QEMU's machine `virt`: core 0 submits, the others run jobs.
//!
//! | core | context | does |
//! |---|---|---|
//! | 0 | interrupt of the generic timer, by the GIC | takes a sample, submits windows, collects results; watchdog |
//! | 0 | `main` | submits and waits |
//! | others | `core_main` | run jobs, sleep in `WFE`; no interrupt is enabled |
//! | others | handler of the undefined instruction | declares its core lost; the others go on |
//!
//! Built for AArch64, on a Cortex-A57, and for Armv7-A, on a Cortex-A15. The firmware's interface PSCI starts the
//! other cores. Each core switches its MMU and its caches on before it uses a pool.
#![no_std]
#![no_main]

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "arm")]
mod armv7a;
mod gic;

use core::time::Duration;

#[cfg(target_arch = "arm")]
use corepool::ports::aarch32 as port;
#[cfg(target_arch = "aarch64")]
use corepool::ports::aarch64 as port;
use corepool::{
    OnLoss,
    ports::{AllCores, Cores},
};
use firmware_support::{
    pulse::InHandler,
    ram,
    several_cores::{self, Chip},
    tick,
};
use port::{Event, core_number, in_handler};
use pulse_app::Pool;
use spin::mutex::SpinMutex;

#[cfg(target_arch = "aarch64")]
use self::aarch64 as cpu;
#[cfg(target_arch = "arm")]
use self::armv7a as cpu;

struct Virt;

static EVENTS: [Event; Virt::CORES] = [const { Event::new() }; Virt::CORES];

// SAFETY: cores have different numbers, and their handlers are `in_handler`.
unsafe impl Cores for Virt {
    fn current() -> usize {
        core_number()
    }

    fn sleep(deadline: Option<Duration>) {
        EVENTS[Self::current()].wait(deadline, Self::now);
    }

    fn wake(core: usize) {
        EVENTS[core].send();
    }

    fn now() -> Option<Duration> {
        Some(tick::now())
    }
}

impl Chip for Virt {
    const CORES: usize = 4;
    const ON_LOSS: OnLoss = OnLoss::Continue;

    fn crash() -> ! {
        cpu::undefined_instruction()
    }
}

critical_section::set_impl!(AllCores<Virt>);

static POOL: Pool = Pool::new();

/// The handler of all interrupts of core 0. Only the timer's is enabled.
fn on_interrupt() {
    // Locked here alone, so never waited for.
    static REPLAY: SpinMutex<InHandler> = SpinMutex::new(InHandler::new());
    in_handler(|| {
        let interrupt = gic::begin();
        tick::start_again();
        tick::on_tick();
        REPLAY.lock().on_tick();
        several_cores::watchdog::<Virt>();
        gic::end(interrupt);
    });
}

/// The handler of an undefined instruction.
fn on_undefined_instruction() -> ! {
    in_handler(|| several_cores::crashed::<Virt>())
}

/// The whole life of core 0, with its MMU on.
fn main() -> ! {
    ram::paint_stack();
    gic::enable_timer();
    tick::start_again();
    cpu::enable_interrupts();
    (1..Virt::CORES).for_each(cpu::start);
    several_cores::run::<Virt>(&POOL)
}

/// The whole life of another core, with its MMU on.
fn core_main() -> ! {
    several_cores::work::<Virt>()
}
