//! The messages of a hostile client. The server must say only what follows from it.

use std::{
    cell::RefCell,
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::OnceLock,
    task::Waker,
    time::Duration,
    vec::IntoIter,
};

use arbitrary::Arbitrary;
use corepool::{
    Panic, PanicLocation, PanicPayload, Parker,
    remote::{Buffers, serve_catching},
};

use crate::{
    jobs::{Asks, JOBS, Panics, Repeat, Sum},
    link::{END, Script, ScriptedLink, Traffic, Wire},
    wire::{Fault, Hello, PROTOCOL, PanicSaid, ToClient, ToServer, content, encode, frame, frames},
};

/// The messages of the client, and its link.
#[derive(Arbitrary, Debug)]
pub struct Input {
    lossless: bool,
    /// How much longer the buffers are than they must be.
    outbox: u8,
    inbox: u8,
    steps: Vec<Step>,
}

#[derive(Arbitrary, Debug)]
enum Step {
    Raw(Vec<u8>),
    Message(ToServer, Vec<u8>),
    Damaged(ToServer, Vec<u8>, u8, u8),
    /// With the right key.
    Hello {
        session: u8,
        frame: u16,
    },
    Request {
        id: u8,
        job: Job,
    },
    Cancel(u8),
    Query(u8),
    Traffic(Traffic),
}

#[derive(Arbitrary, Debug)]
enum Job {
    Repeat(Repeat),
    Sum(Sum),
    Panics(Panics),
    Asks(Asks),
}

/// The shortest buffer: no message without a body has a longer frame.
const SHORTEST: usize = 40;

struct Client<'a> {
    wire: &'a RefCell<Wire>,
    key: u64,
    steps: IntoIter<Step>,
}

impl Script for Client<'_> {
    fn wire(&self) -> &RefCell<Wire> {
        self.wire
    }

    fn next(&mut self) -> bool {
        let Some(step) = self.steps.next() else {
            return false;
        };
        let bytes = match step {
            Step::Raw(bytes) => bytes,
            Step::Message(message, body) => frame(message, &body),
            Step::Damaged(message, body, at, by) => {
                let mut frame = frame(message, &body);
                let at = usize::from(at) % frame.len();
                frame[at] ^= by;
                frame
            }
            Step::Hello {
                session,
                frame: most,
            } => frame(
                ToServer::Hello(Hello {
                    protocol: PROTOCOL,
                    session,
                    jobs: self.key,
                    frame: most.into(),
                    window: 1,
                }),
                &[],
            ),
            Step::Request { id, job } => {
                let (job, body) = match job {
                    Job::Repeat(job) => (0, encode(&job)),
                    Job::Sum(job) => (1, encode(&job)),
                    Job::Panics(job) => (2, encode(&job)),
                    Job::Asks(job) => (3, encode(&job)),
                };
                frame(ToServer::Request { id: id.into(), job }, &body)
            }
            Step::Cancel(id) => frame(ToServer::Cancel { id: id.into() }, &[]),
            Step::Query(id) => frame(ToServer::Query { id: id.into() }, &[]),
            Step::Traffic(traffic) => {
                self.wire.borrow_mut().set(traffic);
                return true;
            }
        };
        self.wire.borrow_mut().arrive(&bytes);
        true
    }
}

struct Sleeper<'a>(&'a RefCell<Wire>);

impl Parker for Sleeper<'_> {
    fn waker(&self) -> Waker {
        Waker::noop().clone()
    }

    fn park(&self, _deadline: Option<Duration>) {
        self.0.borrow_mut().sleep();
    }
}

/// A panic's text, in a place that stands for any.
struct Said(Box<str>);

impl PanicPayload for Said {
    fn text(&self) -> Option<&str> {
        Some(&self.0)
    }

    fn location(&self) -> Option<PanicLocation<'_>> {
        Some(PanicLocation {
            file: "jobs.rs",
            line: 1,
            column: 1,
        })
    }

    fn share(&self) -> Self {
        Self(self.0.clone())
    }
}

fn catch_panic(f: &mut dyn FnMut()) -> Result<(), Panic> {
    catch_unwind(AssertUnwindSafe(f)).map_err(|payload| {
        let text = payload.downcast::<String>().unwrap_or_default();
        Panic::shared(Said(text.into_boxed_str()))
    })
}

/// The key of the job table, by which the server answers any hello.
pub(crate) fn key() -> u64 {
    static KEY: OnceLock<u64> = OnceLock::new();
    *KEY.get_or_init(|| {
        let wire = serve(
            0,
            Input {
                lossless: true,
                outbox: 0,
                inbox: 0,
                steps: vec![Step::Hello {
                    session: 0,
                    frame: 0,
                }],
            },
        );
        frames(&wire.sent)
            .find_map(|frame| match content(frame)? {
                (ToClient::Welcome(hello), _) => Some(hello.jobs),
                _ => None,
            })
            .expect("a hello is answered")
    })
}

fn serve(key: u64, input: Input) -> Wire {
    let wire = RefCell::new(Wire::new(input.lossless));
    let mut link = ScriptedLink(Client {
        wire: &wire,
        key,
        steps: input.steps.into_iter(),
    });
    let mut outbox = vec![0; SHORTEST + usize::from(input.outbox)];
    let mut inbox = vec![0; SHORTEST + usize::from(input.inbox)];
    let buffers = Buffers {
        outbox: &mut outbox,
        inbox: &mut inbox,
    };
    let end = serve_catching(&mut link, &JOBS, buffers, &Sleeper(&wire), catch_panic);
    if let Err(reason) = end {
        assert!(reason == END || input.lossless, "{reason}");
    }
    wire.into_inner()
}

/// Serves what `input` describes.
///
/// # Panics
///
/// If the server says what does not follow from what it was sent.
pub fn run(input: Input) {
    let wire = serve(key(), input);
    let mut requests: HashMap<u16, Vec<(u16, Vec<u8>)>> = HashMap::new();
    for frame in frames(&wire.delivered) {
        if let Some((ToServer::Request { id, job }, body)) = content(frame) {
            requests.entry(id).or_default().push((job, body));
        }
    }
    let mut ends: HashMap<u16, usize> = HashMap::new();
    for frame in frames(&wire.sent) {
        let (message, body) = content(frame).expect("the server sends only frames");
        if let ToClient::Result { id } | ToClient::Fault { id, .. } | ToClient::Cancelled { id } =
            message
        {
            let requests = requests.get(&id).map_or(&[][..], Vec::as_slice);
            let ends = ends.entry(id).or_default();
            *ends += 1;
            assert!(
                *ends <= requests.len(),
                "more answers to {id} than requests"
            );
            match message {
                ToClient::Result { .. } => assert!(
                    requests
                        .iter()
                        .any(|(job, arguments)| is_result(*job, arguments, &body)),
                    "no request {id} has the result {body:?}"
                ),
                ToClient::Fault {
                    fault: Fault::Panicked,
                    ..
                } => assert!(
                    requests
                        .iter()
                        .any(|(_, arguments)| is_panic(arguments, &body)),
                    "no request {id} has the panic {body:?}"
                ),
                _ => {}
            }
        }
    }
}

/// Whether a job with these arguments can have this panic. There may have been no room for it.
fn is_panic(arguments: &[u8], body: &[u8]) -> bool {
    let (Ok(job), Ok(said)) = (
        postcard::from_bytes::<Panics>(arguments),
        postcard::from_bytes::<PanicSaid>(body),
    ) else {
        return body.is_empty();
    };
    let location = said.location.as_ref();
    said.text.is_some_and(|text| job.text.starts_with(&text))
        && location
            .is_none_or(|(file, line, column)| (&**file, *line, *column) == ("jobs.rs", 1, 1))
}

/// Whether a job with these arguments can have this result.
fn is_result(job: u16, arguments: &[u8], body: &[u8]) -> bool {
    match job {
        0 => {
            postcard::from_bytes(arguments).is_ok_and(|job: Repeat| encode(&job.repeated()) == body)
        }
        1 => postcard::from_bytes(arguments).is_ok_and(|job: Sum| encode(&job.sum()) == body),
        3 => postcard::from_bytes::<Asks>(arguments).is_ok() && matches!(body, [0 | 1]),
        _ => false,
    }
}
