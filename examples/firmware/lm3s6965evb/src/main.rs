//! One Cortex-M3: jobs run in the main loop, or in an interrupt that nothing else uses, while the
//! system timer's handler submits.
//!
//! | priority | context | does |
//! |---|---|---|
//! | high | `SysTick` | takes a sample, submits windows, collects results |
//! | low | `GPIOA`, pended by the pool | runs jobs, in the second arrangement |
//! | none | `main` | runs jobs, in the first arrangement |
#![no_std]
#![no_main]

use corepool::ports::{OneCore, cortex_m::Nvic};
use cortex_m::peripheral::{Peripherals, scb::SystemHandler};
use cortex_m_rt::{entry, exception};
use firmware_support::{LentWorker, one_core, pulse::InHandler, tick};
use lm3s6965::{Interrupt, NVIC_PRIO_BITS, interrupt};
use pulse_app::Pool;

/// The core's clock when it comes out of reset.
const CORE_HZ: u32 = 12_500_000;

/// The lowest priority there is.
const LOWEST: u8 = u8::MAX << (8 - NVIC_PRIO_BITS);

/// The interrupt of GPIO port A, which is not used.
static WORKER: LentWorker<Nvic<Interrupt>> = LentWorker::new(Nvic(Interrupt::GPIOA));
// SAFETY: there is one core.
static PENDING: OneCore = unsafe { OneCore::new() }
    .with_clock(tick::now)
    .with_pended_worker(|| WORKER.pend());
static POOLS: [Pool; 2] = [const { Pool::new() }; 2];

#[interrupt]
fn GPIOA() {
    WORKER.on_interrupt();
}

#[exception]
fn SysTick() {
    static mut REPLAY: InHandler = InHandler::new();
    tick::on_tick();
    REPLAY.on_tick();
}

#[entry]
fn main() -> ! {
    let mut core = Peripherals::take().expect("taken once");
    // SAFETY: no critical section is made of priorities.
    unsafe {
        core.NVIC.set_priority(Interrupt::GPIOA, LOWEST);
        core.SCB.set_priority(SystemHandler::SysTick, 0);
    }
    tick::start(&mut core.SYST, CORE_HZ);
    one_core::run(&WORKER, &PENDING, &POOLS)
}
