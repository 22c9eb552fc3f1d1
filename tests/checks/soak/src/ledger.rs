//! The accounts: what was put into the pool, and what became of it.

use std::{
    cell::Cell,
    fmt,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use corepool::SubmitError;

/// The payload with which jobs of the mix panic.
pub(crate) const EXPECTED_PANIC: &str = "part of the mix";

static TRIED: AtomicU64 = AtomicU64::new(0);
static COMPLETED: AtomicU64 = AtomicU64::new(0);
static FAILED: AtomicU64 = AtomicU64::new(0);
static CANCELLED: AtomicU64 = AtomicU64::new(0);
static REJECTED: AtomicU64 = AtomicU64::new(0);
static MADE: AtomicU64 = AtomicU64::new(0);
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// The totals since the program began.
#[derive(Clone, Copy)]
pub(crate) struct Ledger {
    pub(crate) tried: u64,
    completed: u64,
    failed: u64,
    cancelled: u64,
    rejected: u64,
    made: u64,
    dropped: u64,
}

impl Ledger {
    pub(crate) fn totals() -> Self {
        Self {
            tried: TRIED.load(Relaxed),
            completed: COMPLETED.load(Relaxed),
            failed: FAILED.load(Relaxed),
            cancelled: CANCELLED.load(Relaxed),
            rejected: REJECTED.load(Relaxed),
            made: MADE.load(Relaxed),
            dropped: DROPPED.load(Relaxed),
        }
    }

    /// Whether the accounts balance, when all is quiet.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.tried != self.completed + self.failed + self.cancelled + self.rejected {
            return Err(format!("jobs do not add up: {self}"));
        }
        if self.made != self.dropped {
            return Err(format!(
                "{} values made, {} dropped",
                self.made, self.dropped
            ));
        }
        Ok(())
    }
}

impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} completed, {} failed, {} cancelled, {} rejected",
            self.completed, self.failed, self.cancelled, self.rejected
        )
    }
}

/// A value whose making and dropping is counted.
pub(crate) struct Counted;

impl Counted {
    pub(crate) fn new() -> Self {
        MADE.fetch_add(1, Relaxed);
        Self
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        DROPPED.fetch_add(1, Relaxed);
    }
}

/// One job's account: travels in the job and is settled by what becomes of it.
pub(crate) struct Account {
    _counted: Counted,
    settled: bool,
}

impl Account {
    pub(crate) fn open() -> Self {
        TRIED.fetch_add(1, Relaxed);
        Self {
            _counted: Counted::new(),
            settled: false,
        }
    }

    fn settle(&mut self, account: &AtomicU64) {
        self.settled = true;
        account.fetch_add(1, Relaxed);
    }

    /// The job ran to its end.
    pub(crate) fn complete(mut self) -> Counted {
        self.settle(&COMPLETED);
        Counted::new()
    }

    /// The job panics.
    pub(crate) fn fail(mut self) -> ! {
        self.settle(&FAILED);
        drop(self);
        std::panic::panic_any(EXPECTED_PANIC);
    }
}

thread_local! {
    static REJECTING: Cell<bool> = const { Cell::new(false) };
}

/// Drops a job that the pool did not take.
pub(crate) fn reject<F>(refused: SubmitError<F>) {
    REJECTING.set(true);
    drop(refused.into_inner());
    REJECTING.set(false);
}

impl Drop for Account {
    fn drop(&mut self) {
        if !self.settled {
            // Dropped unrun, or before its end.
            self.settle(if REJECTING.get() {
                &REJECTED
            } else {
                &CANCELLED
            });
        }
    }
}
