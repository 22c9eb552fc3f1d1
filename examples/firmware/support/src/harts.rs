//! The start of several harts.

// The hart that initializes memory is hart 0: `riscv-rt` asks each. The others sleep until they are sent
// an `Ipi`, which stays pending for what they call next.
core::arch::global_asm!(
    r#".section .init.mp_hook, "ax"
    .global _mp_hook
_mp_hook:
    beqz a0, 2f
    csrsi mie, 8
1:  wfi
    csrr t0, mip
    andi t0, t0, 8
    beqz t0, 1b
    csrci mie, 8
    li a0, 0
    ret
2:  li a0, 1
    ret"#
);
