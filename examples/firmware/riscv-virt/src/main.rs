//! One RISC-V hart, of QEMU's machine `virt`: jobs run in the main loop, or in the software interrupt,
//! while the timer's handler submits.
//!
//! | urgency | context | does |
//! |---|---|---|
//! | high | timer interrupt | takes a sample, submits windows, collects results |
//! | low | software interrupt, pended by the pool | runs jobs, in the second arrangement |
//! | none | `main` | runs jobs, in the first arrangement |
//!
//! Built for RV32IMAC, and for RV32IMC, which has no atomic instructions.
#![no_std]
#![no_main]

use corepool::ports::{
    OneCore,
    riscv::{Msip, in_handler},
};
use firmware_support::{LentWorker, one_core, pulse::InHandler, ram, tick};
use pulse_app::Pool;
use riscv::interrupt::Interrupt;
use riscv_peripheral::{aclint::mtimer::MTIMER, clint_codegen};
use riscv_rt::{core_interrupt, entry};
use spin::mutex::SpinMutex;

clint_codegen!(Clint, base 0x0200_0000, mtime_freq 10_000_000);

/// The cycles of the timer's clock from one tick to the next.
const TICK: u64 = 10_000 * tick::PERIOD_MS as u64;

static WORKER: LentWorker<Msip<Clint>> = LentWorker::new(Msip::new());
// SAFETY: there is one hart, and its handlers are `in_handler`.
static PENDING: OneCore = unsafe { OneCore::new() }
    .with_clock(tick::now)
    .with_pended_worker(|| WORKER.pend());
static POOLS: [Pool; 2] = [const { Pool::new() }; 2];

#[core_interrupt(Interrupt::MachineSoft)]
fn software() {
    WORKER.on_interrupt();
}

#[core_interrupt(Interrupt::MachineTimer)]
fn timer() {
    // Locked here alone, so never waited for.
    static REPLAY: SpinMutex<InHandler> = SpinMutex::new(InHandler::new());
    in_handler(|| {
        MTIMER::<Clint>::new()
            .mtimecmp0()
            .modify(|time| *time += TICK);
        tick::on_tick();
        REPLAY.lock().on_tick();
    });
}

#[entry]
fn main() -> ! {
    ram::paint_stack();
    let timer = MTIMER::<Clint>::new();
    timer.mtimecmp0().write(timer.mtime().read() + TICK);
    // SAFETY: the handlers are ready, and no critical section is under way.
    unsafe {
        timer.enable();
        riscv::interrupt::enable();
    }
    one_core::run(&WORKER, &PENDING, &POOLS)
}
