//! Code that the core must not have. If `cargo xtask bare` does not find it here, it proves nothing.

/// Panics if there is no such place.
#[cfg(feature = "control-panic")]
#[unsafe(no_mangle)]
pub extern "C" fn control_panic(index: usize) -> u8 {
    core::hint::black_box([1, 2, 3])[index]
}

#[cfg(feature = "control-recursion")]
#[unsafe(no_mangle)]
pub extern "C" fn control_recursion(n: u32) -> u32 {
    calls_itself(n) | calls_the_other(n) | calls_by_table(n)
}

/// Is not a loop to the compiler, since something is left to do after the call.
#[cfg(feature = "control-recursion")]
#[inline(never)]
fn calls_itself(n: u32) -> u32 {
    match core::hint::black_box(n) {
        0 => 0,
        n => core::hint::black_box(calls_itself(n - 1)),
    }
}

#[cfg(feature = "control-recursion")]
#[inline(never)]
fn calls_the_other(n: u32) -> u32 {
    match core::hint::black_box(n) {
        0 => 0,
        n => core::hint::black_box(is_the_other(n - 1)),
    }
}

#[cfg(feature = "control-recursion")]
#[inline(never)]
fn is_the_other(n: u32) -> u32 {
    core::hint::black_box(calls_the_other(n))
}

#[cfg(feature = "control-recursion")]
#[inline(never)]
fn calls_by_table(n: u32) -> u32 {
    static TABLE: [fn(u32) -> u32; 1] = [is_in_table];
    match core::hint::black_box(&TABLE) {
        [entry] if n > 0 => core::hint::black_box(entry(n - 1)),
        _ => 0,
    }
}

#[cfg(feature = "control-recursion")]
fn is_in_table(n: u32) -> u32 {
    core::hint::black_box(calls_by_table(n))
}
