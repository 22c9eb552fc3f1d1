//! Depends on memory that nobody has written. If `cargo xtask memcheck` does not find it here, it
//! proves nothing.

fn main() {
    let memory = Box::<u32>::new_uninit();
    // SAFETY: none. This is the mistake that must be found.
    let value = unsafe { memory.as_ptr().read_volatile() };
    println!("{}", if value == 0 { "zero" } else { "not zero" });
}
