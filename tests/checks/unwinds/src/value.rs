//! Values whose drops are counted, and are foreign code.

use std::{
    panic::panic_any,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::bomb::foreign;

/// How often each value was dropped; its name beside.
static DROPS: Mutex<Vec<(&'static str, u32)>> = Mutex::new(Vec::new());

fn drops() -> MutexGuard<'static, Vec<(&'static str, u32)>> {
    DROPS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Forgets all values.
pub(crate) fn forget_values() {
    drops().clear();
}

/// The values that were not dropped exactly once.
pub(crate) fn unbalanced() -> Vec<String> {
    let drops = drops();
    let wrong = drops.iter().filter(|(_, drops)| *drops != 1);
    wrong
        .map(|(name, drops)| format!("{name}: dropped {drops} times"))
        .collect()
}

/// A value, with a destructor that is counted.
#[derive(Debug)]
pub(crate) struct Value {
    id: usize,
    name: &'static str,
}

impl Value {
    /// `name`: as what its destructor is listed.
    pub(crate) fn new(name: &'static str) -> Self {
        let mut drops = drops();
        drops.push((name, 0));
        Self {
            id: drops.len() - 1,
            name,
        }
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        if let Some((_, drops)) = drops().get_mut(self.id) {
            *drops += 1;
        }
        foreign(self.name);
    }
}

/// The payload with which jobs of the scenario panic.
pub(crate) struct Payload(#[allow(dead_code)] Value);

/// Panics as a job of the scenario does.
pub(crate) fn fail() -> ! {
    panic_any(Payload(Value::new("drop: payload of a panic")))
}
