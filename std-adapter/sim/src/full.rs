//! The fault of a pool that is kept full: its free slots are taken for a while.

use std::{
    any::Any,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{RawWaker, RawWakerVTable, Waker},
    time::Duration,
};

use crate::{machine::Machine, plan::sealed::Pool, port};

/// The slots that are taken: the number of the run, the pool, and what holds them.
struct Taken {
    run: usize,
    pool: usize,
    slots: Box<dyn Any + Send>,
}

static TAKEN: Mutex<Vec<Taken>> = Mutex::new(Vec::new());

/// No slot is freed while the lock is held.
fn taken() -> MutexGuard<'static, Vec<Taken>> {
    TAKEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The handler of the fault: takes the free slots of the pool with this number, and gives them back
/// after a drawn time.
pub(crate) fn take(pool: &'static dyn Pool, number: usize, longest: Duration) {
    let Some(machine) = Machine::current() else {
        return;
    };
    let slots = pool.take_free_slots();
    let run = port::this_run();
    let mut all = taken();
    // An earlier run has ended with these. Its pool is as after power-on now.
    for stale in all.extract_if(.., |taken| taken.run != run) {
        std::mem::forget(stale);
    }
    all.push(Taken {
        run,
        pool: number,
        slots,
    });
    drop(all);
    machine.wake_after(longest, &waker_of(number));
}

/// Gives back the slots of a pool that were taken in this run.
fn give_back(pool: usize) {
    let run = port::this_run();
    let mine: Vec<_> = taken()
        .extract_if(.., |taken| taken.run == run && taken.pool == pool)
        .collect();
    for taken in mine {
        drop(taken.slots);
    }
}

const VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake, |_| ());

fn clone(pool: *const ()) -> RawWaker {
    RawWaker::new(pool, &VTABLE)
}

fn wake(pool: *const ()) {
    give_back(pool.addr());
}

/// The waker that gives back the slots of a pool.
fn waker_of(pool: usize) -> Waker {
    let data = std::ptr::without_provenance(pool);
    // SAFETY: the data are a number. No function of the table dereferences it, and each may be called
    // from any thread.
    unsafe { Waker::from_raw(RawWaker::new(data, &VTABLE)) }
}
