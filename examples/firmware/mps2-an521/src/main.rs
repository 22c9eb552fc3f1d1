//! Core 0 submits, core 1 runs jobs. Built for ARMv6-M, which is part of its instruction set, the chip
//! has no compare-and-swap.
//!
//! | core | context | does |
//! |---|---|---|
//! | 0 | `SysTick` | takes a sample, submits windows, collects results; watchdog |
//! | 0 | `main` | submits and waits |
//! | 1 | `core_1` | runs jobs, sleeps in `WFE`; no interrupt is enabled |
//! | 1 | its fault handler | declares core 1 lost, which breaks the pool: nobody else would run jobs |
#![no_std]
#![no_main]

use cortex_m::Peripherals;
use cortex_m_rt::{entry, exception};
use firmware_support::{pulse::InHandler, several_cores, tick};
use mps2_an521::{CORE_HZ, Sse200, Vectors, start_core_1};
use pulse_app::Pool;

static POOL: Pool = Pool::new();

static VECTORS: Vectors = Vectors::new(core_1, core_1_fault);

extern "C" fn core_1() -> ! {
    several_cores::work::<Sse200>()
}

extern "C" fn core_1_fault() -> ! {
    several_cores::crashed::<Sse200>()
}

#[exception]
fn SysTick() {
    static mut REPLAY: InHandler = InHandler::new();
    tick::on_tick();
    REPLAY.on_tick();
    several_cores::watchdog::<Sse200>();
}

#[entry]
fn main() -> ! {
    let mut core = Peripherals::take().expect("taken once");
    tick::start(&mut core.SYST, CORE_HZ);
    start_core_1(&VECTORS);
    several_cores::run::<Sse200>(&POOL)
}
