//! A periodic interrupt: the clock of the port, and a context to make calls from.

#[cfg(a_profile)]
use core::arch::asm;
use core::{hint::spin_loop, ptr, time::Duration};

use portable_atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};

/// Milliseconds from one tick to the next.
pub const PERIOD_MS: u32 = 1;

/// The ticks so far; wraps after 49 days.
static TICKS: AtomicU32 = AtomicU32::new(0);

/// How often [`HALF`] as many ticks as that have passed.
static HALVES: AtomicU32 = AtomicU32::new(0);

const HALF: u32 = 1 << 31;

/// The call that waits for a tick, if there is one.
static CALL: AtomicPtr<Call<'static>> = AtomicPtr::new(ptr::null_mut());

struct Call<'a> {
    f: &'a mut (dyn FnMut() + Send),
    returned: AtomicBool,
}

/// The handler of the board's periodic interrupt calls this, every [`PERIOD_MS`].
pub fn on_tick() {
    let ticks = TICKS.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
    if ticks.is_multiple_of(HALF) {
        // Release: pairs with the Acquire in `now`. Nobody else counts.
        HALVES.fetch_add(1, Ordering::Release);
    }
    // Acquire: pairs with the Release in `call_in_handler`.
    let call = CALL.swap(ptr::null_mut(), Ordering::Acquire);
    if call.is_null() {
        return;
    }
    // SAFETY: `call_in_handler` keeps the call alive, and does not touch `f`, until `returned`.
    // `addr_of` instead of a reference to all of it, since the frame goes with the store.
    let returned = unsafe {
        ((*call).f)();
        &*ptr::addr_of!((*call).returned)
    };
    // Release: pairs with the Acquire in `call_in_handler`.
    returned.store(true, Ordering::Release);
}

/// Starts the system timer of a Cortex-M core that runs at `core_hz`, so that its interrupt comes every
/// [`PERIOD_MS`].
#[cfg(cortex_m)]
pub fn start(timer: &mut cortex_m::peripheral::SYST, core_hz: u32) {
    timer.set_clock_source(cortex_m::peripheral::syst::SystClkSource::Core);
    timer.set_reload(core_hz / 1000 * PERIOD_MS - 1);
    timer.clear_current();
    timer.enable_interrupt();
    timer.enable_counter();
}

/// Starts the virtual generic timer of the core that calls, so that its interrupt comes [`PERIOD_MS`] from now. Its
/// handler calls this again.
#[cfg(a_profile)]
pub fn start_again() {
    let hz: usize;
    // SAFETY: the timer is the tick's.
    unsafe {
        #[cfg(target_arch = "aarch64")]
        asm!("mrs {}, CNTFRQ_EL0", out(reg) hz, options(nomem, nostack, preserves_flags));
        #[cfg(target_arch = "arm")]
        asm!("mrc p15, 0, {}, c14, c0, 0", out(reg) hz, options(nomem, nostack, preserves_flags));
        let cycles = hz / 1000 * PERIOD_MS as usize;
        #[cfg(target_arch = "aarch64")]
        asm!("msr CNTV_TVAL_EL0, {}", in(reg) cycles, options(nomem, nostack, preserves_flags));
        #[cfg(target_arch = "arm")]
        asm!("mcr p15, 0, {}, c14, c3, 0", in(reg) cycles, options(nomem, nostack, preserves_flags));
    }
    control(ENABLE);
}

/// A bit of the generic timer's control register: it counts.
#[cfg(a_profile)]
const ENABLE: usize = 1;

/// A bit of the generic timer's control register: its interrupt is masked.
#[cfg(all(feature = "several-cores", a_profile))]
const MASKED: usize = 1 << 1;

/// Writes the control register of the virtual generic timer.
#[cfg(a_profile)]
fn control(bits: usize) {
    // SAFETY: the timer is the tick's.
    unsafe {
        #[cfg(target_arch = "aarch64")]
        asm!("msr CNTV_CTL_EL0, {}", "isb", in(reg) bits, options(nostack, preserves_flags));
        #[cfg(target_arch = "arm")]
        asm!("mcr p15, 0, {}, c14, c3, 1", "isb", in(reg) bits, options(nostack, preserves_flags));
    }
}

/// The time since the first tick. It never goes back.
pub fn now() -> Duration {
    // Acquire: pairs with the Release in `on_tick`, so the ticks are no older than the halves.
    let halves = HALVES.load(Ordering::Acquire);
    let ticks = so_far(halves, TICKS.load(Ordering::Relaxed));
    Duration::from_millis(ticks * u64::from(PERIOD_MS))
}

/// The ticks that did not wrap, of a count of halves that may be one behind. The last bit of it says
/// which half the ticks were in when it was read, and so whether they have gone on to the next one:
/// the way of `embassy-stm32`'s clock.
const fn so_far(halves: u32, ticks: u32) -> u64 {
    ((halves as u64) << 31) + (ticks ^ ((halves & 1) << 31)) as u64
}

/// At the end of each half, before and after it is counted.
const _: () = {
    assert!(so_far(0, HALF - 1) == HALF as u64 - 1);
    assert!(so_far(0, HALF) == HALF as u64 && so_far(1, HALF) == HALF as u64);
    assert!(so_far(1, 0) == 2 * HALF as u64 && so_far(2, 0) == 2 * HALF as u64);
    assert!(so_far(2, HALF) == 3 * HALF as u64 && so_far(3, HALF) == 3 * HALF as u64);
};

/// Has the next tick's handler call `f`, and returns after that. Not for handlers that the tick
/// does not interrupt.
pub fn call_in_handler(f: &mut (dyn FnMut() + Send)) {
    let mut call = Call {
        f,
        returned: AtomicBool::new(false),
    };
    let address = ptr::from_mut(&mut call);
    // Release: pairs with the Acquire in `on_tick`. One caller at a time.
    while CALL
        .compare_exchange(
            ptr::null_mut(),
            address.cast(),
            Ordering::Release,
            Ordering::Relaxed,
        )
        .is_err()
    {
        spin_loop();
    }
    // SAFETY: `call` is alive; the handler reads it meanwhile, and writes only this atomic.
    let returned = unsafe { &*ptr::addr_of!((*address).returned) };
    while !returned.load(Ordering::Acquire) {
        spin_loop();
    }
}

/// Calls `f` while there is no tick, with which a sleep could end that nothing else ends.
#[cfg(feature = "several-cores")]
pub fn without(f: impl FnOnce()) {
    mask(true);
    f();
    mask(false);
}

/// Switches the interrupt of the tick off, or on again.
#[cfg(all(feature = "several-cores", cortex_m))]
fn mask(off: bool) {
    const INTERRUPT: u32 = 1 << 1;
    // SAFETY: the system timer is the tick's, and only its interrupt's mask changes.
    unsafe {
        let timer = &*cortex_m::peripheral::SYST::PTR;
        timer.csr.modify(|control| match off {
            true => control & !INTERRUPT,
            false => control | INTERRUPT,
        });
    }
}

/// Switches the interrupt of the tick off, or on again.
#[cfg(all(feature = "several-cores", riscv))]
fn mask(off: bool) {
    use riscv::register::mie;
    // SAFETY: no critical section is made of this mask.
    unsafe {
        match off {
            true => mie::clear_mtimer(),
            false => mie::set_mtimer(),
        }
    }
}

/// Switches the interrupt of the tick off, or on again.
#[cfg(all(feature = "several-cores", a_profile))]
fn mask(off: bool) {
    control(if off { ENABLE | MASKED } else { ENABLE });
}
