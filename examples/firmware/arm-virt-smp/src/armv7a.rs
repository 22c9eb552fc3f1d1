//! Armv7-A: the start of each core, with MMU and caches on, and the exceptions.

use core::arch::{asm, global_asm};

use aarch32_cpu::{
    asm::{dsb, irq_enable, isb},
    register::{Actlr, BpIAll, Dacr, Iciallu, Sctlr, SysRegRead, SysRegWrite, TlbIAll, Ttbr0},
};
use aarch32_rt::{entry, exception, irq};
use smccc::{Hvc, psci::cpu_on_32};

use super::{core_main, main, on_interrupt, on_undefined_instruction};

/// A table of sections of 1 MiB each, aligned as the MMU needs it.
#[repr(C, align(16384))]
struct Sections([u32; 1 << 12]);

static SECTIONS: Sections = Sections({
    /// A section that may be read and written.
    const SECTION: u32 = 0b10 | 0b11 << 10;
    /// Memory for devices, from which no code is executed.
    const DEVICES: u32 = SECTION | 1 << 2 | 1 << 4;
    /// Cached memory, which the cores share.
    const MEMORY: u32 = SECTION | 0b11 << 2 | 1 << 12 | 1 << 16;
    let mut sections = [0; 1 << 12];
    let mut section = 0;
    while section < sections.len() {
        // The machine has memory from 1 GiB on.
        let attributes = if section < 1 << 10 { DEVICES } else { MEMORY };
        sections[section] = (section as u32) << 20 | attributes;
        section += 1;
    }
    sections
});

/// Switches the MMU and the caches of the calling core on. Before that, compare-and-swap need not work.
fn enable_mmu() {
    /// The core takes part in the coherency of the caches.
    const SMP: u32 = 1 << 6;
    /// The permissions of each section are checked.
    const CLIENT: u32 = 0b01;
    /// The table is in cached memory, which the cores share.
    const WALKS: u32 = 1 << 6 | 1 << 3 | 1 << 1;
    /// The cache of instructions, the cache of data, and the MMU.
    const ON: u32 = 1 << 12 | 1 << 2 | 1;
    // SAFETY: the table maps all of the machine's memory to itself.
    unsafe {
        Actlr::write_raw(Actlr::read_raw() | SMP);
        Dacr::write_raw(CLIENT);
        Ttbr0::write_raw((&raw const SECTIONS).addr() as u32 | WALKS);
        TlbIAll::write();
        BpIAll::write();
        Iciallu::write();
        dsb();
        isb();
        Sctlr::write_raw(Sctlr::read_raw() | ON);
        isb();
    }
}

#[entry]
fn start_of_core_0() -> ! {
    enable_mmu();
    main()
}

// PSCI starts a core here, and hands over its number.
global_asm!(
    r#".section .text.entry_of_other_core, "ax"
    .arm
    .global entry_of_other_core
entry_of_other_core:
    ldr r1, =_vector_table
    mcr p15, 0, r1, c12, c0, 0
    bl _stack_setup_preallocated
    b {start}"#,
    start = sym start_of_other_core,
);

unsafe extern "C" {
    fn entry_of_other_core() -> !;
}

extern "C" fn start_of_other_core() -> ! {
    enable_mmu();
    core_main()
}

/// Starts another core, once.
pub fn start(core: usize) {
    let entry = entry_of_other_core as *const ();
    let started = cpu_on_32::<Hvc>(core as u32, entry.addr() as u32, core as u32);
    started.expect("the core is there, and off");
}

/// Lets interrupts come to the core that calls.
pub fn enable_interrupts() {
    // SAFETY: no critical section is under way.
    unsafe { irq_enable() };
}

/// Causes a fault.
pub fn undefined_instruction() -> ! {
    // SAFETY: it is what the handler is there for.
    unsafe { asm!("udf #0", options(noreturn)) }
}

#[irq]
fn irq() {
    on_interrupt();
}

#[exception(Undefined)]
fn undefined(_addr: usize) -> ! {
    on_undefined_instruction()
}

#[exception(PrefetchAbort)]
fn prefetch_abort(addr: usize) -> ! {
    panic!("no code at {addr:#x}");
}

#[exception(DataAbort)]
fn data_abort(addr: usize) -> ! {
    panic!("no memory for the access at {addr:#x}");
}
