//! Timer 0 of the board.

use cortex_m::{interrupt::InterruptNumber, peripheral::NVIC};
use firmware_freertos::Timer;

/// The clock of the core, and of the timer.
pub const CLOCK_HZ: u32 = 25_000_000;

/// The timer.
#[derive(Clone, Copy)]
pub struct Timer0;

// SAFETY: the number is that of the board's documentation, and there is one.
unsafe impl InterruptNumber for Timer0 {
    fn number(self) -> u16 {
        INTERRUPT as u16
    }
}

/// The number of its interrupt.
pub const INTERRUPT: i16 = 8;

/// The most urgent of those that may call the kernel: its critical sections mask them.
const PRIORITY: u8 = 0xC0;

// Its registers, under their names in the documentation.
const CTRL: *mut u32 = 0x4000_0000 as *mut u32;
const VALUE: *mut u32 = 0x4000_0004 as *mut u32;
const RELOAD: *mut u32 = 0x4000_0008 as *mut u32;
const INTCLEAR: *mut u32 = 0x4000_000C as *mut u32;
const ENABLE_WITH_INTERRUPT: u32 = 1 << 3 | 1;

/// Lets the handler be called; the timer is still off.
pub fn unmask(controller: &mut NVIC) {
    // SAFETY: no critical section is made of this mask; the kernel's is of priorities from
    // this one on.
    unsafe {
        controller.set_priority(Timer0, PRIORITY);
        NVIC::unmask(Timer0);
    }
}

/// The handler calls this first.
pub fn acknowledge() {
    // SAFETY: the timer's registers, which nothing else uses.
    unsafe { INTCLEAR.write_volatile(1) };
}

impl Timer for Timer0 {
    fn start(nanoseconds: u32) {
        let cycles = nanoseconds / (1_000_000_000 / CLOCK_HZ);
        // SAFETY: as above.
        unsafe {
            RELOAD.write_volatile(cycles);
            VALUE.write_volatile(cycles);
            CTRL.write_volatile(ENABLE_WITH_INTERRUPT);
        }
    }

    fn stop() {
        // SAFETY: as above.
        unsafe { CTRL.write_volatile(0) };
    }
}
