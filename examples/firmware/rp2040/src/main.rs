//! RP2040, as on a Raspberry Pi Pico: two Cortex-M0+, which have no compare-and-swap. A pulse sensor
//! is at GP26, and the readings go out at GP0 with 115,200 baud.
//!
//! | core | context | does |
//! |---|---|---|
//! | 0 | `SysTick` | the clock |
//! | 0 | `main` | takes a sample every 10 ms, submits windows, prints results; sleeps in `WFE` |
//! | 1 | `core_1` | finds the pulse in the windows, sleeps in `WFE`; no interrupt is enabled |
//!
//! The critical section, without which there is no compare-and-swap here, is the HAL's: it masks
//! the interrupts of its core and takes a hardware spin lock, in that order. A panic goes to the
//! debugger, by semihosting; without one, the core that panics stops.
#![no_std]
#![no_main]

use core::{fmt::Write, iter, time::Duration};

use corepool::ports::{Cores, SeveralCores, ThisCore, cortex_m::Event};
use cortex_m_rt::exception;
use firmware_support::tick;
use portable_atomic as _;
use pulse_app::{FRAMES, Monitor, Outcome, POOL, Plan, Platform, WhenBusy, control_loop};
use rp2040_hal::{
    Adc, Clock, Sio, Watchdog,
    adc::AdcPin,
    clocks::init_clocks_and_plls,
    entry,
    fugit::RateExtU32,
    gpio::Pins,
    multicore::{Multicore, Stack},
    pac::{CorePeripherals, Peripherals},
    uart::{DataBits, StopBits, UartConfig, UartPeripheral},
};

/// The ROM loads and runs this first: it sets up the flash chip.
#[unsafe(link_section = ".boot2")]
#[used]
static BOOT2: [u8; 256] = rp2040_boot2::BOOT_LOADER_GENERIC_03H;

const CRYSTAL_HZ: u32 = 12_000_000;

/// From one sample to the next.
const PERIOD: Duration = Duration::from_millis(10);

/// 100 samples a second, windows of 10 s, one every 2 s.
const PLAN: Plan = match Plan::new(100_000, 10_000, 2_000) {
    Ok(plan) => plan,
    Err(_) => panic!("no such plan"),
};

/// The RP2040's cores. The event that one sends goes to both.
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

    fn now() -> Option<Duration> {
        Some(tick::now())
    }
}

static PORT: SeveralCores<Rp2040> = SeveralCores::new();

/// Core 1's, in words.
static STACK: Stack<2048> = Stack::new();

fn core_1() {
    POOL.run(&ThisCore::<Rp2040>::new())
        .expect("nobody breaks the pool");
}

#[exception]
fn SysTick() {
    tick::on_tick();
}

/// The bench on core 0.
struct Bench<W> {
    next_sample: Duration,
    out: W,
}

impl<W: Write> Platform for Bench<W> {
    fn worker() -> u8 {
        Sio::core() as u8
    }

    fn tick(&mut self) {
        self.next_sample += PERIOD;
        while tick::now() < self.next_sample {
            Rp2040::sleep(Some(self.next_sample));
        }
    }

    /// A line takes some 4 ms, less than there is until the next sample.
    fn report(&mut self, window: u32, outcome: Outcome) {
        // A UART takes whatever it is given.
        let _ = match outcome {
            Outcome::Measured(reading) => match reading.pulse.filter(|pulse| pulse.is_good()) {
                Some(pulse) => {
                    let (bpm, core) = (pulse.milli_bpm / 1000, reading.worker);
                    writeln!(self.out, "{window}: {bpm} bpm, by core {core}\r")
                }
                None => writeln!(self.out, "{window}: no pulse\r"),
            },
            lost => writeln!(self.out, "{window}: {lost:?}\r"),
        };
    }
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
    let pins = Pins::new(
        chip.IO_BANK0,
        chip.PADS_BANK0,
        sio.gpio_bank0,
        &mut chip.RESETS,
    );

    let uart_pins = (pins.gpio0.into_function(), pins.gpio1.into_function());
    let uart = UartPeripheral::new(chip.UART0, uart_pins, &mut chip.RESETS)
        .enable(
            UartConfig::new(115_200.Hz(), DataBits::Eight, None, StopBits::One),
            clocks.peripheral_clock.freq(),
        )
        .expect("the clock is fast enough");

    let sensor = AdcPin::new(pins.gpio26.into_floating_input()).expect("an analog pin");
    let mut adc = Adc::new(chip.ADC, &mut chip.RESETS);
    adc.free_running(&sensor);

    tick::start(&mut core.SYST, clocks.system_clock.freq().to_Hz());

    POOL.install(&PORT);
    Multicore::new(&mut chip.PSM, &mut chip.PPB, &mut sio.fifo).cores()[1]
        .spawn(STACK.take().expect("taken once"), core_1)
        .expect("core 1 answers");

    let mut monitor = Monitor::new(&POOL, &FRAMES, PLAN, WhenBusy::DropWindow);
    let mut bench = Bench {
        next_sample: tick::now(),
        out: uart,
    };
    let samples = iter::from_fn(|| adc.read_single().ok());
    control_loop(&mut monitor, samples, &mut bench);
    panic!("the converter fails");
}
