//! The application without anything to hand work over: it does the work in place.
#![no_std]
#![no_main]

use size::{HandOver, application, entry, work};

struct InPlace;

impl HandOver for InPlace {
    type Job = u32;

    fn submit(&self, _round: u32, input: u32) -> Option<u32> {
        Some(input)
    }

    fn run(&self) {}

    fn result(&self, input: u32) -> Option<u32> {
        Some(work(input))
    }
}

#[entry]
fn main() -> ! {
    application(&InPlace)
}
