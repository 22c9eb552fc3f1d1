//! The calls that the bytes stand for.
//!
//! One byte chooses the call, the next ones its arguments, so that a byte changed, put in or left out
//! changes one call and not all. Which future, promise or waker a call is about is a number to be
//! taken modulo how many there are.

use arbitrary::{Arbitrary, Result, Unstructured};

/// How deep calls may lie in jobs that lie in calls.
const DEPTH: usize = 3;

/// A pool and what is done with it.
#[derive(Clone, Debug)]
pub struct Sequence {
    pub(crate) shape: Shape,
    pub(crate) calls: Vec<Call>,
}

/// The kind of the pool, and of its end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) slots: usize,
    pub(crate) priorities: usize,
    /// In lent memory.
    pub(crate) lent: bool,
    /// It is dropped with jobs in it.
    pub(crate) abrupt: bool,
}

/// A job or callback: what it does, and how it ends.
#[derive(Clone, Debug)]
pub(crate) struct Body {
    pub(crate) calls: Vec<Call>,
    pub(crate) panics: bool,
}

/// One poll of a task.
#[derive(Clone, Debug)]
pub(crate) struct Poll {
    pub(crate) body: Body,
    /// Keep the waker, to wake it by hand.
    pub(crate) keep_waker: bool,
    /// Wake it at once.
    pub(crate) wake: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Plain,
    Detached,
    Cancellable,
    /// By `submit_timeout`.
    Waiting,
    /// By one poll of `submit_async`.
    Async,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Blocking {
    Result,
    ResultTimeout,
    Error,
    ErrorTimeout,
}

/// The deed of one of several holders.
#[derive(Clone, Debug)]
pub(crate) enum Holding {
    Clone,
    Look,
    /// With a timeout, which is zero if it only looks.
    Block {
        looks: bool,
    },
    AddCallback(Body),
    Cancel,
    Drop,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    Shutdown { cancel_futures: bool },
    ShutdownTimeout { cancel_futures: bool },
    Break,
}

#[derive(Clone, Debug)]
pub(crate) enum Call {
    Submit {
        priority: u8,
        kind: Kind,
        body: Body,
    },
    /// The last poll is ready, the others are pending.
    Spawn {
        priority: u8,
        polls: Vec<Poll>,
    },
    Wake {
        waker: u8,
    },
    Promise {
        priority: u8,
    },
    KeepPromise {
        promise: u8,
        keep: bool,
    },
    RunPending {
        max: u8,
    },
    Run {
        fails_to_start: bool,
    },
    LoseWorker {
        breaks: bool,
    },
    Cancel {
        future: u8,
    },
    Look {
        future: u8,
    },
    TryResult {
        future: u8,
    },
    Block {
        future: u8,
        how: Blocking,
        /// With a timeout, if it has one, of zero.
        looks: bool,
    },
    Await {
        future: u8,
    },
    AddCallback {
        future: u8,
        body: Body,
    },
    Drop {
        future: u8,
        cancel: bool,
    },
    Share {
        future: u8,
    },
    Hold {
        holder: u8,
        what: Holding,
    },
    Wait {
        futures: u8,
        when: u8,
        looks: bool,
    },
    AsCompleted {
        futures: u8,
        asked: u8,
        looks: bool,
    },
    Map {
        count: u8,
        window: u8,
        asked: u8,
    },
    Scope {
        bodies: Vec<Body>,
    },
    End(End),
}

impl<'a> Arbitrary<'a> for Sequence {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let shape = byte(u)?;
        Ok(Self {
            shape: Shape {
                slots: [1, 2, 3, 7][usize::from(shape % 4)],
                priorities: [1, 3][usize::from(shape / 4 % 2)],
                lent: shape & 8 != 0,
                abrupt: shape & 16 != 0,
            },
            calls: {
                let mut calls = Vec::new();
                while !u.is_empty() {
                    calls.push(call(u, DEPTH)?);
                }
                calls
            },
        })
    }
}

fn byte(u: &mut Unstructured) -> Result<u8> {
    u.arbitrary()
}

fn flag(u: &mut Unstructured) -> Result<bool> {
    u.arbitrary()
}

/// Whether a byte, which says something else as well, stands for a timeout of zero.
fn looks(byte: u8) -> bool {
    byte >> 4 == 5
}

fn body(u: &mut Unstructured, depth: usize) -> Result<Body> {
    let shape = byte(u)?;
    let count = if depth == 0 { 0 } else { shape % 4 };
    let calls = (0..count)
        .map(|_| call(u, depth - 1))
        .collect::<Result<_>>()?;
    let panics = shape >= 0xe0;
    Ok(Body { calls, panics })
}

fn poll(u: &mut Unstructured, depth: usize) -> Result<Poll> {
    let shape = byte(u)?;
    Ok(Poll {
        body: body(u, depth)?,
        keep_waker: shape & 1 != 0,
        wake: shape & 2 != 0,
    })
}

/// The first of the bytes that stand for calls on shared futures. The others stand for calls by turns.
const SHARED: u8 = 234;

fn call(u: &mut Unstructured, depth: usize) -> Result<Call> {
    let chosen = byte(u)?;
    if chosen >= SHARED {
        return on_shared(u, chosen - SHARED, depth);
    }
    Ok(match chosen % 26 {
        0..=3 => Call::Submit {
            priority: byte(u)?,
            kind: match byte(u)? % 6 {
                0 | 1 => Kind::Plain,
                2 => Kind::Detached,
                3 => Kind::Cancellable,
                4 => Kind::Waiting,
                _ => Kind::Async,
            },
            body: body(u, depth)?,
        },
        4 | 5 => {
            let priority = byte(u)?;
            let count = 1 + byte(u)? % 3;
            let polls = (0..count).map(|_| poll(u, depth)).collect::<Result<_>>()?;
            Call::Spawn { priority, polls }
        }
        6 => Call::Wake { waker: byte(u)? },
        7 => Call::Promise { priority: byte(u)? },
        8 => Call::KeepPromise {
            promise: byte(u)?,
            keep: flag(u)?,
        },
        9 | 10 => Call::RunPending {
            max: 1 + byte(u)? % 4,
        },
        11 => Call::Run {
            fails_to_start: byte(u)? == 255,
        },
        12 => Call::LoseWorker {
            breaks: byte(u)? == 255,
        },
        13 => Call::Cancel { future: byte(u)? },
        14 => Call::Look { future: byte(u)? },
        15 => Call::TryResult { future: byte(u)? },
        16 => {
            let future = byte(u)?;
            let how = byte(u)?;
            Call::Block {
                future,
                how: match how % 4 {
                    0 => Blocking::Result,
                    1 => Blocking::ResultTimeout,
                    2 => Blocking::Error,
                    _ => Blocking::ErrorTimeout,
                },
                looks: looks(how),
            }
        }
        17 => Call::Await { future: byte(u)? },
        18 => Call::AddCallback {
            future: byte(u)?,
            body: body(u, depth)?,
        },
        19 | 20 => Call::Drop {
            future: byte(u)?,
            cancel: flag(u)?,
        },
        21 => {
            let futures = byte(u)?;
            let when = byte(u)?;
            let looks = looks(when);
            Call::Wait {
                futures,
                when,
                looks,
            }
        }
        22 => {
            let futures = byte(u)?;
            let asked = byte(u)?;
            Call::AsCompleted {
                futures,
                asked: asked % 5,
                looks: looks(asked),
            }
        }
        23 => Call::Map {
            count: byte(u)? % 6,
            window: 1 + byte(u)? % 4,
            asked: byte(u)? % 6,
        },
        24 => {
            let count = byte(u)? % 3;
            let bodies = (0..count).map(|_| body(u, depth)).collect::<Result<_>>()?;
            Call::Scope { bodies }
        }
        _ => Call::End(match byte(u)? {
            0..=63 => End::Shutdown {
                cancel_futures: false,
            },
            64..=127 => End::Shutdown {
                cancel_futures: true,
            },
            128..=159 => End::ShutdownTimeout {
                cancel_futures: false,
            },
            160..=191 => End::ShutdownTimeout {
                cancel_futures: true,
            },
            _ => End::Break,
        }),
    })
}

fn on_shared(u: &mut Unstructured, chosen: u8, depth: usize) -> Result<Call> {
    let number = byte(u)?;
    let what = match chosen {
        0..=4 => return Ok(Call::Share { future: number }),
        5..=7 => Holding::Clone,
        8..=10 => Holding::Look,
        11..=13 => Holding::Block { looks: flag(u)? },
        14..=16 => Holding::AddCallback(body(u, depth)?),
        17 => Holding::Cancel,
        _ => Holding::Drop,
    };
    let holder = number;
    Ok(Call::Hold { holder, what })
}
