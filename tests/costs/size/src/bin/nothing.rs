//! The application without anything to hand work over: it does the work in place.
#![no_std]
#![no_main]

use size::{HandOver, application, entry, other_work, work};

struct InPlace;

impl HandOver for InPlace {
    type Job = u32;

    fn submit(&self, _round: u32, input: u32) -> Option<u32> {
        Some(work(input))
    }

    fn submit_other(&self, _round: u32, input: u32) -> Option<u32> {
        Some(other_work(input))
    }

    fn run(&self) {}

    fn result(&self, result: u32) -> Option<u32> {
        Some(result)
    }
}

#[entry]
fn main() -> ! {
    application(&InPlace)
}
