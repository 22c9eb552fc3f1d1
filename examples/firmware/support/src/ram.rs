//! How much memory a run took, from the linker's symbols and the paint on the stack.

use semihosting::println;

/// The value that is painted on the stack before it is used.
#[cfg(cortex_m)]
use cortex_m_rt::STACK_PAINT_VALUE as PAINT;
#[cfg(not(cortex_m))]
const PAINT: u32 = 0xCCCC_CCCC;

// In the linker scripts of `cortex-m-rt`, `riscv-rt` and `aarch32-rt`, and in the boards' `memory.x`.
#[cfg(not(target_arch = "aarch64"))]
unsafe extern "C" {
    #[cfg_attr(cortex_m, link_name = "__vector_table")]
    #[cfg_attr(riscv, link_name = "_stext")]
    #[cfg_attr(a_profile, link_name = "__svector")]
    static FLASH_START: u8;
    #[link_name = "__sidata"]
    static DATA_IN_FLASH: u8;
    #[link_name = "__sdata"]
    static DATA_START: u8;
    #[link_name = "__edata"]
    static DATA_END: u8;
    #[link_name = "_ram_start"]
    static RAM_START: u8;
    #[cfg_attr(cortex_m, link_name = "_stack_end")]
    #[cfg_attr(not(cortex_m), link_name = "__ebss")]
    static STATICS_END: u8;
    #[link_name = "_stack_end"]
    static STACK_END: u32;
    #[link_name = "_stack_start"]
    static STACK_START: u32;
}

// In that of `aarch64-rt`, whose data is in its place from the start.
#[cfg(target_arch = "aarch64")]
unsafe extern "C" {
    #[link_name = "text_begin"]
    static FLASH_START: u8;
    #[link_name = "data_begin"]
    static DATA_IN_FLASH: u8;
    #[link_name = "data_begin"]
    static DATA_START: u8;
    #[link_name = "data_end"]
    static DATA_END: u8;
    #[link_name = "data_begin"]
    static RAM_START: u8;
    #[link_name = "bss_end"]
    static STATICS_END: u8;
    #[link_name = "boot_stack_begin"]
    static STACK_END: u32;
    #[link_name = "boot_stack_end"]
    static STACK_START: u32;
}

/// Paints the part of the stack that is not in use. `cortex-m-rt` does so itself.
#[cfg(not(cortex_m))]
pub fn paint_stack() {
    let mut word = (&raw const STACK_END).cast_mut();
    let here = (&raw mut word).cast::<u32>();
    // Room for this function's own frame.
    let end = here.wrapping_sub(64);
    while word < end {
        // SAFETY: between the statics and the stack in use is RAM that nobody uses.
        unsafe { word.write_volatile(PAINT) };
        word = word.wrapping_add(1);
    }
}

/// Prints, as a measurement, the flash that the program takes, its static RAM, and the deepest that
/// the stack has been: on several cores, that of core 0.
pub fn print() {
    let between = |start: *const u8, end: *const u8| end as usize - start as usize;
    let flash = between(&raw const FLASH_START, &raw const DATA_IN_FLASH)
        + between(&raw const DATA_START, &raw const DATA_END);
    let start = &raw const RAM_START;
    let (bottom, top) = (&raw const STACK_END, &raw const STACK_START);
    let mut untouched = bottom;
    // SAFETY: from `STACK_END` to `STACK_START` is RAM. The words above the paint belong to frames in
    // use; they are only compared.
    while untouched < top && unsafe { untouched.read_volatile() } == PAINT {
        untouched = untouched.wrapping_add(1);
    }
    let statics = between(start, &raw const STATICS_END);
    let stack = between(untouched.cast(), top.cast());
    let all = between(start, top.cast());
    println!("# flash {flash} bytes; RAM {statics} static, {stack} stack, of {all}");
}
