//! RISC-V, machine mode: each hart has a software interrupt at the CLINT, which every hart can pend.
//! No register tells which handler is under way, so handlers say so themselves.

use core::{marker::PhantomData, num::NonZeroUsize};

use corepool::ContextId;
use portable_atomic::{AtomicUsize, Ordering};
use riscv::register::{mhartid, mie};
#[cfg(feature = "several-cores")]
use riscv_peripheral::aclint::mswi::MSIP;
use riscv_peripheral::aclint::{CLINT, Clint};

use super::SoftwareInterrupt;

/// Harts that there is room for.
const HARTS: usize = 8;

/// The context that is under way on each hart: one of the constants below.
static CONTEXT: [AtomicUsize; HARTS] = [const { AtomicUsize::new(THREAD) }; HARTS];

const THREAD: usize = 0;
const IN_SOFTWARE_INTERRUPT: usize = 1;
const IN_TIMER_INTERRUPT: usize = 2;
const IN_EXCEPTION: usize = 3;

/// More than there are contexts on a hart.
#[cfg(feature = "several-cores")]
pub(super) const CONTEXTS: usize = 4;

/// That of the hart that calls.
fn current() -> &'static AtomicUsize {
    &CONTEXT[mhartid::read() % HARTS]
}

/// The context of this hart that calls.
pub fn context() -> ContextId {
    NonZeroUsize::MIN.saturating_add(current().load(Ordering::Relaxed))
}

/// Whether no handler is under way on this hart.
pub fn in_thread() -> bool {
    current().load(Ordering::Relaxed) == THREAD
}

/// Calls `f` in a context of its own. On one hart, handlers that interrupt each other end in the
/// opposite order, so each restores what it found.
fn as_context(context: usize, f: impl FnOnce()) {
    let interrupted = current().swap(context, Ordering::Relaxed);
    f();
    current().store(interrupted, Ordering::Relaxed);
}

/// The timer's handler calls this, with its body.
pub fn in_timer_handler(f: impl FnOnce()) {
    as_context(IN_TIMER_INTERRUPT, f);
}

/// The handler of an exception calls this, with its body.
pub fn in_exception_handler(f: impl FnOnce()) {
    as_context(IN_EXCEPTION, f);
}

/// Waits for an interrupt, unless `woken` says that there is no need to.
///
/// With interrupts masked, none can come between the look and the `WFI`; one that is pending ends
/// the `WFI` all the same, and is served when they are unmasked.
pub fn sleep_unless(woken: impl FnOnce() -> bool) {
    riscv::interrupt::free(|| {
        if !woken() {
            riscv::asm::wfi();
        }
    });
}

/// Masks all interrupts of this hart; whether they were enabled.
#[cfg(feature = "several-cores")]
pub(super) fn mask_interrupts() -> bool {
    let enabled = riscv::register::mstatus::read().mie();
    riscv::interrupt::disable();
    enabled
}

/// Ends what [`mask_interrupts`] began.
///
/// # Safety
///
/// They were enabled before, and no critical section is under way on this hart.
#[cfg(feature = "several-cores")]
pub(super) unsafe fn unmask_interrupts() {
    // SAFETY: the caller's promise.
    unsafe { riscv::interrupt::enable() };
}

/// Calls `f` while there is no tick, with which a sleep could end that nothing else ends.
#[cfg(feature = "several-cores")]
pub fn without_tick(f: impl FnOnce()) {
    // SAFETY: no critical section is made of this mask.
    unsafe { mie::clear_mtimer() };
    f();
    // SAFETY: as above.
    unsafe { mie::set_mtimer() };
}

/// The interrupt on which a hart sleeps in `WFI`, to be woken by another one: its software interrupt
/// at the CLINT at `C`, which then is for nothing else.
///
/// The interrupt has no handler: it is enabled only in the sleep, while all interrupts are masked,
/// and being pended ends the `WFI` all the same. No wake-up is lost: it stays pended from the moment
/// it is sent until [`wait`](Self::wait) clears it, and whoever was woken looks at what there is to
/// do only after that.
#[cfg(feature = "several-cores")]
#[derive(Debug)]
pub struct Ipi<C>(PhantomData<fn() -> C>);

#[cfg(feature = "several-cores")]
impl<C: Clint> Ipi<C> {
    fn of(hart: usize) -> MSIP {
        // SAFETY: the CLINT has such a register for each hart, one after the other.
        unsafe { MSIP::new(C::BASE + hart * size_of::<u32>()) }
    }

    /// Has the hart's wait end. From any context of any hart.
    pub fn send(hart: usize) {
        // The writes to memory are there before the interrupt is.
        riscv::asm::fence();
        Self::of(hart).pend();
    }

    /// Waits for [`send`](Self::send), or any other interrupt of this hart that is enabled.
    pub fn wait() {
        riscv::interrupt::free(|| {
            // SAFETY: no critical section is made of this mask.
            unsafe { mie::set_msoft() };
            riscv::asm::wfi();
            // SAFETY: as above.
            unsafe { mie::clear_msoft() };
        });
        Self::of(mhartid::read()).unpend();
        // It is cleared before memory is looked at.
        riscv::asm::fence();
    }
}

// Which hart initializes memory, asked by `riscv-rt` on each: hart 0. The others sleep until they are
// sent an [`Ipi`], which stays pending for what they call next.
#[cfg(feature = "several-cores")]
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

/// The software interrupt of the hart that calls, by the CLINT at `C`.
pub struct SoftwareInterruptOf<C>(PhantomData<fn() -> C>);

impl<C> SoftwareInterruptOf<C> {
    /// There is one for each hart.
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<C> Default for SoftwareInterruptOf<C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<C: Clint> SoftwareInterrupt for SoftwareInterruptOf<C> {
    fn pend(&self) {
        CLINT::<C>::new().mswi().msip_mhartid().pend();
    }

    fn unmask(&self) {
        // SAFETY: no critical section is made of this mask.
        unsafe { mie::set_msoft() };
    }

    fn mask(&self) {
        // SAFETY: as above.
        unsafe { mie::clear_msoft() };
    }

    fn serve(&self, f: &mut dyn FnMut()) {
        as_context(IN_SOFTWARE_INTERRUPT, || {
            // Before the queue is looked at: a job that is queued later pends it again.
            CLINT::<C>::new().mswi().msip_mhartid().unpend();
            self.mask();
            // SAFETY: called in the handler, outside of critical sections; its own interrupt is
            // masked, so that only others come in.
            unsafe { riscv::interrupt::nested(f) };
            self.unmask();
        });
    }
}
