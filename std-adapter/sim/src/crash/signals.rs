//! Crashes: the handlers of their signals print the run.

use std::{
    mem::MaybeUninit,
    ptr,
    sync::{
        Once,
        atomic::{AtomicI32, AtomicUsize, Ordering::Relaxed},
    },
};

use super::report::{self, write};

pub(super) fn handle(signal: i32, handler: extern "C" fn(i32), flags: i32) {
    // SAFETY: an action of zeros is valid, with an empty mask. `handler` is a function that
    // takes a signal's number, as the flags say.
    unsafe {
        let mut action: libc::sigaction = MaybeUninit::zeroed().assume_init();
        action.sa_sigaction = handler as libc::sighandler_t;
        action.sa_flags = flags;
        libc::sigaction(signal, &raw const action, ptr::null_mut());
    }
}

/// Makes crashes print the run.
pub(super) fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        for (place, signal) in CRASHES.into_iter().enumerate() {
            let mut before = MaybeUninit::<libc::sigaction>::zeroed();
            // SAFETY: `before` is valid for a write, and no action is set.
            unsafe { libc::sigaction(signal, ptr::null(), before.as_mut_ptr()) };
            // SAFETY: the call above wrote it, and zeros are valid, too.
            let before = unsafe { before.assume_init() };
            BEFORE[place].0.store(before.sa_sigaction, Relaxed);
            BEFORE[place].1.store(before.sa_flags, Relaxed);
            // A stack that has overflowed has no room for a handler.
            handle(signal, report_crash, libc::SA_ONSTACK);
        }
    });
}

const CRASHES: [i32; 6] = [
    libc::SIGABRT,
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGILL,
    libc::SIGTRAP,
    libc::SIGFPE,
];
/// The actions of before.
static BEFORE: [(AtomicUsize, AtomicI32); CRASHES.len()] =
    [const { (AtomicUsize::new(libc::SIG_DFL), AtomicI32::new(0)) }; _];

/// Prints the run, and leaves the signal to the action of before. It calls functions only that
/// POSIX allows in a handler.
extern "C" fn report_crash(signal: i32) {
    if report::ends() {
        write("\ncorepool-sim: the process crashes in a simulation of the test ");
        report::write_test();
        write(".\n");
        report::write_place(" crashes after the point `");
        write("\n");
        report::write_command();
        write(
            "  A fiber's stack has 512 KiB. A panic in a destructor that runs in a panic aborts.\n",
        );
    }
    let place = CRASHES
        .iter()
        .position(|crash| *crash == signal)
        .unwrap_or(0);
    // SAFETY: the action is the one that `listen` found. The signal comes again: a faulting access is
    // repeated, and the other signals are raised here. A raised one waits until this function returns.
    unsafe {
        let mut action: libc::sigaction = MaybeUninit::zeroed().assume_init();
        action.sa_sigaction = BEFORE[place].0.load(Relaxed);
        action.sa_flags = BEFORE[place].1.load(Relaxed);
        libc::sigaction(signal, &raw const action, ptr::null_mut());
        if matches!(signal, libc::SIGABRT | libc::SIGTRAP) {
            libc::raise(signal);
        }
    }
}
