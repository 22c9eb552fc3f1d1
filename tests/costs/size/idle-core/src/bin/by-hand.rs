//! The application by hand: one message at a time, a flag, and the interrupt. It is the floor.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use corepool::ports::Cores;
use idle_core::{HandOver, Virt, application, entry, job};

/// A value, and whether it is there.
struct Message {
    value: AtomicU32,
    is_there: AtomicBool,
}

impl Message {
    const fn new() -> Self {
        Self {
            value: AtomicU32::new(0),
            is_there: AtomicBool::new(false),
        }
    }

    fn put(&self, value: u32) {
        // Relaxed: the store below publishes it.
        self.value.store(value, Ordering::Relaxed);
        // Release: pairs with the swap in `take`.
        self.is_there.store(true, Ordering::Release);
    }

    fn take(&self) -> Option<u32> {
        // Acquire: pairs with the store in `put`.
        let is_there = self.is_there.swap(false, Ordering::Acquire);
        is_there.then(|| self.value.load(Ordering::Relaxed))
    }
}

static INPUT: Message = Message::new();
static RESULT: Message = Message::new();

struct ByHand;

impl HandOver for ByHand {
    type Job = ();

    fn submit(&self, input: u32) -> Option<()> {
        INPUT.put(input);
        Virt::wake(1);
        Some(())
    }

    fn result(&self, _submitted: &mut ()) -> Option<u32> {
        RESULT.take()
    }

    fn work(&self) {
        Virt::sleep(None);
        if let Some(input) = INPUT.take() {
            RESULT.put(job(input));
        }
    }
}

#[entry]
fn main(hart: usize) -> ! {
    application(hart, &ByHand)
}
