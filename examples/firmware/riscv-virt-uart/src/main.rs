//! One RISC-V hart, of QEMU's machine `virt`, that has no pool: it runs the jobs which arrive at its
//! serial port, until the other side says goodbye.
//!
//! There is nothing else for the hart to do, so it looks at the port all the time.
#![no_std]
#![no_main]

use core::{num::NonZeroUsize, task::Waker};

use corepool::{
    LossReason, SpinWorker,
    remote::{Buffers, Link, serve},
};
use firmware_support::exit;
use remote_suite::{FRAME, JOBS, set_identity};
use riscv_rt::entry;
use uart_16550::{Config, Uart16550, backend::MmioBackend};

// For the critical sections of `portable-atomic`'s users.
use riscv as _;

const UART: NonZeroUsize = NonZeroUsize::new(0x1000_0000).unwrap();

/// The serial port, with the FIFOs of the device.
struct Port(Uart16550<MmioBackend>);

impl Link for Port {
    fn send(&mut self, bytes: &[u8]) -> Result<usize, LossReason> {
        Ok(self.0.send_bytes(bytes))
    }

    fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, LossReason> {
        Ok(self.0.receive_bytes(buffer))
    }

    /// Nobody sleeps.
    fn wake_on_data(&mut self, _waker: &Waker) {}
}

#[entry]
fn main() -> ! {
    set_identity(2);
    // SAFETY: the device is there, and nobody else uses it.
    let uart = unsafe { Uart16550::new_mmio_from_address(UART, 1) };
    let Ok(mut uart) = uart else { exit(1) };
    if uart.init(Config::default()).is_err() {
        exit(1);
    }
    let buffers = Buffers {
        outbox: &mut [0; 4 * FRAME],
        inbox: &mut [0; 8 * FRAME],
    };
    let served = serve(&mut Port(uart), &JOBS, buffers, &SpinWorker);
    exit(usize::from(served.is_err()))
}
