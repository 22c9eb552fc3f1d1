//! A periodic interrupt: the clock of the port, and a context to make calls from.

use core::{hint::spin_loop, ptr, time::Duration};

use portable_atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};

/// Milliseconds from one tick to the next.
pub const PERIOD_MS: u32 = 1;

static TICKS: AtomicU32 = AtomicU32::new(0);

/// The call that waits for a tick, if there is one.
static CALL: AtomicPtr<Call<'static>> = AtomicPtr::new(ptr::null_mut());

struct Call<'a> {
    f: &'a mut (dyn FnMut() + Send),
    returned: AtomicBool,
}

/// What the handler of the board's periodic interrupt calls, every [`PERIOD_MS`].
pub fn on_tick() {
    TICKS.fetch_add(1, Ordering::Relaxed);
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

/// The time since the first tick.
pub fn now() -> Duration {
    Duration::from_millis(u64::from(TICKS.load(Ordering::Relaxed)) * u64::from(PERIOD_MS))
}

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
