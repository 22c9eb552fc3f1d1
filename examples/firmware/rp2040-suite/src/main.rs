//! RP2040: core 0 submits, core 1 runs jobs and sleeps in `WFE`, which in the emulator of this board it truly does.
//!
//! | core | context | does |
//! |---|---|---|
//! | 0 | `SysTick` | takes a sample, submits windows, collects results; watchdog |
//! | 0 | `main` | submits and waits |
//! | 1 | `core_1` | runs jobs, sleeps in `WFE`; no interrupt is enabled |
//! | 1 | its fault handler | declares core 1 lost, which breaks the pool |
#![no_std]
#![no_main]

use core::time::Duration;

use corepool::{
    OnLoss,
    ports::{Cores, cortex_m::Event},
};
use cortex_m::peripheral::SCB;
use cortex_m_rt::exception;
use firmware_support::{
    pulse::InHandler,
    several_cores::{self, Chip},
    tick,
};
use portable_atomic as _;
use pulse_app::Pool;
use rp2040_hal::{
    Clock, Sio, Watchdog,
    clocks::init_clocks_and_plls,
    entry,
    multicore::{Multicore, Stack},
    pac::{CorePeripherals, Peripherals},
};

#[unsafe(link_section = ".boot2")]
#[used]
static BOOT2: [u8; 256] = rp2040_boot2::BOOT_LOADER_GENERIC_03H;

const CRYSTAL_HZ: u32 = 12_000_000;

/// The RP2040's cores. The event that one sends goes to both.
struct Rp2040;

static EVENTS: [Event; Rp2040::CORES] = [const { Event::new() }; Rp2040::CORES];

// SAFETY: the register that the HAL reads has a number of its own for each core.
unsafe impl Cores for Rp2040 {
    fn current() -> usize {
        Sio::core() as usize
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

impl Chip for Rp2040 {
    const CORES: usize = 2;
    const ON_LOSS: OnLoss = OnLoss::Break;

    fn crash() -> ! {
        cortex_m::asm::udf()
    }
}

static POOL: Pool = Pool::new();

/// Core 1's, in words.
static STACK: Stack<2048> = Stack::new();

/// Core 1's vectors once it runs: no interrupt is enabled there, so each is a fault.
#[repr(C, align(256))]
struct Vectors([extern "C" fn() -> !; 16]);

static VECTORS: Vectors = Vectors([core_1_fault; 16]);

extern "C" fn core_1_fault() -> ! {
    several_cores::crashed::<Rp2040>()
}

fn core_1() {
    // SAFETY: the register is that of this core, and the vectors are there for ever.
    unsafe { (*SCB::PTR).vtor.write((&raw const VECTORS).addr() as u32) };
    several_cores::work::<Rp2040>()
}

#[exception]
fn SysTick() {
    static mut REPLAY: InHandler = InHandler::new();
    tick::on_tick();
    REPLAY.on_tick();
    several_cores::watchdog::<Rp2040>();
}

#[entry]
fn main() -> ! {
    let mut core = CorePeripherals::take().expect("taken once");
    let mut chip = Peripherals::take().expect("taken once");
    let mut sio = Sio::new(chip.SIO);
    let Ok(clocks) = init_clocks_and_plls(
        CRYSTAL_HZ,
        chip.XOSC,
        chip.CLOCKS,
        chip.PLL_SYS,
        chip.PLL_USB,
        &mut chip.RESETS,
        &mut Watchdog::new(chip.WATCHDOG),
    ) else {
        panic!("the crystal is as above");
    };
    tick::start(&mut core.SYST, clocks.system_clock.freq().to_Hz());
    Multicore::new(&mut chip.PSM, &mut chip.PPB, &mut sio.fifo).cores()[1]
        .spawn(STACK.take().expect("taken once"), core_1)
        .expect("core 1 answers");
    several_cores::run::<Rp2040>(&POOL)
}
