//! A Cortex-M3 with FreeRTOS: see [`firmware_freertos`] for what runs.
#![no_std]
#![no_main]

mod timer;

use cortex_m::{
    peripheral::{Peripherals, SCB},
    register::psp,
};
use cortex_m_rt::{entry, exception};
use firmware_freertos::on_timer;

use crate::timer::Timer0;

/// The core's clock, which the kernel needs to know for its tick.
#[unsafe(no_mangle)]
pub static FREERTOS_CONFIG_CPU_CLOCK_HZ: u32 = timer::CLOCK_HZ;

/// The instruction at which a task was interrupted by the handler that calls.
fn interrupted_at() -> Option<usize> {
    const RETURN_TO_BASE: u32 = 1 << 11;
    // SAFETY: a register that is read.
    let state = unsafe { (*SCB::PTR).icsr.read() };
    // Otherwise it was another handler.
    (state & RETURN_TO_BASE != 0).then(|| {
        let frame = psp::read() as *const u32;
        // SAFETY: the frame that the core has put on the task's stack; its seventh word is the
        // address to return to.
        unsafe { frame.add(6).read() as usize }
    })
}

#[exception]
unsafe fn DefaultHandler(number: i16) {
    assert!(number == timer::INTERRUPT, "interrupt {number}");
    timer::acknowledge();
    on_timer::<Timer0>(interrupted_at());
}

#[entry]
fn main() -> ! {
    let mut core = Peripherals::take().expect("taken once");
    timer::unmask(&mut core.NVIC);
    firmware_freertos::run::<Timer0>()
}
