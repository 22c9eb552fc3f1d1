//! One Cortex-M0 (nRF51822), which has no compare-and-swap and 16 KiB of RAM. Jobs run in the main
//! loop, or in a software interrupt, while a timer's handler submits.
//!
//! | priority | context | does |
//! |---|---|---|
//! | high | `TIMER0` | takes a sample, submits windows, collects results |
//! | low | `SWI0`, pended by the pool | runs jobs, in the second arrangement |
//! | none | `main` | runs jobs, in the first arrangement |
#![no_std]
#![no_main]

use corepool::ports::{OneCore, cortex_m::Nvic};
use cortex_m_rt::entry;
use firmware_support::{LentWorker, one_core, pulse::InHandler, tick};
use nrf51_pac::{CorePeripherals, Interrupt, NVIC_PRIO_BITS, Peripherals, TIMER0, interrupt};
use portable_atomic as _;
use pulse_app::Pool;

/// The lowest priority there is.
const LOWEST: u8 = u8::MAX << (8 - NVIC_PRIO_BITS);

/// The first of the chip's software interrupts.
static WORKER: LentWorker<Nvic<Interrupt>> = LentWorker::new(Nvic(Interrupt::SWI0));
// SAFETY: there is one core.
static PENDING: OneCore = unsafe { OneCore::new() }
    .with_clock(tick::now)
    .with_pended_worker(|| WORKER.pend());
static POOLS: [Pool; 2] = [const { Pool::new() }; 2];

#[interrupt]
fn SWI0() {
    WORKER.on_interrupt();
}

#[interrupt]
fn TIMER0() {
    static mut REPLAY: InHandler = InHandler::new();
    // SAFETY: `main` has set the timer up, and does not use it any more.
    let timer = unsafe { &*TIMER0::ptr() };
    timer.events_compare[0].reset();
    tick::on_tick();
    REPLAY.on_tick();
}

#[entry]
fn main() -> ! {
    let mut core = CorePeripherals::take().expect("taken once");
    let timer = Peripherals::take().expect("taken once").TIMER0;
    // SAFETY: no critical section is made of priorities; the handlers are ready.
    unsafe {
        core.NVIC.set_priority(Interrupt::SWI0, LOWEST);
        core.NVIC.set_priority(Interrupt::TIMER0, 0);
        cortex_m::peripheral::NVIC::unmask(Interrupt::TIMER0);
    }
    // 16 MHz divided by 2 to the power of 4.
    // SAFETY: the field is a power of up to 9.
    timer.prescaler.write(|w| unsafe { w.prescaler().bits(4) });
    timer.bitmode.write(|w| w.bitmode()._16bit());
    // SAFETY: any value is a time to compare with; this one fits the timer's 16 bits.
    timer.cc[0].write(|w| unsafe { w.bits(1000 * tick::PERIOD_MS) });
    timer.shorts.write(|w| w.compare0_clear().enabled());
    timer.intenset.write(|w| w.compare0().set_bit());
    // SAFETY: 1 is the value that starts the timer.
    timer.tasks_start.write(|w| unsafe { w.bits(1) });
    one_core::run(&WORKER, &PENDING, &POOLS)
}
