//! A Cortex-M3 that has its jobs done by whoever is at the other end of its serial port.
//!
//! | urgency | context | does |
//! |---|---|---|
//! | high | `SysTick` | the clock; polls the task that submits |
//! | none | `main` | is the remote worker, and looks at the port all the time |
//!
//! The program says on standard output what the holder of the wire is to do to it.
#![no_std]
#![no_main]

use core::{ptr::NonNull, task::Waker};

use arm_pl011_uart::{
    DataBits, LineConfig, PL011Registers, Parity, StopBits, Uart, UniqueMmioPointer,
};
use corepool::{
    LossReason, SpinWorker,
    ports::OneCore,
    remote::{Buffers, Link, RemoteEnd, RemoteWorker},
};
use cortex_m::Peripherals;
use cortex_m_rt::{entry, exception};
use firmware_support::{exit, println, ram, report, tick};
use remote_suite::{Bench, FRAME, Fault, JOBS, Pool, Tasks, config};

/// The frequency of the oscillator that the chip starts with.
const CORE_HZ: u32 = 12_500_000;

/// The first serial port.
const UART: *mut PL011Registers = 0x4000_C000 as *mut PL011Registers;

static POOL: Pool = Pool::new();
static TASKS: Tasks = Tasks::new();
// SAFETY: there is one core.
static PORT: OneCore = unsafe { OneCore::new() }.with_clock(tick::now);

/// The serial port, with the FIFOs of the device.
struct Port(Uart<'static>);

impl Link for Port {
    fn send(&mut self, bytes: &[u8]) -> Result<usize, LossReason> {
        let mut count = 0;
        for &byte in bytes {
            if self.0.is_tx_fifo_full() {
                break;
            }
            self.0.write_word(byte);
            count += 1;
        }
        Ok(count)
    }

    fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, LossReason> {
        let mut count = 0;
        while let Some(place) = buffer.get_mut(count)
            && !self.0.is_rx_fifo_empty()
        {
            // A byte that was damaged is as good as lost: the frame's checksum tells.
            if let Ok(Some(byte)) = self.0.read_word() {
                *place = byte;
                count += 1;
            }
        }
        Ok(count)
    }

    /// Nobody sleeps.
    fn wake_on_data(&mut self, _waker: &Waker) {}
}

/// Says on standard output what is to be done.
struct Printed;

impl Bench for Printed {
    fn inflict(&self, fault: Fault) {
        println!("wire: {fault}");
    }

    fn report(&self, name: &str, passed: bool) -> usize {
        report(name, passed)
    }
}

#[exception]
fn SysTick() {
    tick::on_tick();
    TASKS.run_pending(1);
}

#[entry]
fn main() -> ! {
    let mut core = Peripherals::take().expect("taken once");
    let registers = NonNull::new(UART).expect("it is not 0");
    // SAFETY: the device is there, and nobody else uses it.
    let mut uart = Uart::new(unsafe { UniqueMmioPointer::new(registers) });
    let line = LineConfig {
        data_bits: DataBits::Bits8,
        parity: Parity::None,
        stop_bits: StopBits::One,
    };
    uart.enable(line, 115_200, CORE_HZ)
        .expect("the rate can be had");

    POOL.install(&PORT);
    tick::start(&mut core.SYST, CORE_HZ);
    let failed = TASKS
        .spawn(remote_suite::run(&POOL, 2, &Printed))
        .expect("there is room");
    let buffers = Buffers {
        outbox: &mut [0; 4 * FRAME],
        inbox: &mut [0; 4 * FRAME],
    };
    let mut worker = RemoteWorker::<_>::new(Port(uart), &JOBS, buffers, config());
    let ended = worker.run(POOL.pool_ref(), &SpinWorker);
    let ended = report(
        "a_shutdown_ends_the_remote_worker",
        ended == Ok(RemoteEnd::ShutDown),
    );
    ram::print();
    exit(ended + failed.result().unwrap_or(1))
}
