//! The application by hand: a queue of functions with their arguments, and a cell with the result.
//! The application keeps a cell for each message in flight, and says which is whose.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use heapless::mpmc::Queue;
use size::{HandOver, SLOTS, application, entry, other_work, work};

struct Reply {
    value: AtomicU32,
    is_there: AtomicBool,
}

struct Message {
    function: fn(u32) -> u32,
    input: u32,
    reply: &'static Reply,
}

#[expect(deprecated, reason = "not lock-free, which a firmware may accept")]
static QUEUE: Queue<Message, SLOTS> = Queue::new();
static REPLIES: [Reply; SLOTS] = [const {
    Reply {
        value: AtomicU32::new(0),
        is_there: AtomicBool::new(false),
    }
}; SLOTS];

fn send(function: fn(u32) -> u32, round: u32, input: u32) -> Option<&'static Reply> {
    let reply = &REPLIES[round as usize % SLOTS];
    // Relaxed: the queue publishes the message, and what was written before it.
    reply.is_there.store(false, Ordering::Relaxed);
    let message = Message {
        function,
        input,
        reply,
    };
    QUEUE.enqueue(message).ok()?;
    Some(reply)
}

struct ByHand;

impl HandOver for ByHand {
    type Job = &'static Reply;

    fn submit(&self, round: u32, input: u32) -> Option<Self::Job> {
        send(work, round, input)
    }

    fn submit_other(&self, round: u32, input: u32) -> Option<Self::Job> {
        send(other_work, round, input)
    }

    fn run(&self) {
        if let Some(message) = QUEUE.dequeue() {
            let value = (message.function)(message.input);
            // Relaxed: the store below publishes it.
            message.reply.value.store(value, Ordering::Relaxed);
            // Release: pairs with the load in `result`.
            message.reply.is_there.store(true, Ordering::Release);
        }
    }

    fn result(&self, reply: Self::Job) -> Option<u32> {
        // Acquire: pairs with the store in `run`.
        let is_there = reply.is_there.load(Ordering::Acquire);
        is_there.then(|| reply.value.load(Ordering::Relaxed))
    }
}

#[entry]
fn main() -> ! {
    application(&ByHand)
}
