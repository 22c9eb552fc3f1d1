//! One simulation at a time in a process, and no other thread in its statics.

use std::{
    cell::Cell,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};

use crate::{plan::Plan, statics::Static};

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
/// The address ranges of the simulated statics.
static SIMULATED: Mutex<Vec<(usize, usize)>> = Mutex::new(Vec::new());
/// The name of the thread of the host that has touched one.
static TOUCHED_BY: Mutex<Option<Option<String>>> = Mutex::new(None);
static IS_UNDER_WAY: AtomicBool = AtomicBool::new(false);

thread_local! {
    static SIMULATES: Cell<bool> = const { Cell::new(false) };
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Whether this thread simulates.
pub(crate) fn is_mine() -> bool {
    SIMULATES.get()
}

/// Whether a thread of the host has touched a simulated static.
pub(crate) fn is_touched() -> bool {
    lock(&TOUCHED_BY).is_some()
}

/// The name of the thread of the host that has touched a simulated static, since the last call.
pub(crate) fn touched_by() -> Option<Option<String>> {
    lock(&TOUCHED_BY).take()
}

/// The hook was called outside of a simulated context.
pub(crate) fn host_thread_at(address: *const ()) {
    if address.is_null() || SIMULATES.get() || !IS_UNDER_WAY.load(SeqCst) {
        return;
    }
    let is_simulated = lock(&SIMULATED)
        .iter()
        .any(|&(start, end)| (start..end).contains(&address.addr()));
    if is_simulated {
        let name = std::thread::current().name().map(str::to_string);
        lock(&TOUCHED_BY).get_or_insert(name);
    }
}

/// The simulation of this thread, while it lasts.
pub(crate) struct UnderWay<'a> {
    _guard: MutexGuard<'a, ()>,
}

impl UnderWay<'_> {
    pub(crate) fn begin(plan: &Plan<'_>) -> Self {
        let guard = lock(&ONE_AT_A_TIME);
        *lock(&SIMULATED) = plan.statics.iter().map(Static::range).collect();
        lock(&TOUCHED_BY).take();
        SIMULATES.set(true);
        IS_UNDER_WAY.store(true, SeqCst);
        Self { _guard: guard }
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        IS_UNDER_WAY.store(false, SeqCst);
        SIMULATES.set(false);
    }
}
