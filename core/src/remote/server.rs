//! The side that runs the jobs: requests that wait, the running job, and the answers.

use core::{fmt, mem, ops::Range};

use heapless::Deque;
use serde::Serialize;

use super::{buffers::Buffers, last_words::LastWords};
use crate::{
    error::{LossReason, Panic},
    jobs::remote_job::{Asks, JobContext, RemoteJob},
    machine::{link::Link, port::Parker},
    wire::{
        frame::{Malformed, body_bytes},
        inbox::Inbox,
        message::{Fault, Hello, PROTOCOL, PanicSaid, ToClient, ToServer, message},
        outbox::{Outbox, PushError},
    },
};

/// The most jobs that can wait for their turn at one server.
pub const MAX_WINDOW: usize = 64;

/// A function that calls its argument once. If it catches a panic, it returns that panic. The server
/// sends the panic's text and location to the client, as far as a frame has room for them: see
/// [`PanicPayload`](crate::PanicPayload).
pub type CatchPanic = fn(&mut dyn FnMut()) -> Result<(), Panic>;

/// The other side of a [`RemoteWorker`](super::RemoteWorker): it runs jobs until the client's
/// goodbye.
pub struct Server<'s> {
    link: &'s mut dyn Link,
    parker: &'s dyn Parker,
    /// The key of the job table.
    key: u64,
    catch_panic: CatchPanic,
    /// For the panic handler, if panics cannot be caught.
    last_words: Option<&'s LastWords>,
    outbox: Outbox<'s>,
    inbox: Inbox<'s>,
    /// The requests that wait. Their arguments are in the inbox, in this order.
    waiting: Deque<Request, MAX_WINDOW>,
    running: Option<Running>,
    /// The most bytes of a frame to the client, while there is a session.
    session: Option<usize>,
    goodbye: bool,
    lost: Option<LossReason>,
}

#[derive(Clone, Copy)]
pub(crate) struct Request {
    id: u16,
    pub(super) job: u16,
    /// The length of the arguments.
    length: usize,
}

#[derive(Clone, Copy)]
struct Running {
    /// `None` if the job belongs to an earlier session.
    id: Option<u16>,
    cancelled: bool,
}

impl fmt::Debug for Server<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("waiting", &self.waiting.len())
            .field("running", &self.running.is_some())
            .field("in_session", &self.session.is_some())
            .finish_non_exhaustive()
    }
}

impl<'s> Server<'s> {
    /// A server that has not sent anything yet.
    pub(super) fn new(
        link: &'s mut dyn Link,
        parker: &'s dyn Parker,
        key: u64,
        catch_panic: CatchPanic,
        last_words: Option<&'s LastWords>,
        buffers: Buffers<'s>,
    ) -> Self {
        Self {
            link,
            parker,
            key,
            catch_panic,
            last_words,
            outbox: Outbox::new(buffers.outbox),
            inbox: Inbox::new(buffers.inbox),
            waiting: Deque::new(),
            running: None,
            session: None,
            goodbye: false,
            lost: None,
        }
    }

    /// Ends a frame that an earlier server may have begun, and announces this server.
    pub(super) fn begin(&mut self) {
        self.outbox.push_delimiter();
        self.say(ToClient::Ready);
    }

    /// Whether the client has sent its goodbye.
    pub(super) fn is_over(&self) -> bool {
        self.goodbye
    }

    /// Takes the request that has waited longest.
    pub(super) fn next(&mut self) -> Option<Request> {
        self.waiting.pop_front()
    }

    /// Sleeps until something arrives.
    pub(super) fn sleep(&self) {
        self.parker.park(None);
    }

    /// Sends and receives as much as it can without waiting. True if any byte or frame moved.
    pub(super) fn pump(&mut self) -> Result<bool, LossReason> {
        let mut moved = self.outbox.flush(self.link)?;
        moved |= self.inbox.fill(self.link)?;
        // A message is read only if there is room for the answer.
        while self.outbox.has_room()
            && let Some(frame) = self.inbox.next_frame()
        {
            moved = true;
            let taken = frame.and_then(|frame| {
                let (message, length) = message(self.inbox.get(frame.clone()))?;
                self.obey(message, frame.start + length..frame.end);
                Ok(())
            });
            // Before the session it may be the rest of an earlier session's frame.
            if taken == Err(Malformed) && self.link.is_lossless() && self.session.is_some() {
                return Err(LossReason::MALFORMED);
            }
        }
        Ok(moved | self.outbox.flush(self.link)?)
    }

    /// Sends a message without a body. `pump` has checked that there is room.
    fn say(&mut self, message: ToClient) {
        let _ = self.outbox.push(usize::MAX, message, &());
    }

    fn obey(&mut self, message: ToServer, body: Range<usize>) {
        match message {
            ToServer::Hello(hello) => self.welcome(hello),
            ToServer::Request { id, job } => self.accept(id, job, body),
            ToServer::Cancel { id } => self.cancel(id),
            ToServer::Query { id } => {
                let knows = self.is_running(id) || self.place_of(id).is_some();
                self.say(if knows {
                    ToClient::Running { id }
                } else {
                    ToClient::Unknown { id }
                });
            }
            ToServer::Bye => self.goodbye = true,
        }
    }

    fn welcome(&mut self, hello: Hello) {
        self.waiting.clear();
        self.inbox.release_all();
        self.forget_last_words();
        if let Some(running) = &mut self.running {
            // The client does not wait for this job any more.
            *running = Running {
                id: None,
                cancelled: true,
            };
        }
        let ours = self.key;
        let frame = usize::try_from(hello.frame).unwrap_or(usize::MAX);
        self.session = (hello.protocol == PROTOCOL && hello.jobs == ours).then_some(frame);
        self.say(ToClient::Welcome(Hello {
            protocol: PROTOCOL,
            session: hello.session,
            jobs: ours,
            frame: u32::try_from(self.inbox.capacity()).unwrap_or(u32::MAX),
            window: MAX_WINDOW as u16,
        }));
    }

    fn accept(&mut self, id: u16, job: u16, body: Range<usize>) {
        if self.session.is_none() {
            return self.say(ToClient::Ready);
        }
        // The client has sent the job again, since an answer was lost or is late.
        if self.is_running(id) || self.place_of(id).is_some() {
            return;
        }
        let length = body.len();
        // A client that sends more jobs than the window gets the answer that its job is unknown.
        if self.waiting.push_back(Request { id, job, length }).is_ok() {
            self.inbox.keep(body);
        }
    }

    fn cancel(&mut self, id: u16) {
        if self.is_running(id) {
            if let Some(running) = &mut self.running {
                running.cancelled = true;
            }
            return self.say(ToClient::Running { id });
        }
        let Some(arguments) = self.place_of(id) else {
            return self.say(ToClient::Unknown { id });
        };
        self.inbox.release(arguments);
        // Each request goes from the front to the back once, except this one.
        for _ in 0..self.waiting.len() {
            if let Some(waiting) = self.waiting.pop_front()
                && waiting.id != id
            {
                let _ = self.waiting.push_back(waiting);
            }
        }
        self.say(ToClient::Cancelled { id });
    }

    fn is_running(&self, id: u16) -> bool {
        self.running.is_some_and(|running| running.id == Some(id))
    }

    /// The range of the arguments of a request that waits.
    fn place_of(&self, id: u16) -> Option<Range<usize>> {
        let mut start = 0;
        for waiting in &self.waiting {
            let end = start + waiting.length;
            if waiting.id == id {
                return Some(start..end);
            }
            start = end;
        }
        None
    }

    /// Runs a request by its entry in the table.
    pub(super) fn run(&mut self, request: Request, run: Option<RunJob>) -> Result<(), LossReason> {
        self.running = Some(Running {
            id: Some(request.id),
            cancelled: false,
        });
        if let Some(last_words) = self.last_words {
            last_words.begin(request.id, self.session.unwrap_or(usize::MAX));
        }
        let outcome = match run {
            Some(run) => run(self, request),
            None => {
                self.inbox.release(0..request.length);
                self.end_without_result(Fault::UnknownJob, &())
            }
        };
        self.forget_last_words();
        self.running = None;
        outcome
    }

    /// From now on, the panic handler has no job whose end it could tell.
    fn forget_last_words(&self) {
        if let Some(last_words) = self.last_words {
            last_words.end();
        }
    }

    /// Sends the outcome of the running job, as soon as there is room.
    fn end<B: Serialize + ?Sized>(
        &mut self,
        message: impl Fn(u16) -> ToClient,
        body: &B,
    ) -> Result<Result<(), PushError>, LossReason> {
        loop {
            // After a new session has begun, the client does not wait for the job.
            let Some(id) = self.running.and_then(|running| running.id) else {
                return Ok(Ok(()));
            };
            let limit = self.session.unwrap_or(usize::MAX);
            match self.outbox.push(limit, message(id), body) {
                Err(PushError::NoRoom) => {}
                outcome => return Ok(outcome),
            }
            if !self.pump()? {
                self.parker.park(None);
            }
        }
    }

    fn end_without_result(
        &mut self,
        fault: Fault,
        body: &impl Serialize,
    ) -> Result<(), LossReason> {
        let said = self.end(|id| ToClient::Fault { id, fault }, body)?;
        if said == Err(PushError::TooLarge) {
            // The body is too long for the client's buffer, so it is left out.
            let _ = self.end(|id| ToClient::Fault { id, fault }, &())?;
        }
        Ok(())
    }

    /// Ends the running job as panicked, and drops the panic. Its text and its destructor may panic
    /// themselves: the job ends without a text then.
    fn end_panicked(&mut self, panic: Panic) -> Result<(), LossReason> {
        let catch_panic = self.catch_panic;
        let limit = self.session.unwrap_or(usize::MAX);
        let room = body_bytes(limit.min(self.outbox.capacity()));
        let (mut panic, mut said) = (Some(panic), None);
        let caught = catch_panic(&mut || {
            if let Some(panic) = panic.take() {
                let body = PanicSaid::of(&panic, room);
                said = Some(self.end_without_result(Fault::Panicked, &body));
            }
        });
        // A panic of the panic's own code is forgotten: its destructor may panic in turn.
        mem::forget(caught);
        match said {
            Some(said) => said,
            None => self.end_without_result(Fault::Panicked, &PanicSaid::default()),
        }
    }
}

/// Drops a panic. Its destructor may panic.
fn discard(panic: Panic, catch_panic: CatchPanic) {
    let mut panic = Some(panic);
    let caught = catch_panic(&mut || drop(panic.take()));
    mem::forget(caught);
}

/// [`run_job`] for one type of job.
pub(crate) type RunJob = fn(&mut Server<'_>, Request) -> Result<(), LossReason>;

/// Runs a job whose arguments are the first that the inbox keeps.
pub(crate) fn run_job<J: RemoteJob>(
    server: &mut Server<'_>,
    request: Request,
) -> Result<(), LossReason> {
    let catch_panic = server.catch_panic;
    let arguments = 0..request.length;
    let mut job = None;
    let mut outcome = catch_panic(&mut || {
        job = postcard::from_bytes::<J>(server.inbox.kept(arguments.clone())).ok();
    });
    server.inbox.release(arguments);
    let mut said = Ok(Err(PushError::NoRoom));
    if let Some(job) = job {
        let mut job = Some(job);
        outcome = catch_panic(&mut || {
            if let Some(job) = job.take() {
                let result = job.run(&mut JobContext::there(server));
                said = match server.lost {
                    Some(reason) => Err(reason),
                    None => server.end(|id| ToClient::Result { id }, &result),
                };
            }
        });
    }
    let said = match said {
        Ok(said) => said,
        Err(reason) => {
            if let Err(panic) = outcome {
                discard(panic, catch_panic);
            }
            return Err(reason);
        }
    };
    match (outcome, said) {
        (Ok(()), Ok(())) => Ok(()),
        // A destructor panicked after the answer. The answer counts.
        (Err(panic), Ok(())) => {
            discard(panic, catch_panic);
            Ok(())
        }
        (Err(panic), _) => server.end_panicked(panic),
        (Ok(()), Err(PushError::NoRoom)) => server.end_without_result(Fault::Arguments, &()),
        (Ok(()), Err(PushError::TooLarge)) => server.end_without_result(Fault::ResultTooLarge, &()),
        (Ok(()), Err(PushError::Encoding)) => server.end_without_result(Fault::Result, &()),
    }
}

impl Asks for Server<'_> {
    fn is_cancelled(&mut self) -> bool {
        if let Err(reason) = self.pump() {
            self.lost = Some(reason);
        }
        self.lost.is_some() || self.running.is_none_or(|running| running.cancelled)
    }
}
