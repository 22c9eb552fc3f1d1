//! The serial port, as the link that jobs arrive by.

use core::{num::NonZeroUsize, panic::PanicInfo, task::Waker};

use corepool::{
    LossReason, PanicLocation, SpinWorker,
    remote::{Buffers, JobTable, LastWords, Link, serve_with_last_words},
};
use firmware_support::exit;
use uart_16550::{Config, Uart16550, backend::MmioBackend};

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

static LAST_WORDS: LastWords = LastWords::new();

/// Says the panic to the side that waits for the job, and ends.
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    // SAFETY: the device is there. The context that used it has panicked, and does not go on.
    if let Ok(mut uart) = unsafe { Uart16550::new_mmio_from_address(UART, 1) } {
        let place = info.location().map(PanicLocation::from);
        LAST_WORDS.say(info.message(), place, |bytes| uart.send_bytes_exact(bytes));
    }
    exit(1)
}

/// Runs the jobs that arrive, until the other side says goodbye.
///
/// There is nothing else for the hart to do, so it looks at the port all the time.
pub fn serve_to_the_end(jobs: &'static JobTable, buffers: Buffers<'_>) -> ! {
    // SAFETY: the device is there, and nobody else uses it.
    let uart = unsafe { Uart16550::new_mmio_from_address(UART, 1) };
    let Ok(mut uart) = uart else { exit(1) };
    if uart.init(Config::default()).is_err() {
        exit(1);
    }
    let mut port = Port(uart);
    let served = serve_with_last_words(&mut port, jobs, buffers, &SpinWorker, &LAST_WORDS);
    exit(usize::from(served.is_err()))
}
