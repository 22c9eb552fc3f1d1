//! Submits from a signal handler, which preempts its thread between any two instructions, as an
//! interrupt does on a chip.
#![cfg(unix)]

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
};

use corepool::{SpinWorker, StaticPool};
use corepool_tests::{PATIENCE, run_for};

static POOL: StaticPool<64, 32> = StaticPool::new();
static ACCEPTED: AtomicUsize = AtomicUsize::new(0);
static REFUSED: AtomicUsize = AtomicUsize::new(0);
static RAN: AtomicUsize = AtomicUsize::new(0);
static HANDLED: AtomicUsize = AtomicUsize::new(0);

/// Submits a job: one in ten is cancelled, the others are detached.
fn submit_one() {
    let job = || {
        RAN.fetch_add(1, Ordering::Relaxed);
    };
    let accepted = match POOL.submit(job) {
        Ok(future) if HANDLED.load(Ordering::Relaxed).is_multiple_of(10) => !future.cancel(),
        Ok(_detached) => true,
        Err(_full) => {
            REFUSED.fetch_add(1, Ordering::Relaxed);
            return;
        }
    };
    if accepted {
        ACCEPTED.fetch_add(1, Ordering::Relaxed);
    }
}

extern "C" fn handler(_signal: libc::c_int) {
    HANDLED.fetch_add(1, Ordering::Relaxed);
    submit_one();
    submit_one();
}

/// A handler that interrupts a submit, a run, a cancel or another thread's work submits, and nothing
/// is lost: each job that was accepted runs once, and all slots come back.
#[test]
fn submit_from_a_signal_handler() {
    run_for(PATIENCE, || {
        // SAFETY: the handler uses atomics and the pool, which has no lock and no port.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = handler as *const () as usize;
            action.sa_flags = libc::SA_RESTART;
            assert_eq!(
                libc::sigaction(libc::SIGUSR1, &action, std::ptr::null_mut()),
                0
            );
        }
        let worker = thread::spawn(|| POOL.run(&SpinWorker).unwrap());
        static STOP: AtomicBool = AtomicBool::new(false);
        let submitter = thread::spawn(|| {
            while !STOP.load(Ordering::Relaxed) {
                submit_one();
                if let Ok(future) = POOL.submit(|| 1) {
                    assert_eq!(future.result().unwrap(), 1);
                }
            }
        });
        use std::os::unix::thread::JoinHandleExt;
        let targets = [worker.as_pthread_t(), submitter.as_pthread_t()];
        let mut sent = 0;
        while HANDLED.load(Ordering::Relaxed) < 400 {
            // SAFETY: both threads run until they are told to stop, below.
            let error = unsafe { libc::pthread_kill(targets[sent % 2], libc::SIGUSR1) };
            assert_eq!(error, 0);
            sent += 1;
            thread::yield_now();
        }
        STOP.store(true, Ordering::Relaxed);
        submitter.join().unwrap();
        POOL.shutdown(true, false).unwrap();
        worker.join().unwrap();
        assert!(ACCEPTED.load(Ordering::Relaxed) > 0);
        assert_eq!(
            RAN.load(Ordering::Relaxed),
            ACCEPTED.load(Ordering::Relaxed)
        );
        assert_eq!(POOL.free_slots(), POOL.capacity());
    });
}
