//! RISC-V, of QEMU's machine `virt`: the interrupt is that of the timer.

use core::arch::asm;

use corepool::ports::riscv::in_handler;
use riscv::interrupt::Interrupt;
use riscv_peripheral::{aclint::mtimer::MTIMER, clint_codegen};
use riscv_rt::{core_interrupt, entry};

clint_codegen!(Clint, base 0x0200_0000, mtime_freq 10_000_000);

/// The farthest place there is.
pub const LAST_PLACE: usize = 600;

/// How many ticks of the timer take as long as the instructions up to the farthest place, and a few more.
/// A tick takes as long as 100 instructions.
const TICKS: u64 = 6;

/// More ticks than a trial's jobs take.
const LATER: u64 = 200;

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
    riscv::asm::wfi();
}

/// Has the interrupt come after so many ticks. The emulator counts them from the write, and from the tick
/// that is under way then. So the write is repeated if a tick has ended since the look at the time.
fn start(ticks: u64) {
    let timer = MTIMER::<Clint>::new();
    loop {
        let now = timer.mtime().read();
        timer.mtimecmp0().write(now + ticks);
        if timer.mtime().read() == now {
            break;
        }
    }
}

/// Executes this number of instructions, and a few more.
#[inline(never)]
fn spend(instructions: usize) {
    // SAFETY: counts down in registers.
    unsafe {
        asm!(
            "andi {1}, {0}, 1",
            "srli {0}, {0}, 1",
            "beqz {1}, 2f",
            "nop",
            "2:",
            "addi {0}, {0}, 1",
            "3:",
            "addi {0}, {0}, -1",
            "bnez {0}, 3b",
            inout(reg) instructions => _,
            out(reg) _,
            options(nomem, nostack),
        );
    }
}

#[core_interrupt(Interrupt::MachineTimer)]
fn timer() {
    // The interrupt is pended until then.
    MTIMER::<Clint>::new().mtimecmp0().write(u64::MAX);
    in_handler(crate::interrupted);
}

#[entry]
fn main() -> ! {
    let timer = MTIMER::<Clint>::new();
    timer.mtimecmp0().write(u64::MAX);
    // SAFETY: the handler is ready, and no critical section is under way.
    unsafe {
        timer.enable();
        riscv::interrupt::enable();
    }
    crate::application()
}
