//! The program for the chip: a timer's handler takes samples, and the main loop runs the jobs.
#![no_std]
#![no_main]

use corepool::ports::{OneCore, Wfi};
use cortex_m::{Peripherals, peripheral::syst::SystClkSource};
use cortex_m_rt::{entry, exception};
use my_firmware::{Meter, POOL};
use semihosting::{println, process};

// SAFETY: the chip has one core.
static PORT: OneCore = unsafe { OneCore::new() };

/// From one sample to the next, in the chip's cycles.
const PERIOD: u32 = 12_500;

#[exception]
fn SysTick() {
    static mut METER: Meter = Meter::new();
    static mut SAMPLES: u16 = 0;
    static mut MEANS: u32 = 0;

    METER.sample(*SAMPLES * *SAMPLES % 100);
    *SAMPLES += 1;
    if let Some(mean) = METER.mean() {
        println!("mean {mean}");
        *MEANS += 1;
    }
    if *MEANS == 5 {
        // The main loop's worker leaves. Without `wait`, this cannot fail.
        let _ = POOL.shutdown(false, false);
    }
}

#[entry]
fn main() -> ! {
    let mut core = Peripherals::take().expect("taken once");
    core.SYST.set_clock_source(SystClkSource::Core);
    core.SYST.set_reload(PERIOD - 1);
    core.SYST.clear_current();
    core.SYST.enable_interrupt();
    core.SYST.enable_counter();

    POOL.install(&PORT);
    // Runs the jobs, and sleeps in between.
    POOL.run(&Wfi).expect("the pool is in order");
    process::exit(0)
}
