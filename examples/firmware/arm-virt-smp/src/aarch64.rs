//! AArch64: the start of each core, with MMU and caches on, and the exceptions.

use core::arch::asm;

use aarch64_rt::{
    ExceptionHandlers, InitialPagetable, RegisterStateRef, Stack, entry, exception_handlers,
    initial_pagetable, start_core,
};
use firmware_support::several_cores::Chip;
use smccc::Hvc;

use super::{Virt, core_main, main, on_interrupt, on_undefined_instruction};

/// A block of 1 GiB that may be used.
const BLOCK: usize = 1 << 10 | 1;
/// Memory for devices, by `DEFAULT_MAIR`, from which no code is executed.
const DEVICES: usize = BLOCK | 0b11 << 53;
/// Cached memory, by `DEFAULT_MAIR`, which the cores share.
const MEMORY: usize = BLOCK | 1 << 2 | 0b11 << 8;

// `aarch64-rt` switches the MMU and the caches on with it, on each core.
initial_pagetable!({
    let mut blocks = [0; 512];
    blocks[0] = DEVICES;
    blocks[1] = 0x4000_0000 | MEMORY;
    InitialPagetable(blocks)
});

entry!(start_of_core_0, 4);

fn start_of_core_0(_: u64, _: u64, _: u64, _: u64) -> ! {
    main()
}

/// Starts another core, once.
pub fn start(core: usize) {
    static mut STACKS: [Stack<4>; Virt::CORES] = [const { Stack::new() }; Virt::CORES];
    let stacks = (&raw mut STACKS).cast::<Stack<4>>();
    // SAFETY: only this core uses this stack, which is there for ever, in cached memory.
    let started = unsafe {
        start_core::<Hvc, _, 4>(core as u64, stacks.add(core), || {
            core_main();
        })
    };
    started.expect("the core is there, and off");
}

/// Lets interrupts come to the core that calls.
pub fn enable_interrupts() {
    // SAFETY: no critical section is under way.
    unsafe { asm!("msr DAIFClr, #2", options(nostack, preserves_flags)) };
}

/// Causes a fault.
pub fn undefined_instruction() -> ! {
    // SAFETY: it is what the handler is there for.
    unsafe { asm!("udf #0", options(noreturn)) }
}

struct Exceptions;

impl ExceptionHandlers for Exceptions {
    extern "C" fn sync_current(state: RegisterStateRef) {
        /// The class of an undefined instruction, in the upper bits of the syndrome.
        const UNKNOWN: u64 = 0;
        let syndrome: u64;
        // SAFETY: reads a register.
        unsafe { asm!("mrs {}, ESR_EL1", out(reg) syndrome, options(nomem, nostack)) };
        assert!(
            syndrome >> 26 == UNKNOWN,
            "exception: syndrome {syndrome:#x}, {state:x?}"
        );
        on_undefined_instruction()
    }

    extern "C" fn irq_current(_: RegisterStateRef) {
        on_interrupt();
    }
}

exception_handlers!(Exceptions);
