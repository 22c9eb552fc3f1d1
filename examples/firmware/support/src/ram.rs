//! How much memory a run took, from the linker's symbols and the paint on the stack.

use semihosting::println;

unsafe extern "C" {
    static __vector_table: u8;
    static __sidata: u8;
    static __sdata: u8;
    static __edata: u8;
    static _ram_start: u8;
    static _stack_end: u32;
    static _stack_start: u32;
}

/// Prints, as a measurement, the flash that the program takes, its static RAM, and the deepest that
/// the stack has been.
pub fn print() {
    let address = |symbol: *const u8| symbol as usize;
    let flash = address(&raw const __sidata) - address(&raw const __vector_table)
        + (address(&raw const __edata) - address(&raw const __sdata));
    let bottom = &raw const _stack_end;
    let top = &raw const _stack_start;
    let statics = address(bottom.cast()) - address(&raw const _ram_start);
    let mut untouched = bottom;
    // SAFETY: from `_stack_end` to `_stack_start` is RAM, painted before `main`. It is the stack
    // that others write, so it is read as what it is, memory.
    while untouched < top && unsafe { untouched.read_volatile() } == cortex_m_rt::STACK_PAINT_VALUE
    {
        untouched = untouched.wrapping_add(1);
    }
    let stack = address(top.cast()) - address(untouched.cast());
    let all = address(top.cast()) - address(&raw const _ram_start);
    println!("# flash {flash} bytes; RAM {statics} static, {stack} stack, of {all}");
}
