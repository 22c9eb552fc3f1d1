//! A Cortex-M: the interrupt is that of `SysTick`.

use core::arch::asm;

use cortex_m::peripheral::SYST;
use cortex_m_rt::{entry, exception};

/// The farthest place there is.
pub const LAST_PLACE: usize = 600;

/// How many ticks of the timer take as long as the instructions up to the farthest place, and a few more.
const TICKS: u32 = if cfg!(target_has_atomic = "ptr") {
    // A tick is 80 instructions.
    6
} else {
    // A tick is 62.5 instructions.
    8
};

/// More ticks than a trial's jobs take.
const LATER: u32 = 200;

/// Has the interrupt come when the main loop or the worker sleeps.
pub fn interrupt_later() {
    start(LATER);
}

/// In the handler: has the interrupt come about `place` instructions after it.
#[inline(never)]
pub fn interrupt_in(place: usize) {
    start(TICKS);
    spend(LAST_PLACE - place);
}

pub fn sleep() {
    cortex_m::asm::wfi();
}

fn start(ticks: u32) {
    // SAFETY: no other code uses the timer.
    let timer = unsafe { &*SYST::PTR };
    // SAFETY: the timer's handler is ready.
    unsafe {
        timer.rvr.write(ticks);
        timer.cvr.write(0);
        // The core's clock, with the interrupt, on.
        timer.csr.write(0b111);
    }
}

/// Executes this number of instructions, and a few more.
#[inline(never)]
fn spend(instructions: usize) {
    // SAFETY: counts down in a register.
    unsafe {
        asm!(
            "lsrs {0}, {0}, #1",
            "bcc 2f",
            "nop",
            "2:",
            "adds {0}, #1",
            "3:",
            "subs {0}, #1",
            "bne 3b",
            inout(reg) instructions => _,
            options(nomem, nostack),
        );
    }
}

#[exception]
fn SysTick() {
    // SAFETY: no other code uses the timer now.
    unsafe { (*SYST::PTR).csr.write(0) };
    crate::interrupted();
}

#[entry]
fn main() -> ! {
    crate::application()
}
