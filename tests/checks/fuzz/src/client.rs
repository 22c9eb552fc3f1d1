//! The answers of a hostile server. Jobs end with an answer that was sent to them, or with none, and
//! all else in the pool is as it was.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    fmt::Debug,
    task::Waker,
    time::Duration,
    vec::IntoIter,
};

use arbitrary::Arbitrary;
use corepool::{
    ContextId, JobError, JobFuture, OnLoss, Parker, Port, StaticPool, Worker,
    remote::{Buffers, OnTimeout, RemoteConfig, RemoteWorker},
};
use serde::de::DeserializeOwned;

use crate::{
    jobs::{JOBS, Repeat, Sum},
    link::{Script, ScriptedLink, Traffic, Wire},
    server::key,
    wire::{Fault, Hello, PROTOCOL, PanicSaid, ToClient, ToServer, content, encode, frame, frames},
};

/// The answers of the server, and its link.
#[derive(Arbitrary, Debug)]
pub struct Input {
    lossless: bool,
    /// How much longer the buffers are than they must be.
    outbox: u8,
    inbox: u8,
    breaks: bool,
    gives_up: bool,
    retries: u8,
    /// In milliseconds.
    silence: Option<u8>,
    patience: Option<u8>,
    prefetch: Option<u8>,
    steps: Vec<Step>,
}

#[derive(Arbitrary, Debug)]
enum Step {
    Raw(Vec<u8>),
    Message(ToClient, Vec<u8>),
    Damaged(ToClient, Vec<u8>, u8, u8),
    /// To the last hello, with the right key.
    Welcome {
        frame: u16,
        window: u8,
    },
    /// To one of the requests that came.
    Answer(u8, Answer),
    Repeat(Repeat),
    Sum(Sum),
    Cancel(u8),
    Forget(u8),
    /// So many milliseconds.
    Wait(u8),
    Traffic(Traffic),
    ShutDown,
}

#[derive(Arbitrary, Debug)]
enum Answer {
    Result,
    OtherResult(Vec<u8>),
    Fault(Fault, String),
    Cancelled,
    Running,
    Unknown,
}

type Pool = StaticPool<8, 64>;

thread_local! {
    static NOW: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

fn sleep_until(time: Duration) {
    NOW.set(NOW.get().max(time));
}

/// One thread, and a clock that goes on while it sleeps.
struct Machine;

// SAFETY: there is one thread.
unsafe impl Port for Machine {
    fn context(&self) -> ContextId {
        ContextId::MIN
    }

    fn now(&self) -> Option<Duration> {
        Some(NOW.get())
    }

    fn with_parker(&self, f: &mut dyn FnMut(&dyn Parker)) {
        f(&Caller);
    }
}

struct Caller;

impl Parker for Caller {
    fn waker(&self) -> Waker {
        Waker::noop().clone()
    }

    fn park(&self, _deadline: Option<Duration>) {
        unreachable!("nobody blocks");
    }
}

struct Sleeper<'a>(&'a RefCell<Wire>);

impl Parker for Sleeper<'_> {
    fn waker(&self) -> Waker {
        Waker::noop().clone()
    }

    fn park(&self, deadline: Option<Duration>) {
        self.0.borrow_mut().sleep();
        sleep_until(deadline.unwrap_or_default());
    }
}

impl Worker for Sleeper<'_> {}

enum Future<'p> {
    Repeat(JobFuture<'p, String>),
    Sum(JobFuture<'p, u64>),
}

/// A job that was submitted: its arguments, its result, and who waits.
struct Submitted<'p> {
    arguments: Vec<u8>,
    result: Vec<u8>,
    future: Option<Future<'p>>,
}

struct Server<'a, 'p> {
    wire: &'a RefCell<Wire>,
    pool: &'p Pool,
    steps: IntoIter<Step>,
    jobs: &'a RefCell<Vec<Submitted<'p>>>,
}

/// The tag is the job's place in the list.
fn tag(arguments: &[u8]) -> usize {
    let (tag, _) = postcard::take_from_bytes::<u16>(arguments).expect("all jobs begin with a tag");
    tag.into()
}

fn requests(sent: &[u8]) -> Vec<(u16, Vec<u8>)> {
    let all = frames(sent).filter_map(|frame| match content(frame) {
        Some((ToServer::Request { id, .. }, body)) => Some((id, body)),
        Some(_) => None,
        None => panic!("the worker sends only frames"),
    });
    all.collect()
}

impl Server<'_, '_> {
    fn welcome(&self, most: u16, window: u8) -> Vec<u8> {
        let wire = self.wire.borrow();
        let session = frames(&wire.sent)
            .filter_map(|frame| match content(frame)?.0 {
                ToServer::Hello(hello) => Some(hello.session),
                _ => None,
            })
            .last();
        let hello = Hello {
            protocol: PROTOCOL,
            session: session.unwrap_or_default(),
            jobs: key(),
            frame: most.into(),
            window: window.into(),
        };
        frame(ToClient::Welcome(hello), &[])
    }

    fn answer(&self, which: u8, answer: Answer) -> Vec<u8> {
        let requests = requests(&self.wire.borrow().sent);
        let Some((id, arguments)) = requests.get(usize::from(which) % requests.len().max(1)) else {
            return Vec::new();
        };
        let id = *id;
        match answer {
            Answer::Result => {
                let jobs = self.jobs.borrow();
                frame(ToClient::Result { id }, &jobs[tag(arguments)].result)
            }
            Answer::OtherResult(body) => frame(ToClient::Result { id }, &body),
            Answer::Fault(fault, text) => {
                let has_location = text.len().is_multiple_of(2);
                let said = PanicSaid {
                    location: has_location.then(|| (text.clone(), 1, 2)),
                    text: Some(text),
                };
                frame(ToClient::Fault { id, fault }, &encode(&said))
            }
            Answer::Cancelled => frame(ToClient::Cancelled { id }, &[]),
            Answer::Running => frame(ToClient::Running { id }, &[]),
            Answer::Unknown => frame(ToClient::Unknown { id }, &[]),
        }
    }

    fn with_future(&self, which: u8, f: impl FnOnce(&mut Option<Future<'_>>)) {
        let mut jobs = self.jobs.borrow_mut();
        let count = jobs.len().max(1);
        if let Some(job) = jobs.get_mut(usize::from(which) % count) {
            f(&mut job.future);
        }
    }
}

impl Script for Server<'_, '_> {
    fn wire(&self) -> &RefCell<Wire> {
        self.wire
    }

    fn next(&mut self) -> bool {
        let Some(step) = self.steps.next() else {
            return false;
        };
        let next_tag = self.jobs.borrow().len() as u16;
        let bytes = match step {
            Step::Raw(bytes) => bytes,
            Step::Message(message, body) => frame(message, &body),
            Step::Damaged(message, body, at, by) => {
                let mut frame = frame(message, &body);
                let at = usize::from(at) % frame.len();
                frame[at] ^= by;
                frame
            }
            Step::Welcome { frame, window } => self.welcome(frame, window),
            Step::Answer(which, answer) => self.answer(which, answer),
            Step::Repeat(job) => {
                let job = Repeat {
                    tag: next_tag,
                    ..job
                };
                let (arguments, result) = (encode(&job), encode(&job.repeated()));
                if let Ok(future) = self.pool.submit_remote(job) {
                    let future = Some(Future::Repeat(future));
                    let job = Submitted {
                        arguments,
                        result,
                        future,
                    };
                    self.jobs.borrow_mut().push(job);
                }
                return true;
            }
            Step::Sum(job) => {
                let job = Sum {
                    tag: next_tag,
                    ..job
                };
                let (arguments, result) = (encode(&job), encode(&job.sum()));
                if let Ok(future) = self.pool.submit_remote(job) {
                    let future = Some(Future::Sum(future));
                    let job = Submitted {
                        arguments,
                        result,
                        future,
                    };
                    self.jobs.borrow_mut().push(job);
                }
                return true;
            }
            Step::Cancel(which) => {
                self.with_future(which, |future| match future {
                    Some(Future::Repeat(future)) => drop(future.cancel()),
                    Some(Future::Sum(future)) => drop(future.cancel()),
                    None => {}
                });
                return true;
            }
            Step::Forget(which) => {
                self.with_future(which, |future| *future = None);
                return true;
            }
            Step::Wait(time) => {
                sleep_until(NOW.get() + Duration::from_millis(time.into()));
                return true;
            }
            Step::Traffic(traffic) => {
                self.wire.borrow_mut().set(traffic);
                return true;
            }
            Step::ShutDown => {
                // Twice, or broken: it is over all the same.
                let _ = self.pool.shutdown(false, false);
                return true;
            }
        };
        self.wire.borrow_mut().arrive(&bytes);
        true
    }
}

/// Runs a remote worker against what `input` describes.
///
/// # Panics
///
/// If a future has no end, a result is none that was sent for its job, or a slot is lost.
pub fn run(input: Input) {
    NOW.set(Duration::ZERO);
    let pool = Pool::new();
    pool.install(&Machine);
    let wire = RefCell::new(Wire::new(input.lossless));
    let jobs = RefCell::new(Vec::new());
    let (promise, mut promised) = pool.pool_ref().promise::<u32>().expect("the pool is empty");
    let mut local = pool.submit(|| 42_u32).expect("the pool is empty");

    let time = |millis: Option<u8>| millis.map(|millis| Duration::from_millis(millis.into()));
    let config = RemoteConfig {
        probe: Duration::from_millis(1),
        silence: time(input.silence),
        patience: time(input.patience),
        prefetch: time(input.prefetch),
        retries: input.retries,
        on_timeout: match input.gives_up {
            true => OnTimeout::LoseLink,
            false => OnTimeout::LoseJob,
        },
        on_loss: match input.breaks {
            true => OnLoss::Break,
            false => OnLoss::Continue,
        },
        ..RemoteConfig::default()
    };
    let mut outbox = vec![0; 40 + usize::from(input.outbox)];
    let mut inbox = vec![0; 40 + usize::from(input.inbox)];
    let buffers = Buffers {
        outbox: &mut outbox,
        inbox: &mut inbox,
    };
    let link = ScriptedLink(Server {
        wire: &wire,
        pool: &pool,
        steps: input.steps.into_iter(),
        jobs: &jobs,
    });
    // However it ends: that is for the futures to say.
    let _ =
        RemoteWorker::<_>::new(link, &JOBS, buffers, config).run(pool.pool_ref(), &Sleeper(&wire));

    if !local.done() {
        // The worker has not come to it: it is the first in the queue.
        pool.run_pending(1);
    }
    let is_broken = input.breaks && pool.broken_reason().is_some();
    match promise.set_result(7) {
        Ok(()) => assert!(matches!(promised.try_result(), Some(Ok(7))) || is_broken),
        Err(_) => assert!(is_broken, "a promise was touched"),
    }
    assert!(
        matches!(local.try_result(), Some(Ok(42))) || is_broken,
        "a local job was touched"
    );
    drop((promised, local));
    let _ = pool.shutdown(false, true);

    let wire = wire.into_inner();
    let sent = requests(&wire.sent);
    let mut answers = HashMap::<u16, Vec<Vec<u8>>>::new();
    for frame in frames(&wire.delivered) {
        if let Some((ToClient::Result { id }, body)) = content(frame) {
            answers.entry(id).or_default().push(body);
        }
    }
    let jobs = jobs.into_inner();
    for (_, body) in &sent {
        assert_eq!(jobs[tag(body)].arguments, *body, "a request is the job");
    }
    for (tag_of_job, job) in jobs.into_iter().enumerate() {
        let ids: Vec<u16> = sent
            .iter()
            .filter(|(_, body)| tag(body) == tag_of_job)
            .map(|(id, _)| *id)
            .collect();
        // A peer that guesses the id of a job which has not been sent yet has answered it.
        let bodies: Vec<&[u8]> = answers
            .iter()
            .filter(|(id, _)| ids.is_empty() || ids.contains(id))
            .flat_map(|(_, bodies)| bodies.iter().map(Vec::as_slice))
            .collect();
        match job.future {
            Some(Future::Repeat(mut future)) => check(future.try_result(), &bodies),
            Some(Future::Sum(mut future)) => check(future.try_result(), &bodies),
            None => {}
        }
    }
    assert_eq!(pool.free_slots(), pool.capacity(), "a slot is lost");
}

fn check<T: DeserializeOwned + PartialEq + Debug>(
    end: Option<Result<T, JobError>>,
    answers: &[&[u8]],
) {
    let end = end.expect("each job has an end");
    if let Ok(result) = end {
        let is_one = |body: &&[u8]| postcard::from_bytes::<T>(body).is_ok_and(|it| it == result);
        assert!(
            answers.iter().any(is_one),
            "{result:?} is not what was answered: {answers:?}"
        );
    }
}
