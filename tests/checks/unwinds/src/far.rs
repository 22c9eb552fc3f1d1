//! A remote worker, the far side of its link, and the jobs that travel.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Waker,
    time::Duration,
};

use corepool::{
    LossReason, Panic, PanicLocation, PanicPayload, Parker,
    remote::{
        Buffers, JobContext, JobEntry, JobTable, Link, RemoteConfig, RemoteJob, RemoteWorker,
        serve_catching,
    },
};
use postcard_schema::Schema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    bomb::{attempt, foreign},
    lockstep::Lockstep,
    machine::StepWorker,
    stage::Stage,
    value::Value,
};

/// One direction.
#[derive(Default)]
struct Pipe {
    bytes: VecDeque<u8>,
    waker: Option<Waker>,
    ended: bool,
}

type Shared = Arc<Mutex<Pipe>>;

fn lock(pipe: &Shared) -> MutexGuard<'_, Pipe> {
    pipe.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One end of the link.
struct End {
    out: Shared,
    into: Shared,
    names: &'static [&'static str; 4],
}

const NEAR: [&str; 4] = [
    "Link: send",
    "Link: receive",
    "Link: wake_on_data",
    "Link: is_lossless",
];
const FAR: [&str; 4] = [
    "far Link: send",
    "far Link: receive",
    "far Link: wake_on_data",
    "far Link: is_lossless",
];

/// The waker of a link is the machine's: it is not told of by a bomb that the link itself would be hit by.
fn wake(pipe: &Shared) {
    let waker = lock(pipe).waker.clone();
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl Link for End {
    fn send(&mut self, bytes: &[u8]) -> Result<usize, LossReason> {
        foreign(self.names[0]);
        {
            let mut pipe = lock(&self.out);
            if pipe.ended {
                return Err(LossReason::WORKER_LEFT);
            }
            pipe.bytes.extend(bytes);
        }
        wake(&self.out);
        Ok(bytes.len())
    }

    fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, LossReason> {
        foreign(self.names[1]);
        let mut pipe = lock(&self.into);
        let count = buffer.len().min(pipe.bytes.len());
        for (to, from) in buffer.iter_mut().zip(pipe.bytes.drain(..count)) {
            *to = from;
        }
        if count == 0 && pipe.ended && !buffer.is_empty() {
            return Err(LossReason::WORKER_LEFT);
        }
        Ok(count)
    }

    fn wake_on_data(&mut self, waker: &Waker) {
        foreign(self.names[2]);
        let waker = waker.clone();
        let old = lock(&self.into).waker.replace(waker);
        drop(old);
    }

    fn is_lossless(&self) -> bool {
        foreign(self.names[3]);
        true
    }
}

impl Drop for End {
    /// The side is gone, and so is the link.
    fn drop(&mut self) {
        for pipe in [&self.out, &self.into] {
            lock(pipe).ended = true;
            wake(pipe);
        }
    }
}

/// The far side's parker.
struct FarParker(Arc<Lockstep>);

impl Parker for FarParker {
    fn waker(&self) -> Waker {
        foreign("far Parker: waker");
        self.0.waker()
    }

    fn park(&self, deadline: Option<Duration>) {
        foreign("far Parker: park");
        self.0.park(deadline);
    }
}

fn far_net(f: &mut dyn FnMut()) -> Result<(), Panic> {
    foreign("far CatchPanic");
    match attempt(f) {
        Some(()) => Ok(()),
        None => Err(Panic::shared(FarPanic)),
    }
}

/// The facts of a panic that the far side knows.
struct FarPanic;

impl PanicPayload for FarPanic {
    fn text(&self) -> Option<&str> {
        foreign("far PanicPayload: text");
        Some("far away")
    }

    fn location(&self) -> Option<PanicLocation<'_>> {
        foreign("far PanicPayload: location");
        None
    }

    fn share(&self) -> Self {
        Self
    }
}

impl Drop for FarPanic {
    fn drop(&mut self) {
        foreign("far PanicPayload: drop");
    }
}

fn to_panic(_text: Option<&str>, _location: Option<PanicLocation<'_>>) -> Panic {
    foreign("RemoteConfig: panic");
    Panic::new(())
}

/// An argument or a result: encoded and decoded by foreign code.
#[derive(Schema)]
pub(crate) struct Parcel {
    number: u32,
}

impl Serialize for Parcel {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        foreign("serde: serialize");
        self.number.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Parcel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        foreign("serde: deserialize");
        let number = u32::deserialize(deserializer)?;
        Ok(Self { number })
    }
}

impl Drop for Parcel {
    fn drop(&mut self) {
        foreign("drop: parcel");
    }
}

/// A job that travels.
#[derive(Serialize, Deserialize, Schema)]
pub(crate) struct Carry {
    parcel: Parcel,
    fails: bool,
}

impl Carry {
    pub(crate) fn new(number: u32, fails: bool) -> Self {
        Self {
            parcel: Parcel { number },
            fails,
        }
    }
}

impl RemoteJob for Carry {
    type Output = Parcel;
    const NAME: &'static str = "carry";
    const TIMEOUT: Option<Duration> = Some(Duration::from_secs(5));

    fn run(self, context: &mut JobContext<'_>) -> Parcel {
        foreign("RemoteJob: run");
        context.is_cancelled();
        if self.fails {
            crate::value::fail();
        }
        Parcel {
            number: self.parcel.number + 1,
        }
    }
}

static JOBS: JobTable = JobTable::new(&[JobEntry::of::<Carry>()]);

/// Starts the two sides. Each is gone for good when it unwinds, and with it the link.
pub(crate) fn start(stage: &Stage) {
    let (to, from) = (Shared::default(), Shared::default());
    let mut far = End {
        out: from.clone(),
        into: to.clone(),
        names: &FAR,
    };
    let near = End {
        out: to,
        into: from,
        names: &NEAR,
    };
    let steps = Arc::clone(&stage.steps);
    stage.start_thread(false, move || {
        let (mut outbox, mut inbox) = ([0; 128], [0; 128]);
        let buffers = Buffers {
            outbox: &mut outbox,
            inbox: &mut inbox,
        };
        // It ends when the link does.
        let _ = serve_catching(&mut far, &JOBS, buffers, &FarParker(steps), far_net);
    });
    let (pool, steps) = (stage.pool, Arc::clone(&stage.steps));
    stage.start_thread(true, move || {
        let (mut outbox, mut inbox) = ([0; 128], [0; 128]);
        let buffers = Buffers {
            outbox: &mut outbox,
            inbox: &mut inbox,
        };
        let config = RemoteConfig {
            panic: to_panic,
            patience: Some(Duration::from_secs(20)),
            ..RemoteConfig::default()
        };
        let mut worker = RemoteWorker::<_, 2>::new(near, &JOBS, buffers, config);
        // Its end, by whatever, is no more than that.
        let _ = worker.run(pool, &StepWorker(steps));
    });
}

/// Jobs that travel: one that returns, one that panics, one that is cancelled while it waits there.
pub(crate) fn carry(stage: &Stage) {
    let jobs = [
        Carry::new(1, false),
        Carry::new(2, true),
        Carry::new(3, false),
    ];
    let mut futures = Vec::new();
    for job in jobs {
        if let Ok(future) = stage.pool.submit_remote(job) {
            futures.push(future);
        }
    }
    if let Some(last) = futures.last() {
        last.cancel();
    }
    let mut seen = Value::new("drop: callback");
    if let Some(first) = futures.first_mut() {
        let seen = std::mem::replace(&mut seen, Value::new("drop: value"));
        let added = first.add_done_callback(move |outcome| {
            foreign("callback");
            let _ = (outcome.is_ok(), &seen);
        });
        drop(added);
    }
    for future in futures {
        let _ = future.result();
    }
}
