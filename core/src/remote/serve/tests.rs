//! A server that receives given bytes, and its answers.

use core::task::Waker;
use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    vec::Vec,
};

use super::*;
use crate::{
    PanicLocation, PanicPayload, SpinWorker,
    remote::MAX_WINDOW,
    remote::scripted::{JOBS, frame, random},
    wire::message::{Fault, Hello, PROTOCOL, PanicSaid, ToClient, ToServer},
};

const OVER: LossReason = LossReason("the test is over");

/// A link that delivers these bytes, and then ends.
struct Feed {
    bytes: VecDeque<u8>,
    /// The bytes of one call.
    at_once: usize,
    /// How often it delivers nothing before its end.
    patience: u32,
    sent: Vec<u8>,
}

impl Link for Feed {
    fn send(&mut self, bytes: &[u8]) -> Result<usize, LossReason> {
        let count = bytes.len().min(self.at_once);
        self.sent.extend(&bytes[..count]);
        Ok(count)
    }

    fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, LossReason> {
        if self.bytes.is_empty() {
            self.patience = self.patience.checked_sub(1).ok_or(OVER)?;
        }
        let count = buffer.len().min(self.bytes.len()).min(self.at_once);
        for (to, from) in buffer.iter_mut().zip(self.bytes.drain(..count)) {
            *to = from;
        }
        Ok(count)
    }

    fn wake_on_data(&mut self, _waker: &Waker) {}

    fn is_lossless(&self) -> bool {
        self.at_once == usize::MAX
    }
}

fn serve_once(feed: &mut Feed) -> Result<(), LossReason> {
    let buffers = Buffers {
        outbox: &mut [0; 64],
        inbox: &mut [0; 64],
    };
    serve(feed, &JOBS, buffers, &SpinWorker)
}

fn hello() -> ToServer {
    ToServer::Hello(Hello {
        protocol: PROTOCOL,
        session: 1,
        jobs: JOBS.key(),
        frame: 64,
        window: 4,
    })
}

#[test]
fn what_a_session_left_does_not_end_the_next_server() {
    let mut bytes = frame(hello(), ());
    bytes.extend(frame(ToServer::Bye, ()));
    // Fills the inbox, up to the middle of a frame.
    bytes.extend(frame(hello(), ()));
    bytes.extend(frame(hello(), ()));
    assert!(bytes.len() > 64);
    let mut feed = Feed {
        bytes: bytes.into(),
        at_once: usize::MAX,
        patience: 0,
        sent: Vec::new(),
    };
    assert_eq!(serve_once(&mut feed), Ok(()));
    assert!(!feed.bytes.is_empty());
    assert_eq!(serve_once(&mut feed), Err(OVER));
}

#[test]
fn a_frame_that_makes_no_sense_ends_a_session_by_a_link_that_does_no_damage() {
    let mut bytes = frame(hello(), ());
    bytes.extend([1, 2, 3, 0]);
    bytes.extend(frame(ToServer::Query { id: 1 }, ()));
    let mut feed = Feed {
        bytes: bytes.into(),
        at_once: usize::MAX,
        patience: 0,
        sent: Vec::new(),
    };
    assert_eq!(serve_once(&mut feed), Err(LossReason::MALFORMED));
}

/// Room for everything that arrives in these tests.
const INBOX: usize = 128;

/// The answer to [`hello`].
fn welcome() -> ToClient {
    ToClient::Welcome(Hello {
        protocol: PROTOCOL,
        session: 1,
        jobs: JOBS.key(),
        frame: INBOX as u32,
        window: MAX_WINDOW as u16,
    })
}

fn request(id: u16) -> Vec<u8> {
    frame(ToServer::Request { id, job: 0 }, 4_u8)
}

fn result(id: u16) -> Vec<u8> {
    frame(ToClient::Result { id }, 8_u8)
}

struct NeverParks;

impl Parker for NeverParks {
    fn waker(&self) -> Waker {
        Waker::noop().clone()
    }

    fn park(&self, _deadline: Option<core::time::Duration>) {
        panic!("it sleeps although there may be more to do");
    }
}

/// All answers of a server to these messages, which arrive at once. It has `requests` requests to
/// run before it may sleep.
fn answers(bytes: &[Vec<u8>], requests: u32, catch_panic: CatchPanic) -> Vec<u8> {
    let mut feed = Feed {
        bytes: bytes.concat().into(),
        at_once: usize::MAX,
        // The server looks at the link once after each.
        patience: requests,
        sent: Vec::new(),
    };
    let buffers = Buffers {
        outbox: &mut [0; 256],
        inbox: &mut [0; INBOX],
    };
    let end = serve_catching(&mut feed, &JOBS, buffers, &NeverParks, catch_panic);
    assert_eq!(end, Err(OVER));
    feed.sent
}

/// All answers of a server to a hello and to these messages.
fn said(then: &[Vec<u8>]) -> Vec<u8> {
    [vec![0], frame(ToClient::Ready, ()), then.concat()].concat()
}

#[test]
fn a_job_is_run_and_its_result_sent() {
    let told = answers(&[frame(hello(), ()), request(3)], 1, just_call);
    assert_eq!(told, said(&[frame(welcome(), ()), result(3)]));
}

#[test]
fn a_client_that_asks_for_a_job_that_waits_hears_that_it_is_there() {
    let query = |id| frame(ToServer::Query { id }, ());
    let told = answers(
        &[
            frame(hello(), ()),
            request(1),
            request(2),
            query(2),
            query(3),
        ],
        2,
        just_call,
    );
    let answers = [
        frame(welcome(), ()),
        frame(ToClient::Running { id: 2 }, ()),
        frame(ToClient::Unknown { id: 3 }, ()),
        result(1),
        result(2),
    ];
    assert_eq!(told, said(&answers));
}

#[test]
fn a_client_that_knows_other_jobs_has_none_run() {
    let ToServer::Hello(ours) = hello() else {
        unreachable!()
    };
    for other in [
        Hello {
            jobs: ours.jobs + 1,
            ..ours
        },
        Hello {
            protocol: PROTOCOL + 1,
            ..ours
        },
    ] {
        let told = answers(
            &[frame(ToServer::Hello(other), ()), request(1)],
            0,
            just_call,
        );
        // The properties of the server, for the client.
        let answers = [frame(welcome(), ()), frame(ToClient::Ready, ())];
        assert_eq!(told, said(&answers));
    }
}

/// The answers of a server that is asked to run two damaged requests, and whose frames to the client
/// have at most `most` bytes.
fn answers_to_damaged(most: u32, catch_panic: CatchPanic) -> Vec<u8> {
    let ToServer::Hello(hello) = hello() else {
        unreachable!()
    };
    let hello = Hello {
        frame: most,
        ..hello
    };
    let damaged = |id| frame(ToServer::Request { id, job: 0 }, ());
    let hello = frame(ToServer::Hello(hello), ());
    answers(&[hello, damaged(1), damaged(2)], 2, catch_panic)
}

fn panicked(said: PanicSaid<'_>) -> Vec<u8> {
    let faults = [1, 2].map(|id| {
        let fault = Fault::Panicked;
        frame(ToClient::Fault { id, fault }, said)
    });
    said_after_welcome(&faults)
}

fn said_after_welcome(answers: &[Vec<u8>]) -> Vec<u8> {
    said(&[&[frame(welcome(), ())], answers].concat())
}

/// A payload whose text the function returns.
struct Says(fn() -> &'static str);

impl PanicPayload for Says {
    fn text(&self) -> Option<&str> {
        Some(self.0())
    }

    fn location(&self) -> Option<PanicLocation<'_>> {
        Some(PanicLocation {
            file: "a.rs",
            line: 7,
            column: 9,
        })
    }

    fn share(&self) -> Self {
        Self(self.0)
    }
}

const LONG: &str = "a text that is longer than the client's buffer";

fn says_much(f: &mut dyn FnMut()) -> Result<(), Panic> {
    f();
    Err(Panic::shared(Says(|| LONG)))
}

#[test]
fn a_text_that_is_too_long_for_the_client_is_cut_off() {
    let told = answers_to_damaged(35, says_much);
    let answer = PanicSaid {
        text: LONG.get(..12),
        location: Some(("a.rs", 7, 9)),
    };
    assert_eq!(told, panicked(answer));
}

#[test]
fn a_fault_without_its_body_is_sent_to_a_client_without_room() {
    let told = answers_to_damaged(10, says_much);
    let fault = Fault::Panicked;
    let faults = [1, 2].map(|id| frame(ToClient::Fault { id, fault }, ()));
    assert_eq!(told, said_after_welcome(&faults));
}

#[test]
fn a_job_whose_panic_panics_ends_as_panicked_all_the_same() {
    fn catches(f: &mut dyn FnMut()) -> Result<(), Panic> {
        catch_unwind(AssertUnwindSafe(f))
            .map_err(|_| Panic::shared(Says(|| panic!("as asked for"))))
    }
    fn fails(f: &mut dyn FnMut()) -> Result<(), Panic> {
        catches(f)?;
        Err(Panic::shared(Says(|| panic!("as asked for"))))
    }
    assert_eq!(
        answers_to_damaged(u32::MAX, fails),
        panicked(PanicSaid::default())
    );
}

/// A link that sends some bytes after each look at what has arrived.
struct Slow {
    feed: Feed,
    takes: usize,
}

impl Link for Slow {
    fn send(&mut self, bytes: &[u8]) -> Result<usize, LossReason> {
        let count = bytes.len().min(core::mem::take(&mut self.takes));
        self.feed.send(&bytes[..count])
    }

    fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, LossReason> {
        self.takes = 4;
        self.feed.receive(buffer)
    }

    fn wake_on_data(&mut self, _waker: &Waker) {}
}

#[test]
fn a_result_waits_until_there_is_room_for_it() {
    let forty = frame(ToServer::Request { id: 1, job: 2 }, ());
    let mut slow = Slow {
        feed: Feed {
            bytes: [frame(hello(), ()), forty].concat().into(),
            at_once: usize::MAX,
            // More looks than the server needs to send all answers.
            patience: 25,
            sent: Vec::new(),
        },
        takes: 0,
    };
    let buffers = Buffers {
        outbox: &mut [0; 64],
        inbox: &mut [0; INBOX],
    };
    let parks = catch_unwind(AssertUnwindSafe(|| {
        serve(&mut slow, &JOBS, buffers, &NeverParks)
    }));
    assert!(parks.is_err(), "it ends by going to sleep");
    let answers = [
        frame(welcome(), ()),
        frame(ToClient::Result { id: 1 }, [[40_u8; 20]; 2]),
    ];
    assert_eq!(slow.feed.sent, said(&answers));
}

/// All messages, and garbage, in any order and in pieces of any size.
#[test]
fn no_bytes_make_the_server_panic_or_stop() {
    for seed in 1..500 {
        let mut random = random(seed);
        let mut bytes = Vec::new();
        for _ in 0..200 {
            let (id, job) = ((random() % 5) as u16, (random() % 3) as u16);
            match random() % 10 {
                0 => bytes.extend(frame(hello(), ())),
                1 => bytes.extend(frame(ToServer::Cancel { id }, ())),
                2 => bytes.extend(frame(ToServer::Query { id }, [7_u8; 20])),
                3 => bytes.extend(frame(ToServer::Request { id, job }, ())),
                4 => bytes.extend(frame(ToServer::Request { id, job }, [7_u8; 30])),
                5 => bytes.extend([random() as u8; 70]),
                6 => bytes.extend((random() as u32).to_le_bytes()),
                _ => bytes.extend(frame(ToServer::Request { id, job }, id as u8)),
            }
        }
        bytes.push(0);
        bytes.extend(frame(ToServer::Bye, ()));
        let mut feed = Feed {
            bytes: bytes.into(),
            at_once: 1 + (random() % 80) as usize,
            patience: 1000,
            sent: Vec::new(),
        };
        assert_eq!(serve_once(&mut feed), Ok(()), "seed {seed}");
    }
}
