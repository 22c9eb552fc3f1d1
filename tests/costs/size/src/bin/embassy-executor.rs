//! The application on embassy's executor: a task, and a signal with its result. The application
//! keeps a signal for each task that can be in flight, and says which is whose.
#![no_std]
#![no_main]

use embassy_executor::raw::Executor;
use embassy_sync::{blocking_mutex::raw::CriticalSectionRawMutex, signal::Signal};
use size::{HandOver, SLOTS, application, entry, other_work, work};
use static_cell::StaticCell;

type Reply = Signal<CriticalSectionRawMutex, u32>;

static EXECUTOR: StaticCell<Executor> = StaticCell::new();
static REPLIES: [Reply; SLOTS] = [const { Reply::new() }; SLOTS];

#[embassy_executor::task(pool_size = SLOTS)]
async fn task(input: u32, reply: &'static Reply) {
    reply.signal(work(input));
}

#[embassy_executor::task(pool_size = SLOTS)]
async fn other_task(input: u32, reply: &'static Reply) {
    reply.signal(other_work(input));
}

/// The application polls by itself, as it does with the others.
#[unsafe(export_name = "__pender")]
fn pend(_: *mut ()) {}

struct Embassy(&'static Executor);

impl HandOver for Embassy {
    type Job = &'static Reply;

    fn submit(&self, round: u32, input: u32) -> Option<Self::Job> {
        let reply = &REPLIES[round as usize % SLOTS];
        self.0.spawner().spawn(task(input, reply).ok()?);
        Some(reply)
    }

    fn submit_other(&self, round: u32, input: u32) -> Option<Self::Job> {
        let reply = &REPLIES[round as usize % SLOTS];
        self.0.spawner().spawn(other_task(input, reply).ok()?);
        Some(reply)
    }

    fn run(&self) {
        // SAFETY: this is the only call, and it is not made by a task.
        unsafe { self.0.poll() };
    }

    fn result(&self, reply: Self::Job) -> Option<u32> {
        reply.try_take()
    }
}

#[entry]
fn main() -> ! {
    let executor = EXECUTOR.init_with(|| Executor::new(core::ptr::null_mut()));
    application(&Embassy(executor))
}
