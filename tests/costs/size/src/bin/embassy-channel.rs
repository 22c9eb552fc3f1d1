//! The application on a channel of embassy: a function and its argument, and a signal with the
//! result. The application keeps a signal for each message in flight, and says which is whose.
#![no_std]
#![no_main]

use embassy_sync::{
    blocking_mutex::raw::CriticalSectionRawMutex, channel::Channel, signal::Signal,
};
use size::{HandOver, SLOTS, application, entry, other_work, work};

type Reply = Signal<CriticalSectionRawMutex, u32>;

struct Message {
    function: fn(u32) -> u32,
    input: u32,
    reply: &'static Reply,
}

static CHANNEL: Channel<CriticalSectionRawMutex, Message, SLOTS> = Channel::new();
static REPLIES: [Reply; SLOTS] = [const { Reply::new() }; SLOTS];

fn send(function: fn(u32) -> u32, round: u32, input: u32) -> Option<&'static Reply> {
    let reply = &REPLIES[round as usize % SLOTS];
    let message = Message {
        function,
        input,
        reply,
    };
    CHANNEL.try_send(message).ok()?;
    Some(reply)
}

struct ByChannel;

impl HandOver for ByChannel {
    type Job = &'static Reply;

    fn submit(&self, round: u32, input: u32) -> Option<Self::Job> {
        send(work, round, input)
    }

    fn submit_other(&self, round: u32, input: u32) -> Option<Self::Job> {
        send(other_work, round, input)
    }

    fn run(&self) {
        if let Ok(message) = CHANNEL.try_receive() {
            message.reply.signal((message.function)(message.input));
        }
    }

    fn result(&self, reply: Self::Job) -> Option<u32> {
        reply.try_take()
    }
}

#[entry]
fn main() -> ! {
    application(&ByChannel)
}
