//! RISC-V with FreeRTOS, on QEMU's machine `virt`: see [`firmware_freertos`] for what runs.
//!
//! The kernel's port has the trap handler, and no interrupt interrupts another.
#![no_std]
#![no_main]

mod timer;

use firmware_freertos::on_timer;
use firmware_support::ram;
use freertos_in_rust::{
    pdFALSE,
    port::vPortSetExternalInterruptHandler,
    types::{BaseType_t, UBaseType_t},
};
use riscv::register::mepc;
use riscv_rt::entry;

use crate::timer::Alarm;

const CLOCK_HZ: u32 = 10_000_000;

/// The core's clock, which the kernel wants to know.
#[unsafe(no_mangle)]
pub static FREERTOS_CONFIG_CPU_CLOCK_HZ: u32 = CLOCK_HZ;

/// The clock that the kernel's tick is made from.
#[unsafe(no_mangle)]
pub static FREERTOS_CONFIG_MTIME_HZ: u32 = CLOCK_HZ;

/// `portYIELD_FROM_ISR` switches to the task that `on_timer` wakes, so this need not say so.
extern "C" fn external_interrupt(_cause: UBaseType_t) -> BaseType_t {
    timer::serve(|| on_timer::<Alarm>(Some(mepc::read())));
    pdFALSE
}

/// Where the runtime goes to.
#[entry]
fn main() -> ! {
    ram::paint_stack();
    timer::unmask();
    // SAFETY: the kernel enables external interrupts when its scheduler starts.
    unsafe { vPortSetExternalInterruptHandler(Some(external_interrupt)) };
    firmware_freertos::run::<Alarm>()
}
