//! Four RISC-V harts, of QEMU's machine `virt`: hart 0 submits, the others run jobs.
//!
//! | hart | context | does |
//! |---|---|---|
//! | 0 | timer interrupt | takes a sample, submits windows, collects results; watchdog |
//! | 0 | `main` | submits and waits |
//! | others | `main` | run jobs, sleep in `WFI`; no interrupt has a handler |
//! | others | handler of the illegal instruction | declares its hart lost; the others go on |
//!
//! Built for RV32IMAC, and for RV64IMAC.
#![no_std]
#![no_main]

use core::{arch::asm, time::Duration};

use corepool::{
    OnLoss,
    ports::{
        AllCores, Cores,
        riscv::{Ipi, in_handler},
    },
};
use firmware_support::{
    pulse::InHandler,
    ram,
    several_cores::{self, Chip},
    tick,
};
use pulse_app::Pool;
use riscv::{
    interrupt::{Exception, Interrupt},
    register::mhartid,
};
use riscv_peripheral::{aclint::mtimer::MTIMER, clint_codegen};
use riscv_rt::{TrapFrame, core_interrupt, entry, exception};
use spin::mutex::SpinMutex;

clint_codegen!(Clint, base 0x0200_0000, mtime_freq 10_000_000);

/// The cycles of the timer's clock from one tick to the next.
const TICK: u64 = 10_000 * tick::PERIOD_MS as u64;

struct Virt;

// SAFETY: harts have different numbers, and their handlers are `in_handler`.
unsafe impl Cores for Virt {
    fn current() -> usize {
        mhartid::read()
    }

    /// The tick passes the deadline, and ends the sleep of the hart that has it.
    fn sleep(_deadline: Option<Duration>) {
        Ipi::<Clint>::wait();
    }

    fn wake(core: usize) {
        Ipi::<Clint>::send(core);
    }

    fn now() -> Option<Duration> {
        Some(tick::now())
    }
}

impl Chip for Virt {
    const CORES: usize = 4;
    const ON_LOSS: OnLoss = OnLoss::Continue;

    fn crash() -> ! {
        // SAFETY: it is what its handler is there for.
        unsafe { asm!("unimp", options(noreturn)) }
    }
}

critical_section::set_impl!(AllCores<Virt>);

static POOL: Pool = Pool::new();

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
        several_cores::watchdog::<Virt>();
    });
}

#[exception(Exception::IllegalInstruction)]
fn illegal_instruction(_frame: &TrapFrame) -> ! {
    in_handler(|| several_cores::crashed::<Virt>())
}

#[entry]
fn main(hart: usize) -> ! {
    if hart != 0 {
        several_cores::work::<Virt>();
    }
    ram::paint_stack();
    let timer = MTIMER::<Clint>::new();
    timer.mtimecmp0().write(timer.mtime().read() + TICK);
    // SAFETY: the handlers are ready, and no critical section is under way.
    unsafe {
        timer.enable();
        riscv::interrupt::enable();
    }
    (1..Virt::CORES).for_each(Virt::wake);
    several_cores::run::<Virt>(&POOL)
}
