//! Makes the calls, on the pool and in the model.
//!
//! What the pool does inside a call is known from the jobs and callbacks that it runs: each tells the
//! model when it begins and when it ends. What happens in between without running any, such as taking
//! cancelled jobs off the queue, the model does when it is told of the next one, or at the end of the
//! call. A call that may do so leaves a [`Frame`] that says how.
//!
//! The world is borrowed for moments only: never while the pool is called, which may call back.

use std::{
    cell::RefCell,
    collections::{BTreeMap, VecDeque},
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Wake, Waker},
    time::Duration,
};

use corepool::{
    BrokenReason, CallbackError, FutureSet, InitError, JobError, JobFuture, JobId, MapOptions,
    OnLoss, PoolRef, Promise, ReturnWhen, RunError, ShutdownError, SubmitError, WorkerId,
    as_completed, wait,
};
use corepool_model::{
    Callback, End as Ended, Job, JobState, Model, Next, Refusal, Suspension, Taken, Worker,
};

use crate::{
    call::{Blocking, Body, Call, End, Kind, Poll, Sequence, Shape},
    machine::{self, Machine, OnPurpose, Runner},
    pool::{BYTES, with_pool},
    values::{self, Value},
};

type Pool = PoolRef<'static, BYTES>;
type Future_ = JobFuture<'static, Value>;

/// What a worker that fails to start says.
pub(crate) const INIT_ERROR: InitError = InitError("no such core");
const BREAK: &str = "broken on purpose";

/// How many futures a wait is about at most.
const SET: usize = 4;

struct World {
    pool: Pool,
    shape: Shape,
    model: Model,
    /// The futures that are there, oldest first.
    futures: Vec<(Job, Future_)>,
    promises: Vec<(Job, Promise<'static, Value>)>,
    /// Wakers of tasks, with the slot that each is of.
    wakers: Vec<(usize, Waker)>,
    /// The slots of the jobs whose slot is known.
    slots: BTreeMap<Job, usize>,
    /// Jobs in the order in which they became ready.
    ready: Vec<Job>,
    /// The wakers that were left for jobs.
    awaited: Vec<(Job, Arc<Flag>)>,
    frames: Vec<Frame>,
    /// The worker in its run loop, if it is not lost.
    worker: Option<(Worker, WorkerId)>,
    /// The slot that the worker's hook named last.
    hook: Option<usize>,
    /// The callback that runs where it is added.
    at_once: Option<Callback>,
    callback_depth: usize,
    scope_depth: usize,
    broken_for: Option<BrokenReason>,
    next_name: u32,
}

/// A call that is under way, in which jobs may run.
#[derive(Default)]
struct Frame {
    /// How many indices it took out of the queue.
    taken: usize,
    /// What it does, step by step, before it runs jobs.
    sweep: VecDeque<Sweep>,
    /// It looks for room before each job.
    for_room: bool,
    /// It waits without a time limit.
    endless: bool,
    /// Its worker was declared lost.
    lost: bool,
}

/// One step of a shutdown, a break or a worker's loss.
#[derive(Clone, Copy)]
enum Sweep {
    Lose(Job, Worker),
    Break(BrokenReason),
    End(Job, Ended),
    Over,
}

/// A waker that remembers.
#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Relaxed);
    }
}

thread_local! {
    static WORLD: RefCell<Option<World>> = const { RefCell::new(None) };
}

fn world<R>(f: impl FnOnce(&mut World) -> R) -> R {
    WORLD.with_borrow_mut(|world| f(world.as_mut().expect("a sequence is being run")))
}

/// Makes the calls of a sequence.
///
/// # Panics
///
/// If the pool answers otherwise than the model, or a value or slot is lost.
pub fn run(sequence: &Sequence) {
    values::reset();
    machine::reset();
    let shape = sequence.shape;
    let body = |pool: Pool| {
        pool.install(&Machine);
        let fresh = World::new(pool, shape);
        WORLD.set(Some(fresh));
        let ran = catch_unwind(AssertUnwindSafe(|| {
            for call in &sequence.calls {
                perform(call);
                check_quiet();
            }
            end(shape.abrupt);
        }));
        if let Err(failure) = ran {
            // Its futures refer to a pool that is in no good state.
            std::mem::forget(WORLD.take());
            machine::resume_failure();
            resume_unwind(failure);
        }
    };
    // SAFETY: `end` leaves no future and no promise, and a pool that is shut down makes none; wakers
    // are not woken any more.
    unsafe { with_pool(shape, body) };
    WORLD.set(None);
    machine::resume_failure();
    assert_eq!(values::there(), 0, "values were never dropped");
}

/// What must hold between two calls.
fn check_quiet() {
    machine::resume_failure();
    check_counts();
    world(|world| {
        assert!(world.frames.is_empty() && world.callback_depth == 0);
        assert_eq!((world.pool.workers(), world.pool.idle_workers()), (0, 0));
        let unobserved = world.model.unobserved_failures();
        assert_eq!(
            machine::unobserved_failures(),
            unobserved,
            "unobserved failures"
        );
        for (job, flag) in &world.awaited {
            let ready = !world.model.contains(*job) || world.model.is_ready(*job);
            assert_eq!(
                flag.0.load(Relaxed),
                ready,
                "whether who awaits {job:?} was woken"
            );
        }
    });
}

/// What holds in jobs and callbacks as well.
fn check_counts() {
    world(|world| {
        let (pool, model) = (world.pool, &world.model);
        assert_eq!(pool.free_slots(), model.free_slots(), "free slots");
        // A job whose slot is not known may have been ended before its turn in the model.
        let sweeping = world.frames.iter().any(|frame| !frame.sweep.is_empty());
        if !sweeping || model.jobs().all(|job| world.slots.contains_key(&job)) {
            assert_eq!(pool.unfinished(), model.unfinished(), "unfinished jobs");
        }
        assert_eq!(pool.broken_reason(), world.broken_for);
        assert_eq!(pool.is_shut_down(), model.is_shut_down());
    });
}

/// Lets go of everything; no slot may be missing then.
fn end(abrupt: bool) {
    let_go();
    if abrupt {
        // The pool is dropped next, and shuts down and ends its jobs as it goes.
        return world(|world| {
            world.model.shut_down(true);
            let sweep = world.ends(Ended::Cancelled).into();
            world.frames.push(Frame {
                sweep,
                ..Frame::default()
            });
        });
    }
    run_pending(usize::MAX);
    let_go();
    end_pool(End::Shutdown {
        cancel_futures: true,
    });
    run_pending(usize::MAX);
    check_quiet();
    world(|world| {
        assert_eq!(
            world.pool.free_slots(),
            world.shape.slots,
            "a slot is missing"
        )
    });
}

/// Drops all promises and futures, those too that callbacks make meanwhile.
fn let_go() {
    loop {
        if let Some((job, promise)) = world(|world| world.promises.pop()) {
            keep_promise(job, promise, false);
        } else if let Some((job, future)) = world(|world| world.futures.pop()) {
            drop_future(job, future, false);
        } else {
            return check_quiet();
        }
    }
}

impl World {
    fn new(pool: Pool, shape: Shape) -> Self {
        Self {
            pool,
            shape,
            model: Model::new(shape.slots, shape.priorities),
            futures: Vec::new(),
            promises: Vec::new(),
            wakers: Vec::new(),
            slots: BTreeMap::new(),
            ready: Vec::new(),
            awaited: Vec::new(),
            frames: Vec::new(),
            worker: None,
            hook: None,
            at_once: None,
            callback_depth: 0,
            scope_depth: 0,
            broken_for: None,
            next_name: 0,
        }
    }

    fn name(&mut self) -> u32 {
        self.next_name += 1;
        self.next_name
    }

    /// The priority that a byte stands for: of those that the pool has not got, the next, and one
    /// that is far too large.
    fn priority(&self, byte: u8) -> usize {
        let priorities = self.shape.priorities;
        match usize::from(byte) % (priorities + 2) {
            far if far > priorities => 1 << 14,
            priority => priority,
        }
    }

    fn keep(&mut self, job: Job, future: Future_) {
        self.slots.insert(job, future.id().index());
        self.futures.push((job, future));
    }

    fn choose(&mut self, number: u8) -> Option<(Job, Future_)> {
        let count = self.futures.len();
        (count > 0).then(|| self.futures.remove(usize::from(number) % count))
    }

    /// The futures whose bits are set.
    fn choose_set(&mut self, bits: u8) -> Vec<(Job, Future_)> {
        let mut chosen = Vec::new();
        for position in (0..self.futures.len().min(8)).rev() {
            if bits >> position & 1 != 0 && chosen.len() < SET {
                chosen.push(self.futures.remove(position));
            }
        }
        // A wait leaves wakers of its own.
        self.awaited
            .retain(|(awaited, _)| chosen.iter().all(|(job, _)| job != awaited));
        chosen
    }

    /// Notes whether a job has become ready.
    fn note(&mut self, job: Job) {
        let ready = !self.model.contains(job) || self.model.is_ready(job);
        if ready && !self.ready.contains(&job) {
            self.ready.push(job);
        }
    }

    fn frame(&mut self) -> &mut Frame {
        self.frames.last_mut().expect("jobs run inside some call")
    }

    /// Makes the next step of the sweep that is under way. False if there is none.
    fn sweep(&mut self) -> bool {
        let Some(step) = self
            .frames
            .last_mut()
            .and_then(|frame| frame.sweep.pop_front())
        else {
            return false;
        };
        match step {
            Sweep::Lose(job, worker) => {
                if self.model.lose(job, worker) {
                    self.note(job);
                }
            }
            Sweep::End(job, end) => {
                if self.model.end_waiting(job, end) {
                    self.note(job);
                }
            }
            Sweep::Break(reason) => {
                if self.model.break_pool() {
                    self.broken_for = Some(reason);
                    let steps = self.ends(Ended::Broken);
                    self.frame().sweep.extend(steps);
                }
            }
            Sweep::Over => self.model.end_sweep(),
        }
        true
    }

    /// The steps that end every job, in the order of the slots.
    fn ends(&self, end: Ended) -> Vec<Sweep> {
        let jobs = self.by_slot().map(|job| Sweep::End(job, end));
        jobs.chain([Sweep::Over]).collect()
    }

    fn by_slot(&self) -> impl Iterator<Item = Job> {
        let mut jobs: Vec<Job> = self.model.jobs().collect();
        // Those whose slot is not known have no callback, so when they end makes no difference.
        jobs.sort_by_key(|job| self.slots.get(job).copied().unwrap_or(usize::MAX));
        jobs.into_iter()
    }

    /// Takes the next index out of the queue.
    fn next(&mut self) -> Next {
        if self.frame().for_room {
            self.model.has_room();
        }
        let worker = self.worker.map(|(worker, _)| worker);
        let next = self.model.start_next(worker);
        if next != Next::None {
            self.frame().taken += 1;
        }
        if let Next::Dropped(job, _) = next {
            self.note(job);
        }
        next
    }

    /// The pool went on until `over` held or nothing was left to run: so does the model.
    fn catch_up(&mut self, over: impl Fn(&mut Model) -> bool) {
        while self.sweep() {}
        while !over(&mut self.model) {
            match self.next() {
                Next::Started(job) => panic!("{job:?} was not run"),
                Next::None => break,
                Next::Skipped(_) | Next::Dropped(..) => {}
            }
        }
    }
}

/// Calls the pool, in a frame.
fn framed<R>(frame: Frame, call: impl FnOnce(Pool) -> R, after: impl FnOnce(&mut World, &R)) -> R {
    let pool = world(|world| {
        world.frames.push(frame);
        world.pool
    });
    let result = call(pool);
    world(|world| {
        after(world, &result);
        world.frames.pop();
    });
    result
}

/// A timeout for a call made here. Time stands still until nothing else can happen, and goes on by
/// the timeouts of calls made in jobs; those are so much shorter that they do not end this one.
fn timeout() -> Duration {
    let depth = world(|world| world.frames.len());
    Duration::from_nanos(1 << 60_usize.saturating_sub(6 * depth))
}

/// What is told when a job begins.
fn job_begins(job: Job) {
    world(|world| {
        while world.sweep() {}
        loop {
            match world.next() {
                Next::Started(started) => {
                    assert_eq!(started, job, "the order of jobs");
                    break;
                }
                Next::None => panic!("{job:?} ran, and was not queued"),
                Next::Skipped(_) | Next::Dropped(..) => {}
            }
        }
        if let (Some(hook), Some(&slot)) = (world.hook.take(), world.slots.get(&job)) {
            assert_eq!(hook, slot, "the slot that the worker was told");
        }
    });
    check_counts();
}

/// What is told when it ends.
fn job_ends(job: Job, panics: bool) {
    let end = if panics {
        Ended::Panicked
    } else {
        Ended::Returned
    };
    world(|world| {
        world.model.finish(job, end);
        world.note(job);
    });
    if panics {
        resume_unwind(Box::new(OnPurpose));
    }
}

fn perform_all(calls: &[Call]) {
    for call in calls {
        perform(call);
        check_counts();
    }
}

/// A closure that runs as `job`.
fn closure(job: Job, body: &Body) -> impl FnOnce() -> Value + Send + 'static {
    let captured = Box::new((Value::new(job), body.clone()));
    move || {
        let (value, body) = *captured;
        job_begins(job);
        perform_all(&body.calls);
        drop(value);
        job_ends(job, body.panics);
        Value::new(job)
    }
}

/// What is told when a callback begins.
fn callback_begins(job: Job, callback: Callback, outcome: Result<&Value, &JobError>) {
    world(|world| {
        let at_once = world.at_once.take() == Some(callback);
        while world.model.end_of(job).is_none() {
            if !world.sweep() {
                let next = world.next();
                assert!(
                    matches!(next, Next::Skipped(_) | Next::Dropped(..)),
                    "{job:?} ended"
                );
            }
        }
        if !at_once {
            assert_eq!(
                world.model.begin_callback(job),
                Some(callback),
                "the order of callbacks"
            );
        }
        let taken = at_once && world.model.is_taken(job);
        let end = world.model.end_of(job);
        match outcome {
            Ok(value) => assert_eq!((end, taken, value.job), (Some(Ended::Returned), false, job)),
            Err(JobError::AlreadyTaken) => assert!(taken),
            Err(error) => assert_eq!((end, taken), (Some(end_of(error, world.broken_for)), false)),
        }
        world.callback_depth += 1;
    });
}

/// What an error says about the job.
#[track_caller]
fn end_of(error: &JobError, broken_for: Option<BrokenReason>) -> Ended {
    match error {
        JobError::Cancelled => Ended::Cancelled,
        JobError::Panicked(_) => Ended::Panicked,
        JobError::WorkerLost => Ended::Lost,
        JobError::Broken(reason) => {
            assert_eq!(Some(*reason), broken_for);
            Ended::Broken
        }
        error => panic!("{error}"),
    }
}

/// Compares what the pool gave for a job that is ready with what the model says.
fn check_taken(job: Job, result: Result<Value, JobError>) {
    world(|world| {
        let taken = world.model.take(job).expect("the job is ready");
        match (result, taken) {
            (Ok(value), Taken::End(Ended::Returned)) => assert_eq!(value.job, job),
            (Err(JobError::AlreadyTaken), Taken::Before) => {}
            (Err(error), Taken::End(end)) => check_error(world, job, error, end),
            (result, taken) => panic!("{job:?} gave {result:?}, which is {taken:?}"),
        }
    });
}

fn check_error(world: &mut World, job: Job, error: JobError, end: Ended) {
    assert_eq!(end_of(&error, world.broken_for), end, "how {job:?} ended");
    if let JobError::Panicked(panic) = error {
        let payload = panic.into_payload::<OnPurpose>().is_ok();
        assert_eq!(
            payload,
            world.model.take_payload(job),
            "whether the payload was there"
        );
    }
}

/// Compares how a submit was refused with what the model says; what was submitted is dropped.
fn check_refused<F>(job: Job, error: SubmitError<F>, refusal: Refusal) {
    let said = match error {
        SubmitError::Full(_) => Refusal::Full,
        SubmitError::ShutDown(_) => Refusal::ShutDown,
        SubmitError::Broken(_, reason) => {
            assert_eq!(Some(reason), world(|world| world.broken_for));
            Refusal::Broken
        }
        SubmitError::NoSuchPriority(_) => Refusal::NoSuchPriority,
        _ => panic!("{error}"),
    };
    assert_eq!(said, refusal, "why {job:?} was refused");
    let before = values::there();
    drop(error.into_inner());
    assert_eq!(values::there(), before - 1, "what was submitted comes back");
}

/// A job that was submitted, or not.
fn check_submitted<F>(
    job: Job,
    submitted: Result<Future_, SubmitError<F>>,
    expected: Result<(), Refusal>,
) {
    match (submitted, expected) {
        (Ok(future), Ok(())) => world(|world| world.keep(job, future)),
        (Err(error), Err(refusal)) => check_refused(job, error, refusal),
        (submitted, expected) => panic!("{job:?}: {submitted:?}, but {expected:?}"),
    }
}

/// Whether a call may block here.
fn may_block() -> bool {
    world(|world| world.callback_depth == 0)
}

fn perform(call: &Call) {
    match call {
        Call::Submit {
            priority,
            kind,
            body,
        } => submit(*priority, *kind, body),
        Call::Spawn { priority, polls } => spawn(*priority, polls),
        Call::Wake { waker } => wake(*waker),
        Call::Promise { priority } => promise(*priority),
        Call::KeepPromise { promise, keep } => {
            let chosen = world(|world| {
                let count = world.promises.len();
                (count > 0).then(|| world.promises.remove(usize::from(*promise) % count))
            });
            if let Some((job, promise)) = chosen {
                keep_promise(job, promise, *keep);
            }
        }
        Call::RunPending { max } => run_pending(usize::from(*max)),
        Call::Run { fails_to_start } => run_worker(*fails_to_start),
        Call::LoseWorker { breaks } => {
            // What is borrowed by a scope's jobs would not be theirs any more.
            if world(|world| world.scope_depth == 0 && world.callback_depth == 0) {
                lose_worker(*breaks);
            }
        }
        Call::AddCallback { future, body } => with_future(*future, |job, future| {
            add_callback(job, future, body);
        }),
        Call::Cancel { future } => with_future(*future, |job, future| {
            let expected = world(|world| {
                let expected = world.model.cancel(job);
                world.note(job);
                expected
            });
            assert_eq!(future.cancel(), expected, "cancel {job:?}");
        }),
        Call::Look { future } => with_future(*future, |job, future| look(job, future)),
        Call::TryResult { future } => {
            with_future(*future, |job, future| match future.try_result() {
                Some(result) => check_taken(job, result),
                None => assert!(
                    !world(|world| world.model.is_ready(job)),
                    "{job:?} is ready"
                ),
            })
        }
        Call::Await { future } => with_future(*future, poll_future),
        Call::Block { future, how } if may_block() => {
            if let Some((job, future)) = world(|world| world.choose(*future)) {
                block(job, future, *how);
            }
        }
        Call::Drop { future, cancel } => {
            if let Some((job, future)) = world(|world| world.choose(*future)) {
                drop_future(job, future, *cancel);
            }
        }
        Call::Wait { futures, when } if may_block() => wait_on(*futures, *when),
        Call::AsCompleted { futures, asked } if may_block() => iterate(*futures, *asked),
        Call::Map {
            count,
            window,
            asked,
        } if may_block() => map(*count, *window, *asked),
        Call::Scope { bodies } if may_block() => scope(bodies),
        Call::End(end) => end_pool(*end),
        Call::Block { .. }
        | Call::Wait { .. }
        | Call::AsCompleted { .. }
        | Call::Map { .. }
        | Call::Scope { .. } => {}
    }
}

/// Calls `f` with a future, which is put back.
fn with_future(number: u8, f: impl FnOnce(Job, &mut Future_)) {
    if let Some((job, mut future)) = world(|world| world.choose(number)) {
        f(job, &mut future);
        world(|world| world.futures.push((job, future)));
    }
}

fn submit(priority: u8, kind: Kind, body: &Body) {
    let (pool, job, priority) = world(|world| {
        let priority = world.priority(priority);
        (world.pool.at(priority), Job(world.name()), priority)
    });
    if matches!(kind, Kind::Waiting) && may_block() {
        return submit_waiting(job, priority, body);
    }
    let expected = world(|world| world.model.submit(job, priority));
    match kind {
        Kind::Plain | Kind::Waiting => {
            check_submitted(job, pool.submit(closure(job, body)), expected)
        }
        Kind::Cancellable => {
            let captured = Box::new((Value::new(job), body.clone()));
            let submitted = pool.submit_cancellable(move |token| {
                let (value, body) = *captured;
                job_begins(job);
                for call in &body.calls {
                    perform(call);
                    let asked = world(|world| world.model.cancel_requested(job));
                    assert_eq!(token.is_cancelled(), asked, "the token of {job:?}");
                }
                drop(value);
                job_ends(job, body.panics);
                Value::new(job)
            });
            check_submitted(job, submitted, expected);
        }
        Kind::Detached => {
            let run = closure(job, body);
            match (pool.submit_detached(move || drop(run())), expected) {
                (Ok(()), Ok(())) => world(|world| world.model.drop_handle(job)),
                (Err(error), Err(refusal)) => check_refused(job, error, refusal),
                (submitted, expected) => panic!("{job:?}: {submitted:?}, but {expected:?}"),
            }
        }
        Kind::Async => {
            let mut submit = pool.submit_async(closure(job, body));
            match Pin::new(&mut submit).poll(&mut Context::from_waker(Waker::noop())) {
                std::task::Poll::Ready(submitted) => check_submitted(job, submitted, expected),
                std::task::Poll::Pending => assert_eq!(expected, Err(Refusal::Full)),
            }
        }
    }
}

/// A submit that runs jobs until there is room, or nothing is left to run.
fn submit_waiting(job: Job, priority: usize, body: &Body) {
    let frame = Frame {
        for_room: true,
        ..Frame::default()
    };
    let mut expected = world(|world| world.model.submit(job, priority));
    // The model has it queued only when there is room, and that is after the jobs that make some.
    let must_wait = expected == Err(Refusal::Full);
    let timeout = timeout();
    let submitted = framed(
        frame,
        |pool| {
            pool.at(priority)
                .submit_timeout(closure(job, body), timeout)
        },
        |world, _| {
            while must_wait && expected == Err(Refusal::Full) {
                world.catch_up(Model::has_room);
                if !world.model.has_room() {
                    break;
                }
                expected = world.model.submit(job, priority);
            }
        },
    );
    check_submitted(job, submitted, expected);
}

/// A task that does at each poll what the sequence says.
struct Task {
    job: Job,
    value: Option<Value>,
    polls: VecDeque<Poll>,
}

impl Future for Task {
    type Output = Value;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> std::task::Poll<Value> {
        let job = self.job;
        job_begins(job);
        let poll = self
            .polls
            .pop_front()
            .expect("a task is not polled after its end");
        if poll.keep_waker {
            world(|world| {
                let slot = world.slots[&job];
                world.wakers.push((slot, cx.waker().clone()));
            });
        }
        if poll.wake {
            world(|world| world.model.wake(job));
            cx.waker().wake_by_ref();
        }
        perform_all(&poll.body.calls);
        if self.polls.is_empty() || poll.body.panics {
            self.value = None;
            job_ends(job, poll.body.panics);
            return std::task::Poll::Ready(Value::new(job));
        }
        world(|world| {
            if let Suspension::Dropped(_) = world.model.suspend(job) {
                world.note(job);
            }
        });
        std::task::Poll::Pending
    }
}

fn spawn(priority: u8, polls: &[Poll]) {
    let (pool, job, priority) = world(|world| {
        let priority = world.priority(priority);
        (world.pool.at(priority), Job(world.name()), priority)
    });
    let expected = world(|world| world.model.submit(job, priority));
    let task = Task {
        job,
        value: Some(Value::new(job)),
        polls: polls.iter().cloned().collect(),
    };
    check_submitted(job, pool.spawn(task), expected);
}

/// Wakes by a waker, of a task that may have ended: who is in its slot now is woken.
fn wake(number: u8) {
    let waker = world(|world| {
        let count = world.wakers.len();
        let (slot, waker) = world
            .wakers
            .get(usize::from(number).checked_rem(count)?)?
            .clone();
        let tenant = world
            .model
            .jobs()
            .find(|job| world.slots.get(job) == Some(&slot));
        if let Some(job) = tenant {
            world.model.wake(job);
        }
        Some(waker)
    });
    if let Some(waker) = waker {
        waker.wake();
    }
}

fn promise(priority: u8) {
    let (pool, job, priority) = world(|world| {
        let priority = world.priority(priority);
        (world.pool.at(priority), Job(world.name()), priority)
    });
    let expected = world(|world| world.model.promise(job, priority));
    let value = Value::new(job);
    match (pool.promise(), expected) {
        (Ok((promise, future)), Ok(())) => world(|world| {
            world.promises.push((job, promise));
            world.keep(job, future);
        }),
        (Err(error), Err(refusal)) => return check_refused(job, error.map(|()| value), refusal),
        (made, expected) => panic!("{job:?}: {made:?}, but {expected:?}"),
    }
    drop(value);
}

fn keep_promise(job: Job, promise: Promise<'static, Value>, keep: bool) {
    let ended = world(|world| world.model.end_of(job).is_some());
    assert_eq!(
        promise.is_cancelled(),
        ended,
        "whether the promise of {job:?} is needed"
    );
    let end = if keep { Ended::Returned } else { Ended::Lost };
    let expected = world(|world| {
        let kept = world.model.keep_promise(job, end);
        world.note(job);
        kept
    });
    if !keep {
        return drop(promise);
    }
    match promise.set_result(Value::new(job)) {
        Ok(()) => assert!(expected, "{job:?} had ended"),
        Err(value) => assert!(!expected && value.job == job, "{job:?} was waited for"),
    }
}

fn run_pending(max: usize) {
    framed(
        Frame::default(),
        |pool| pool.run_pending(max),
        |world, &count| {
            let taken = world.frame().taken;
            assert!(taken <= count, "run_pending says {count}, and ran {taken}");
            for _ in taken..count {
                let next = world.next();
                let unrun = matches!(next, Next::Skipped(_) | Next::Dropped(..));
                assert!(unrun, "{next:?} was not run");
            }
            let all = count == max || !world.model.has_queued();
            assert!(all, "run_pending ran {count} of {max}");
        },
    );
}

/// What the worker's start hook tells.
pub(crate) fn worker_starts(id: WorkerId, fails: bool) {
    world(|world| {
        let name = Worker(world.name());
        world.worker = Some((name, id));
        if fails {
            let reason = BrokenReason::Initializer(INIT_ERROR);
            world.frame().sweep.push_back(Sweep::Break(reason));
        }
    });
}

/// What its hook for jobs tells.
pub(crate) fn hook_says(job: JobId) {
    world(|world| world.hook = Some(job.index()));
}

/// A worker that runs jobs until there are none, and is declared lost then, since nothing else but
/// the pool's end ends it.
fn run_worker(fails_to_start: bool) {
    if world(|world| !world.frames.is_empty()) {
        // A worker is a context's whole life, and not part of a job.
        return;
    }
    let broken_before = world(|world| world.broken_for);
    let ran = framed(
        Frame::default(),
        |pool| pool.run(&Runner { fails_to_start }),
        |world, _| {
            if world.worker.is_some() {
                world.catch_up(|_| false);
            }
        },
    );
    world(|world| {
        let lost = world.worker.take().is_none();
        let expected = match (broken_before, lost, world.broken_for) {
            (Some(reason), ..) => Err(RunError::Broken(reason)),
            (None, true, _) => Err(RunError::DeclaredLost),
            (None, false, Some(reason)) => Err(RunError::Broken(reason)),
            (None, false, None) => Ok(()),
        };
        assert_eq!(ran, expected);
        let over = ran != Ok(()) || world.model.is_shut_down() && world.model.started() == 0;
        assert!(over, "a worker left");
        world.hook = None;
    });
}

fn lose_worker(breaks: bool) {
    let Some((worker, id)) = world(|world| world.worker.take()) else {
        return;
    };
    let mut sweep: VecDeque<Sweep> = world(|world| {
        world
            .by_slot()
            .map(|job| Sweep::Lose(job, worker))
            .collect()
    });
    if breaks {
        sweep.push_back(Sweep::Break(BrokenReason::WorkerLost));
    }
    let on_loss = if breaks {
        OnLoss::Break
    } else {
        OnLoss::Continue
    };
    let frame = Frame {
        sweep,
        ..Frame::default()
    };
    // SAFETY: no scope is under way.
    let lose = |pool: Pool| unsafe { pool.worker_lost(id, on_loss) };
    world(|world| world.frames.iter_mut().for_each(|frame| frame.lost = true));
    framed(frame, lose, |world, ()| while world.sweep() {});
}

/// Somebody waits without a time limit, and nothing is left to run.
pub(crate) fn nothing_can_happen() {
    let endless = world(|world| {
        world.catch_up(|_| false);
        world.frame().endless
    });
    if endless {
        // Whatever it waits for, this ends it.
        return end_pool(End::Break);
    }
    let idle = world(|world| world.worker.is_some() && world.frames.len() == 1);
    assert!(idle, "somebody waits for nothing");
    lose_worker(false);
}

fn add_callback(job: Job, future: &mut Future_, body: &Body) {
    let (callback, expected) = world(|world| {
        let callback = Callback(world.name());
        let expected = world.model.add_callback(job, callback);
        if expected == Ok(false) {
            world.at_once = Some(callback);
        }
        (callback, expected)
    });
    let captured = Box::new((Value::new(job), body.clone()));
    let at_once = expected == Ok(false);
    let added = future.add_done_callback(move |outcome| {
        let (value, body) = *captured;
        callback_begins(job, callback, outcome);
        perform_all(&body.calls);
        drop(value);
        world(|world| {
            world.callback_depth -= 1;
            if at_once && body.panics {
                world.model.callback_panicked();
            } else if !at_once {
                world.model.end_callback(job, body.panics);
                world.note(job);
            }
        });
        if body.panics {
            resume_unwind(Box::new(OnPurpose));
        }
    });
    match (added, expected) {
        (Ok(()), Ok(_)) => {}
        (Err(error), Err(Refusal::Full)) => {
            assert!(matches!(error, CallbackError::Full(_)));
            let before = values::there();
            drop(error.into_inner());
            assert_eq!(values::there(), before - 1, "the callback comes back");
        }
        (added, expected) => panic!("a callback of {job:?}: {added:?}, but {expected:?}"),
    }
}

fn look(job: Job, future: &Future_) {
    world(|world| {
        let model = &world.model;
        let state = match future.state() {
            corepool::JobState::Pending => JobState::Pending,
            corepool::JobState::Running => JobState::Running,
            corepool::JobState::Cancelled => JobState::Cancelled,
            corepool::JobState::Finished => JobState::Finished,
        };
        assert_eq!(state, model.state(job), "the state of {job:?}");
        assert_eq!(future.done(), model.end_of(job).is_some());
        assert_eq!(future.running(), state == JobState::Running);
        assert_eq!(future.cancelled(), state == JobState::Cancelled);
        assert_eq!(future.cancel_requested(), model.cancel_requested(job));
        assert_eq!(future.id().index(), world.slots[&job]);
    });
}

fn poll_future(job: Job, future: &mut Future_) {
    let flag = Arc::new(Flag::default());
    let waker = Waker::from(Arc::clone(&flag));
    let polled = Pin::new(future).poll(&mut Context::from_waker(&waker));
    world(|world| {
        world.awaited.retain(|(awaited, _)| *awaited != job);
        if polled.is_pending() {
            assert!(!world.model.is_ready(job), "{job:?} is ready");
            world.awaited.push((job, flag));
        }
    });
    if let std::task::Poll::Ready(result) = polled {
        check_taken(job, result);
    }
}

fn drop_future(job: Job, future: Future_, cancel: bool) {
    world(|world| {
        if cancel {
            world.model.cancel(job);
            world.note(job);
        }
        world.awaited.retain(|(awaited, _)| *awaited != job);
    });
    if cancel {
        drop(future.cancel_on_drop());
    } else {
        drop(future);
    }
    // After the callbacks.
    world(|world| world.model.drop_handle(job));
}

fn block(job: Job, mut future: Future_, how: Blocking) {
    world(|world| world.awaited.retain(|(awaited, _)| *awaited != job));
    let endless = matches!(how, Blocking::Result | Blocking::Error);
    let frame = Frame {
        endless,
        ..Frame::default()
    };
    let timeout = timeout();
    let go_on = |world: &mut World| world.catch_up(|model| model.is_ready(job));
    let is_ready = || world(|world| world.model.is_ready(job));
    // How a call ends that waits for a job that is not ready.
    let check_blocked = |error: &JobError| match error {
        JobError::TimedOut => assert!(!endless),
        JobError::WouldDeadlock => {
            let running = world(|world| world.model.state(job) == JobState::Running);
            assert!(endless && running, "{job:?} waits for nobody");
        }
        error => panic!("{job:?} is not ready, but {error}"),
    };
    match how {
        Blocking::Result => {
            let result = framed(frame, |_| future.result(), |world, _| go_on(world));
            if is_ready() {
                check_taken(job, result);
            } else {
                check_blocked(&result.expect_err("the job is not ready"));
            }
            return world(|world| world.model.drop_handle(job));
        }
        Blocking::ResultTimeout => {
            let result = framed(
                frame,
                |_| future.result_timeout(timeout),
                |world, _| go_on(world),
            );
            match result {
                result if is_ready() => check_taken(job, result),
                result => check_blocked(&result.expect_err("the job is not ready")),
            }
        }
        Blocking::Error | Blocking::ErrorTimeout => {
            let error = if endless {
                framed(frame, |_| future.error(), |world, _| go_on(world))
            } else {
                let error = |_| future.error_timeout(timeout);
                framed(frame, error, |world, _| go_on(world)).unwrap_or_else(Some)
            };
            match error {
                None => {
                    let end = world(|world| world.model.end_of(job));
                    assert_eq!((is_ready(), end), (true, Some(Ended::Returned)));
                }
                Some(error) if is_ready() => world(|world| {
                    let end = world.model.end_of(job).expect("the job is ready");
                    check_error(world, job, error, end);
                }),
                Some(error) => check_blocked(&error),
            }
        }
    }
    world(|world| world.futures.push((job, future)));
}

fn wait_on(bits: u8, when: u8) {
    let (jobs, mut futures): (Vec<Job>, Vec<Future_>) =
        world(|world| world.choose_set(bits)).into_iter().unzip();
    let when = match when % 3 {
        0 => ReturnWhen::FirstCompleted,
        1 => ReturnWhen::FirstException,
        _ => ReturnWhen::AllCompleted,
    };
    let over = |model: &mut Model| {
        let all = jobs.iter().all(|&job| model.is_ready(job));
        let failed = |&job: &Job| {
            let end = model.end_of(job);
            model.is_ready(job) && !matches!(end, Some(Ended::Returned | Ended::Cancelled))
        };
        match when {
            ReturnWhen::FirstCompleted => {
                jobs.is_empty() || jobs.iter().any(|&job| model.is_ready(job))
            }
            ReturnWhen::FirstException => all || jobs.iter().any(failed),
            ReturnWhen::AllCompleted => all,
        }
    };
    let timeout = Some(timeout());
    let waited = framed(
        Frame::default(),
        |_| wait(&mut futures, timeout, when).map(|waited| waited.done.len()),
        |world, _| world.catch_up(over),
    );
    let done = waited.expect("there are enough places for waiters, and a clock");
    world(|world| {
        for (position, future) in futures.into_iter().enumerate() {
            let slot = future.id().index();
            let job = jobs.iter().copied().find(|job| world.slots[job] == slot);
            let job = job.expect("no future is lost");
            assert_eq!(
                position < done,
                world.model.is_ready(job),
                "whether {job:?} is done"
            );
            world.futures.push((job, future));
        }
    });
}

fn iterate(bits: u8, asked: u8) {
    let (jobs, futures): (Vec<Job>, Vec<Future_>) =
        world(|world| world.choose_set(bits)).into_iter().unzip();
    let futures: FutureSet<'static, Value, SET> = futures.into_iter().collect();
    let mut left = jobs.clone();
    // Those that are ready come first, in the order of the set.
    let (ready, since) = world(|world| {
        let ready = |job: &&Job| world.model.is_ready(**job);
        (
            jobs.iter().filter(ready).copied().collect::<Vec<_>>(),
            world.ready.len(),
        )
    });
    let mut completed = as_completed(futures, Some(timeout()));
    for _ in 0..asked {
        let over =
            |model: &mut Model| left.is_empty() || left.iter().any(|&job| model.is_ready(job));
        let next = framed(
            Frame::default(),
            |_| completed.next(),
            |world, _| world.catch_up(over),
        );
        let expected = world(|world| {
            let since = world.ready[since..].iter();
            ready
                .iter()
                .chain(since)
                .copied()
                .find(|job| left.contains(job))
        });
        match (next, expected) {
            (Some(Ok(future)), Some(job)) => world(|world| {
                assert_eq!(
                    future.id().index(),
                    world.slots[&job],
                    "the order of completion"
                );
                left.retain(|&other| other != job);
                world.futures.push((job, future));
            }),
            (Some(Err(error)), None) => {
                let text = format!("{} (of {}) futures unfinished", left.len(), jobs.len());
                assert_eq!(error.to_string(), text);
                assert!(completed.next().is_none());
                break;
            }
            (None, None) => {
                assert!(left.is_empty());
                break;
            }
            (next, expected) => panic!("{next:?}, but {expected:?}"),
        }
    }
    world(|world| {
        for (job, future) in left.into_iter().zip(completed.into_unfinished()) {
            assert_eq!(future.id().index(), world.slots[&job]);
            world.futures.push((job, future));
        }
    });
}

/// The part of a map that the model does not know.
struct Mapped {
    /// The names of the jobs that have not been submitted.
    items: VecDeque<Job>,
    in_flight: VecDeque<Result<Job, Refusal>>,
    window: usize,
}

impl Mapped {
    /// Submits until the window or the pool is full.
    fn fill(&mut self, model: &mut Model) {
        while self.in_flight.len() < self.window
            && let Some(&job) = self.items.front()
        {
            match model.submit(job, 0) {
                Err(Refusal::Full) => return,
                submitted => self.in_flight.push_back(submitted.map(|()| job)),
            }
            self.items.pop_front();
        }
    }
}

fn map(count: u8, window: u8, asked: u8) {
    let (pool, mut mapped, items) = world(|world| {
        let mut mapped = Mapped {
            items: (0..count).map(|_| Job(world.name())).collect(),
            in_flight: VecDeque::new(),
            window: usize::from(window),
        };
        let items = mapped.items.clone();
        mapped.fill(&mut world.model);
        (world.pool, mapped, items)
    });
    let options = MapOptions::<4> {
        buffer_size: usize::from(window),
        timeout: Some(timeout()),
    };
    let function = |value: Value| {
        let job = value.job;
        job_begins(job);
        drop(value);
        job_ends(job, false);
        Value::new(job)
    };
    let values = items.into_iter().map(Value::new);
    let mut results = pool
        .map_with(options, values, function)
        .expect("the options are good");
    for _ in 0..asked {
        // With nothing in flight it would wait for room, which is what `submit_waiting` does.
        let Some(first) = mapped.in_flight.pop_front() else {
            break;
        };
        world(|world| mapped.fill(&mut world.model));
        let next = framed(
            Frame::default(),
            |_| results.next(),
            |world, _| {
                if let Ok(job) = first {
                    world.catch_up(|model| model.is_ready(job));
                }
            },
        );
        match (next.expect("a job is in flight"), first) {
            (Err(JobError::ShutDown), Err(Refusal::ShutDown)) => {}
            (Err(JobError::Broken(reason)), Err(Refusal::Broken)) => {
                assert_eq!(Some(reason), world(|world| world.broken_for));
            }
            (result, Ok(job)) if world(|world| world.model.is_ready(job)) => {
                check_taken(job, result);
                world(|world| world.model.drop_handle(job));
            }
            (result, first) => panic!("map gave {result:?} for {first:?}"),
        }
    }
    world(|world| {
        let rest: Vec<Job> = mapped.in_flight.drain(..).flatten().collect();
        for &job in &rest {
            world.model.cancel(job);
        }
        for job in rest {
            world.model.drop_handle(job);
        }
    });
    drop(results);
}

fn scope(bodies: &[Body]) {
    let (pool, jobs) = world(|world| {
        world.scope_depth += 1;
        let names: Vec<Job> = bodies.iter().map(|_| Job(world.name())).collect();
        (world.pool, names)
    });
    let mut submitted = Vec::new();
    let mut ran: Vec<Option<Value>> = jobs.iter().map(|_| None).collect();
    world(|world| world.frames.push(Frame::default()));
    pool.scope(|scope| {
        for ((body, &job), place) in bodies.iter().zip(&jobs).zip(&mut ran) {
            let expected = world(|world| world.model.submit(job, 0));
            let run = closure(job, body);
            // What it borrows, it uses.
            let future = scope.submit(move || *place = Some(run()));
            match (future, expected) {
                (Ok(future), Ok(())) => {
                    world(|world| {
                        world.slots.insert(job, future.id().index());
                        world.model.drop_handle(job);
                    });
                    submitted.push(job);
                }
                (Err(error), Err(refusal)) => check_refused(job, error, refusal),
                (future, expected) => panic!("{job:?}: {future:?}, but {expected:?}"),
            }
        }
    });
    world(|world| {
        let ended = |model: &Model, job| !model.contains(job) || model.end_of(job).is_some();
        world.catch_up(|model| submitted.iter().all(|&job| ended(model, job)));
        assert!(
            submitted.iter().all(|&job| ended(&world.model, job)),
            "the scope is over"
        );
        world.frames.pop();
        world.scope_depth -= 1;
    });
}

fn end_pool(end: End) {
    let cancel = matches!(
        end,
        End::Shutdown {
            cancel_futures: true
        } | End::ShutdownTimeout {
            cancel_futures: true
        }
    );
    let waits = matches!(end, End::ShutdownTimeout { .. });
    if waits && !may_block() {
        return;
    }
    let sweep = world(|world| {
        if matches!(end, End::Break) {
            return vec![Sweep::Break(BrokenReason::Application(BREAK))];
        }
        world.model.shut_down(cancel);
        if cancel {
            world.ends(Ended::Cancelled)
        } else {
            Vec::new()
        }
    });
    if matches!(end, End::Break) {
        // The pool is broken before the first job is told.
        let mut frame = Frame::default();
        frame.sweep.extend(sweep);
        world(|world| {
            world.frames.push(frame);
            world.sweep();
        });
        world(|world| world.pool).break_pool(BREAK);
        return world(|world| {
            while world.sweep() {}
            world.frames.pop();
        });
    }
    // Jobs of a worker that was declared lost are nobody's.
    let in_job = world(|world| world.frames.iter().any(|frame| !frame.lost));
    let timeout = timeout();
    let frame = Frame {
        sweep: sweep.into(),
        ..Frame::default()
    };
    let mut started = 0;
    let mut queued = false;
    let over = framed(
        frame,
        |pool| match end {
            End::ShutdownTimeout { cancel_futures } => {
                pool.shutdown_timeout(timeout, cancel_futures)
            }
            _ => pool.shutdown(false, cancel),
        },
        |world, _| {
            while world.sweep() {}
            if waits && !in_job {
                world.catch_up(|_| false);
                queued = world.model.has_queued();
                started = world.model.started();
            }
        },
    );
    match over {
        Ok(()) => assert!(!waits || (started == 0 && !queued), "the pool is not over"),
        Err(ShutdownError::StillRunning { jobs, workers }) => {
            assert!(waits && started > 0);
            assert_eq!((jobs, workers), (started, 0));
        }
        Err(ShutdownError::WouldDeadlock) => assert!(waits && in_job),
        Err(error) => panic!("{error}"),
    }
}
