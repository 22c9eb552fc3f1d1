//! The program for the chip: core 0 takes samples and prints at GP0 with 115,200 baud, core 1 runs the jobs.
#![no_std]
#![no_main]

use core::{fmt::Write, time::Duration};

use corepool::ports::{Cores, SeveralCores, ThisCore, cortex_m::Event};
use my_firmware::{Meter, POOL};
use panic_halt as _;
use rp2040_hal::{
    Clock, Sio, Watchdog,
    clocks::init_clocks_and_plls,
    entry,
    fugit::RateExtU32,
    gpio::Pins,
    multicore::{Multicore, Stack},
    pac::Peripherals,
    uart::{DataBits, StopBits, UartConfig, UartPeripheral},
};

/// The ROM loads and runs this first: it sets up the flash chip.
#[unsafe(link_section = ".boot2")]
#[used]
static BOOT2: [u8; 256] = rp2040_boot2::BOOT_LOADER_GENERIC_03H;

const CRYSTAL_HZ: u32 = 12_000_000;

/// The chip's two cores.
struct Rp2040;

static EVENTS: [Event; 2] = [const { Event::new() }; 2];

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
}

static PORT: SeveralCores<Rp2040> = SeveralCores::new();

/// Core 1's, in words.
static STACK: Stack<1024> = Stack::new();

fn core_1() {
    // Runs the jobs, and sleeps in between.
    POOL.run(&ThisCore::<Rp2040>::new())
        .expect("the pool is in order");
}

/// From one sample to the next, in the chip's cycles.
const PERIOD: u32 = 125_000;

#[entry]
fn main() -> ! {
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
    let pins = Pins::new(
        chip.IO_BANK0,
        chip.PADS_BANK0,
        sio.gpio_bank0,
        &mut chip.RESETS,
    );
    let uart_pins = (pins.gpio0.into_function(), pins.gpio1.into_function());
    let mut uart = UartPeripheral::new(chip.UART0, uart_pins, &mut chip.RESETS)
        .enable(
            UartConfig::new(115_200.Hz(), DataBits::Eight, None, StopBits::One),
            clocks.peripheral_clock.freq(),
        )
        .expect("the clock is fast enough");

    POOL.install(&PORT);
    Multicore::new(&mut chip.PSM, &mut chip.PPB, &mut sio.fifo).cores()[1]
        .spawn(STACK.take().expect("taken once"), core_1)
        .expect("core 1 answers");

    let mut meter = Meter::new();
    for sample in (0..100).cycle() {
        meter.sample(sample * sample % 100);
        if let Some(mean) = meter.mean() {
            // A UART takes whatever it is given.
            let _ = writeln!(uart, "mean {mean}\r");
        }
        cortex_m::asm::delay(PERIOD);
    }
    unreachable!("the samples do not end")
}
