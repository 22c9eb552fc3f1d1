//! The scenes: together they use the whole API.

use std::{
    future::Future,
    mem,
    mem::MaybeUninit,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll, Waker},
    thread,
    time::Duration,
};

use corepool::{
    FutureSet, JobFuture, LentPool, MapOptions, OnLoss, PoolConfig, ReturnWhen, SubmitError,
    WorkerId, as_completed, wait, wait_shared, wait_shared_async,
};

use crate::{
    bomb::foreign,
    far,
    lockstep::foreign_waker,
    report,
    stage::{Arrangement, BYTES, SLOTS, Stage, View},
    value::{Value, fail},
};

pub(crate) struct Scene {
    pub(crate) name: &'static str,
    pub(crate) play: fn(&Stage),
    /// `None`: everywhere.
    only: Option<&'static [Arrangement]>,
    /// A law is broken in it, which is to be noticed.
    pub(crate) is_control: bool,
}

impl Scene {
    pub(crate) fn is_for(&self, arrangement: Arrangement) -> bool {
        self.only.is_none_or(|only| only.contains(&arrangement))
    }
}

const fn scene(name: &'static str, play: fn(&Stage)) -> Scene {
    Scene {
        name,
        play,
        only: None,
        is_control: false,
    }
}

const fn only(on: &'static [Arrangement], scene: Scene) -> Scene {
    Scene {
        only: Some(on),
        ..scene
    }
}

const fn control(scene: Scene) -> Scene {
    Scene {
        only: Some(&[Arrangement::Workers]),
        is_control: true,
        ..scene
    }
}

/// Where there is a clock.
const CLOCK: &[Arrangement] = &[
    Arrangement::Alone,
    Arrangement::Workers,
    Arrangement::Remote,
    Arrangement::Threads,
];
/// Where the scene's own thread can be the one who does the work, or who sleeps until it is done.
const TURNS: &[Arrangement] = &[
    Arrangement::Alone,
    Arrangement::Workers,
    Arrangement::Remote,
];

pub(crate) const SCENES: &[Scene] = &[
    scene("submit and result", submit_and_result),
    scene("results that are not taken", results_not_taken),
    scene("jobs that panic", jobs_that_panic),
    scene("large jobs and results", large),
    scene("cancel", cancel),
    scene("callbacks", callbacks),
    scene("errors", errors),
    only(CLOCK, scene("timeouts", timeouts)),
    scene("a job in a job", nested),
    scene("map", map),
    scene("a map's source and end", map_dropped),
    only(CLOCK, scene("map with options", map_with)),
    scene("scope", scope),
    scene("scope, nested", scope_nested),
    scene("wait", wait_for_all),
    only(CLOCK, scene("wait with a time limit", wait_for_first)),
    scene("as completed", completed),
    only(TURNS, scene("as completed, async", completed_async)),
    only(TURNS, scene("await", awaited)),
    scene("a shared future", shared),
    only(TURNS, scene("a shared future, async", shared_async)),
    scene("several shared futures", shared_set),
    only(
        TURNS,
        scene("several shared futures, async", shared_set_async),
    ),
    only(TURNS, scene("tasks", tasks)),
    only(TURNS, scene("tasks that are cancelled", tasks_cancelled)),
    scene("promises", promises),
    scene("a full pool", full),
    only(TURNS, scene("a full pool, async", full_async)),
    scene("priorities", priorities),
    scene("shutdown", shutdown),
    scene("shutdown that cancels", shutdown_cancels),
    only(CLOCK, scene("shutdown with a time limit", shutdown_timeout)),
    scene("break", broken),
    only(
        &[Arrangement::Workers],
        scene("a worker joins", worker_joins),
    ),
    only(
        &[Arrangement::Workers],
        scene("a worker is lost", worker_lost),
    ),
    only(&[Arrangement::Alone], scene("a lent pool", lent_pool)),
    scene("remote jobs", far::carry),
    control(scene("control: a future is forgotten", forgotten_future)),
    control(scene("control: a value is forgotten", forgotten_value)),
    control(scene("control: nobody ends a wait", forgotten_wait)),
    control(scene("control: a future has no end", forgotten_promise)),
];

/// A job with a value in it, which results in another.
fn job() -> impl FnOnce() -> Value + Send + 'static {
    let captured = Value::new("drop: closure");
    move || {
        foreign("job");
        drop(captured);
        Value::new("drop: result")
    }
}

fn callback() -> impl FnOnce(Result<&Value, &corepool::JobError>) + Send + 'static {
    let captured = Value::new("drop: callback");
    move |outcome| {
        foreign("callback");
        let _ = (outcome.is_ok(), &captured);
    }
}

/// The future of a submit, unless it was refused.
fn taken<T, F>(submitted: Result<T, SubmitError<F>>) -> Option<T> {
    submitted.ok()
}

fn submit(pool: View) -> Option<JobFuture<'static, Value>> {
    taken(pool.submit(job()))
}

fn submit_and_result(stage: &Stage) {
    for _ in 0..2 {
        if let Some(job) = submit(stage.pool) {
            let _ = job.result();
        }
    }
    if let Some(job) = submit(stage.pool) {
        stage.keep(job);
    }
    let _ = stage.pool.submit_detached(|| drop(job()()));
}

fn results_not_taken(stage: &Stage) {
    let futures = [submit(stage.pool), submit(stage.pool)];
    drop(submit(stage.pool));
    stage.work();
    for future in futures.into_iter().flatten() {
        drop(future);
    }
}

fn jobs_that_panic(stage: &Stage) {
    let failing = || {
        let captured = Value::new("drop: closure");
        move || -> Value {
            let _captured = captured;
            foreign("job");
            fail()
        }
    };
    if let Some(job) = taken(stage.pool.submit(failing())) {
        stage.keep(job);
    }
    // Nobody asks.
    let _ = stage.pool.submit_detached(move || drop(failing()()));
    if let Some(job) = taken(stage.pool.submit(failing())) {
        stage.work();
        drop(job);
    }
    if let Some(mut job) = taken(stage.pool.submit(failing())) {
        let _ = job.add_done_callback(callback());
        let _ = job.result();
    }
}

/// Spilled, on every pool here.
struct Large {
    _value: Value,
    _bytes: [u64; 16],
}

impl Large {
    fn new(name: &'static str) -> Self {
        Self {
            _value: Value::new(name),
            _bytes: [7; 16],
        }
    }
}

fn large(stage: &Stage) {
    let job = || {
        let captured = Large::new("drop: large closure");
        move || {
            foreign("job");
            drop(captured);
            Large::new("drop: large result")
        }
    };
    let futures = [
        taken(stage.pool.submit(job())),
        taken(stage.pool.submit(job())),
        taken(stage.pool.submit(job())),
    ];
    let mut futures = futures.into_iter().flatten();
    if let Some(future) = futures.next() {
        let _ = future.result();
    }
    if let Some(future) = futures.next() {
        future.cancel();
    }
    stage.work();
    drop(futures);
    let panics = Large::new("drop: large closure");
    let panics = stage.pool.submit(move || -> Large {
        let _panics = panics;
        fail()
    });
    if let Some(future) = taken(panics) {
        let _ = future.result();
    }
}

fn cancel(stage: &Stage) {
    let queued: Vec<_> = (0..3).filter_map(|_| submit(stage.pool)).collect();
    for job in &queued {
        job.cancel();
        let _ = (job.state(), job.cancelled(), job.running(), job.done());
    }
    for job in queued {
        stage.keep(job);
    }
    if let Some(job) = submit(stage.pool) {
        drop(job.cancel_on_drop());
    }
    let token = stage.pool.submit_cancellable(|token| {
        foreign("job");
        token.is_cancelled();
        Value::new("drop: result")
    });
    if let Some(job) = taken(token) {
        stage.keep(job);
    }
}

fn callbacks(stage: &Stage) {
    if let Some(mut job) = submit(stage.pool) {
        for _ in 0..2 {
            let _ = job.add_done_callback(callback());
        }
        let pool = stage.pool;
        let _ = job.add_done_callback(move |_| {
            foreign("callback");
            let _ = pool.submit_detached(|| foreign("job"));
        });
        stage.work();
        let _ = job.add_done_callback(callback());
        stage.keep(job);
    }
    // Run by who cancels.
    if let Some(mut job) = submit(stage.pool) {
        let _ = job.add_done_callback(callback());
        let _ = job.add_done_callback(callback());
        job.cancel();
        stage.keep(job);
    }
}

fn errors(stage: &Stage) {
    let failing = stage.pool.submit(|| -> Value { fail() });
    if let Some(mut job) = taken(failing) {
        drop(job.error());
        drop(job.error());
        let _ = job.try_result();
    }
    if let Some(mut job) = submit(stage.pool) {
        drop(job.error());
        let _ = job.try_result();
        let _ = job.try_result();
    }
}

fn timeouts(stage: &Stage) {
    const MOMENT: Duration = Duration::from_millis(2);
    if let Ok((promise, mut future)) = stage.pool.promise::<Value>() {
        let _ = future.result_timeout(MOMENT);
        let _ = future.error_timeout(MOMENT);
        let _ = promise.set_result(Value::new("drop: result"));
        let _ = future.result_timeout(MOMENT);
    }
    if let Some(mut job) = submit(stage.pool) {
        let _ = job.result_timeout(Duration::from_secs(50));
        let _ = job.result_timeout(MOMENT);
    }
}

fn nested(stage: &Stage) {
    let pool = stage.pool;
    let outer = stage.pool.submit(move || {
        let inner = taken(pool.submit(job()));
        match inner.map(JobFuture::result) {
            Some(Ok(value)) => value,
            _ => Value::new("drop: result"),
        }
    });
    if let Some(outer) = taken(outer) {
        let _ = outer.result();
    }
    let waits = stage.pool.submit(move || {
        let mut inner: Vec<_> = (0..2).filter_map(|_| submit(pool)).collect();
        let _ = wait(&mut inner, None, ReturnWhen::AllCompleted);
        Value::new("drop: result")
    });
    if let Some(waits) = taken(waits) {
        stage.keep(waits);
    }
}

/// A source whose items are values.
fn source(count: usize) -> impl Iterator<Item = Value> {
    (0..count).map(|_| {
        foreign("map: source");
        Value::new("drop: item")
    })
}

/// The function of a map: its clones are counted.
struct Function(Value);

impl Clone for Function {
    fn clone(&self) -> Self {
        foreign("map: clone of the function");
        Self(Value::new("drop: function"))
    }
}

impl Function {
    fn call(&self) {
        let _ = &self.0;
    }

    fn make() -> impl Fn(Value) -> Value + Clone + Send + 'static {
        let function = Self(Value::new("drop: function"));
        move |item| {
            function.call();
            foreign("job");
            drop(item);
            Value::new("drop: result")
        }
    }
}

/// Takes what a map has to give, also when its source has panicked in the midst of it: no result is lost.
fn take_all<I: Iterator<Item = Result<Value, corepool::JobError>>>(mut results: I) -> usize {
    let count = AtomicUsize::new(0);
    let mut panics = None;
    loop {
        let next = catch_unwind(AssertUnwindSafe(|| {
            let next = results.next();
            let some = next.is_some();
            count.fetch_add(usize::from(some), SeqCst);
            drop(next);
            some
        }));
        match next {
            Ok(true) => {}
            Ok(false) => break,
            Err(payload) => {
                if panics.is_some() {
                    report::broken("a map goes on panicking");
                    break;
                }
                panics = Some(payload);
            }
        }
    }
    if let Some(payload) = panics {
        // As a caller would who has caught it only to see what follows.
        resume_unwind(payload);
    }
    count.into_inner()
}

fn map(stage: &Stage) {
    let results = stage.pool.map(source(5), Function::make());
    take_all(results);
}

fn map_dropped(stage: &Stage) {
    let mut results = stage.pool.map(source(6), Function::make());
    drop(results.next());
    drop(results);
    // More than there is room for.
    take_all(stage.pool.map(source(SLOTS + 3), Function::make()));
}

fn map_with(stage: &Stage) {
    let options = MapOptions::<4> {
        buffer_size: 2,
        timeout: Some(Duration::from_secs(50)),
    };
    if let Ok(results) = stage.pool.map_with(options, source(4), Function::make()) {
        take_all(results);
    }
    let over = MapOptions::<4> {
        buffer_size: 2,
        timeout: Some(Duration::ZERO),
    };
    if let Ok(results) = stage.pool.map_with(over, source(4), Function::make()) {
        take_all(results);
    }
}

fn scope(stage: &Stage) {
    let borrowed = Value::new("drop: value");
    let ended = AtomicUsize::new(0);
    stage.pool.scope(|scope| {
        let job = || {
            let captured = Value::new("drop: closure");
            let (borrowed, ended) = (&borrowed, &ended);
            move || {
                let _ = (borrowed, captured);
                foreign("job");
                ended.fetch_add(1, SeqCst);
                Value::new("drop: result")
            }
        };
        let first = taken(scope.submit(job()));
        drop(taken(scope.submit(job())));
        let third = taken(scope.submit(job()));
        if let Some(third) = third {
            third.cancel();
        }
        take_all(scope.map(source(2), |item| {
            foreign("job");
            let _ = (&borrowed, item);
            Value::new("drop: result")
        }));
        if let Some(first) = first {
            let _ = first.result();
        }
    });
}

fn scope_nested(stage: &Stage) {
    let pool = stage.pool;
    let outer = stage.pool.submit(move || {
        let borrowed = Value::new("drop: value");
        pool.scope(|scope| {
            for _ in 0..2 {
                let borrowed = &borrowed;
                drop(taken(scope.submit(move || {
                    foreign("job");
                    let _ = borrowed;
                })));
            }
        });
        Value::new("drop: result")
    });
    if let Some(outer) = taken(outer) {
        stage.keep(outer);
    }
}

fn wait_for_all(stage: &Stage) {
    let mut jobs: Vec<_> = (0..3).filter_map(|_| submit(stage.pool)).collect();
    let _ = wait(&mut jobs, None, ReturnWhen::AllCompleted);
    for job in jobs {
        stage.keep(job);
    }
}

fn wait_for_first(stage: &Stage) {
    let Ok((promise, future)) = stage.pool.promise::<Value>() else {
        return;
    };
    let mut jobs = vec![future];
    let _ = wait(
        &mut jobs,
        Some(Duration::from_millis(3)),
        ReturnWhen::FirstException,
    );
    jobs.extend(submit(stage.pool));
    let _ = wait(
        &mut jobs,
        Some(Duration::from_secs(50)),
        ReturnWhen::FirstCompleted,
    );
    drop(promise);
    for job in jobs {
        stage.keep(job);
    }
}

fn completed(stage: &Stage) {
    let mut set = FutureSet::<'_, _, 3>::new();
    for _ in 0..3 {
        if let Some(job) = submit(stage.pool) {
            let _ = set.push(job);
        }
    }
    let mut jobs = as_completed(set, None);
    if let Some(Ok(job)) = jobs.next() {
        stage.keep(job);
    }
    for job in jobs.into_unfinished() {
        stage.keep(job);
    }
}

/// A waker of nobody, whose functions are foreign code.
fn waker() -> Waker {
    foreign_waker(|| {})
}

fn poll_once<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(waker))
}

fn completed_async(stage: &Stage) {
    let mut set = FutureSet::<'_, _, 2>::new();
    for _ in 0..2 {
        if let Some(job) = submit(stage.pool) {
            let _ = set.push(job);
        }
    }
    let mut jobs = as_completed(set, None);
    for waker in [waker(), waker()] {
        let next = pin!(jobs.next_done()).poll(&mut Context::from_waker(&waker));
        if let Poll::Ready(Some(Ok(job))) = next {
            stage.keep(job);
        }
    }
    stage.work();
    let last = waker();
    while let Poll::Ready(Some(Ok(job))) =
        pin!(jobs.next_done()).poll(&mut Context::from_waker(&last))
    {
        stage.keep(job);
    }
}

fn awaited(stage: &Stage) {
    if let Some(mut job) = submit(stage.pool) {
        let (first, second) = (waker(), waker());
        let _ = poll_once(&mut job, &first).is_ready();
        let _ = poll_once(&mut job, &first).is_ready();
        // Another waker takes its place.
        let _ = poll_once(&mut job, &second).is_ready();
        stage.work();
        let _ = poll_once(&mut job, &second).is_ready();
    }
    // Somebody gives up.
    if let Some(mut job) = submit(stage.pool) {
        let _ = poll_once(&mut job, &waker()).is_ready();
        drop(job);
    }
    if let Some(mut job) = submit(stage.pool) {
        let _ = poll_once(&mut job, &waker()).is_ready();
        job.cancel();
        stage.keep(job);
    }
}

fn shared(stage: &Stage) {
    let failing = taken(stage.pool.submit(|| -> Value { fail() }));
    for mut job in [submit(stage.pool), failing].into_iter().flatten() {
        let _ = job.add_done_callback(callback());
        let one = job.share();
        let other = one.clone();
        let _ = other.add_done_callback(callback());
        let _ = one.result().is_ok();
        drop(one);
        let _ = other.result().is_ok();
    }
    if let Some(job) = submit(stage.pool) {
        let one = job.share();
        one.clone().cancel();
    }
}

fn shared_set(stage: &Stage) {
    let jobs = [submit(stage.pool), submit(stage.pool)];
    let mut shared: Vec<_> = jobs.into_iter().flatten().map(JobFuture::share).collect();
    for when in [ReturnWhen::FirstCompleted, ReturnWhen::AllCompleted] {
        let _ = wait_shared(&mut shared, None, when).is_ok();
    }
}

fn shared_set_async(stage: &Stage) {
    let jobs = [submit(stage.pool), submit(stage.pool)];
    let mut shared: Vec<_> = jobs.into_iter().flatten().map(JobFuture::share).collect();
    let mut given_up = Box::pin(wait_shared_async(&mut shared, ReturnWhen::AllCompleted));
    let _ = poll_once(&mut given_up, &waker()).is_ready();
    drop(given_up);
    let mut wait = Box::pin(wait_shared_async(&mut shared, ReturnWhen::AllCompleted));
    let _ = poll_once(&mut wait, &waker()).is_ready();
    let _ = poll_once(&mut wait, &waker()).is_ready();
    stage.work();
    let _ = poll_once(&mut wait, &waker()).is_ready();
}

fn shared_async(stage: &Stage) {
    if let Some(job) = submit(stage.pool) {
        let one = job.share();
        let other = one.clone();
        let mut waits = [&one, &other].map(|shared| Box::pin(shared.result_async()));
        let mut given_up = Box::pin(one.result_async());
        let _ = poll_once(&mut given_up, &waker()).is_ready();
        for wait in &mut waits {
            let _ = poll_once(wait, &waker()).is_ready();
            let _ = poll_once(wait, &waker()).is_ready();
        }
        drop(given_up);
        stage.work();
        for wait in &mut waits {
            let _ = poll_once(wait, &waker()).is_ready();
        }
    }
}

/// Where a suspended task leaves its waker.
pub(crate) type Mailbox = Arc<Mutex<Option<Waker>>>;

/// Wakes itself once, then leaves its waker, then is ready.
struct Task {
    polls: u32,
    mailbox: Mailbox,
    _captured: Value,
}

impl Task {
    fn new(mailbox: &Mailbox) -> Self {
        Self {
            polls: 0,
            mailbox: Arc::clone(mailbox),
            _captured: Value::new("drop: task"),
        }
    }
}

impl Future for Task {
    type Output = Value;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Value> {
        foreign("task: poll");
        self.polls += 1;
        match self.polls {
            1 => cx.waker().wake_by_ref(),
            2 => {
                *self.mailbox.lock().unwrap_or_else(PoisonError::into_inner) =
                    Some(cx.waker().clone());
            }
            _ => return Poll::Ready(Value::new("drop: result")),
        }
        Poll::Pending
    }
}

pub(crate) fn wake_task(mailbox: &Mailbox) {
    let waker = mailbox
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take();
    if let Some(waker) = waker {
        waker.wake();
    }
}

fn tasks(stage: &Stage) {
    let mailbox = stage.mailbox();
    if let Some(task) = taken(stage.pool.spawn(Task::new(&mailbox))) {
        stage.work();
        wake_task(&mailbox);
        let _ = task.result();
    }
}

fn tasks_cancelled(stage: &Stage) {
    let mailboxes = [stage.mailbox(), stage.mailbox()];
    let tasks: Vec<_> = mailboxes
        .iter()
        .filter_map(|mailbox| taken(stage.pool.spawn(Task::new(mailbox))))
        .collect();
    stage.work();
    for task in tasks {
        task.cancel();
        stage.keep(task);
    }
    wake_task(&mailboxes[0]);
    // One that is never woken ends with the pool.
    let last = stage.mailbox();
    if let Some(task) = taken(stage.pool.spawn(Task::new(&last))) {
        stage.work();
        stage.keep(task);
    }
    let _ = stage.pool.shutdown(false, true);
}

fn promises(stage: &Stage) {
    if let Ok((promise, mut future)) = stage.pool.promise::<Value>() {
        let _ = future.add_done_callback(callback());
        let _ = poll_once(&mut future, &waker()).is_ready();
        let _ = promise.set_result(Value::new("drop: result"));
        stage.keep(future);
    }
    if let Ok((promise, mut future)) = stage.pool.promise::<Value>() {
        let _ = future.add_done_callback(callback());
        let _ = poll_once(&mut future, &waker()).is_ready();
        drop(promise);
        stage.keep(future);
    }
    if let Ok((promise, future)) = stage.pool.promise::<Value>() {
        future.cancel();
        let _ = promise.set_result(Value::new("drop: result"));
        stage.keep(future);
    }
    if let Ok((promise, future)) = stage.pool.promise::<Large>() {
        let _ = promise.set_result(Large::new("drop: large result"));
        let _ = future.result();
    }
}

/// Takes all slots but those that are taken, for detached jobs.
fn fill(stage: &Stage) -> usize {
    let mut count = 0;
    while stage.pool.submit_detached(|| foreign("job")).is_ok() && count < SLOTS {
        count += 1;
    }
    count
}

fn full(stage: &Stage) {
    fill(stage);
    if let Some(job) = taken(stage.pool.submit_blocking(job())) {
        stage.keep(job);
    }
    stage.work();
    // The next submitter finds the places of the jobs that are cancelled.
    let queued: Vec<_> = (0..SLOTS).filter_map(|_| submit(stage.pool)).collect();
    for job in &queued {
        job.cancel();
    }
    drop(queued);
    if let Some(job) = submit(stage.pool) {
        stage.keep(job);
    }
    let held: Vec<_> = (0..SLOTS)
        .filter_map(|_| stage.pool.promise::<Value>().ok())
        .collect();
    let refused = stage.pool.submit(job());
    drop(refused);
    let _ = stage
        .pool
        .submit_timeout(job(), Duration::from_millis(2))
        .map(|job| stage.keep(job));
    drop(held);
}

fn full_async(stage: &Stage) {
    let held: Vec<_> = (0..SLOTS)
        .filter_map(|_| stage.pool.promise::<Value>().ok())
        .collect();
    let mut late = stage.pool.submit_async(job());
    let mut given_up = stage.pool.submit_async(job());
    let waker = waker();
    let _ = poll_once(&mut given_up, &waker).is_ready();
    let _ = poll_once(&mut late, &waker).is_ready();
    let _ = poll_once(&mut late, &crate::scenes::waker()).is_ready();
    drop(given_up);
    drop(held);
    if let Poll::Ready(Ok(job)) = poll_once(&mut late, &waker) {
        stage.keep(job);
    }
}

fn priorities(stage: &Stage) {
    for priority in [0, 1, 0, 1] {
        if let Some(job) = submit(stage.pool.at(priority)) {
            stage.keep(job);
        }
    }
    drop(stage.pool.at(9).submit(job()));
}

fn shutdown(stage: &Stage) {
    for _ in 0..2 {
        if let Some(mut job) = submit(stage.pool) {
            let _ = job.add_done_callback(callback());
            stage.keep(job);
        }
    }
    stage.work();
    let _ = stage.pool.shutdown(true, false);
    drop(stage.pool.submit(job()));
}

fn shutdown_cancels(stage: &Stage) {
    for _ in 0..3 {
        if let Some(mut job) = submit(stage.pool) {
            let _ = job.add_done_callback(callback());
            let _ = poll_once(&mut job, &waker()).is_ready();
            stage.keep(job);
        }
    }
    let _ = stage.pool.shutdown(false, true);
}

fn shutdown_timeout(stage: &Stage) {
    if let Ok((promise, future)) = stage.pool.promise::<Value>() {
        stage.keep(future);
        drop(promise);
    }
    if let Some(job) = submit(stage.pool) {
        stage.keep(job);
    }
    let _ = stage.pool.shutdown_timeout(Duration::from_secs(50), true);
}

fn broken(stage: &Stage) {
    for _ in 0..3 {
        if let Some(mut job) = submit(stage.pool) {
            let _ = job.add_done_callback(callback());
            let _ = poll_once(&mut job, &waker()).is_ready();
            stage.keep(job);
        }
    }
    stage.pool.break_pool("as asked for");
    drop(stage.pool.submit(job()));
}

fn worker_joins(stage: &Stage) {
    if let Some(job) = submit(stage.pool) {
        stage.keep(job);
    }
    stage.start_worker();
    if let Some(job) = submit(stage.pool) {
        let _ = job.result();
    }
}

fn catch(f: impl FnOnce()) -> thread::Result<()> {
    catch_unwind(AssertUnwindSafe(f))
}

fn worker_lost(stage: &Stage) {
    let may_end = Arc::new(AtomicBool::new(false));
    let sleeper: Arc<Mutex<Option<Waker>>> = Arc::default();
    let (end, mailbox) = (Arc::clone(&may_end), Arc::clone(&sleeper));
    let steps = Arc::clone(&stage.steps);
    let captured = Value::new("drop: closure");
    let mut job = None;
    let mut outcome = catch(|| {
        let stuck = stage.pool.submit(move || {
            foreign("job");
            *mailbox.lock().unwrap_or_else(PoisonError::into_inner) = Some(steps.waker());
            while !end.load(SeqCst) {
                steps.park(None);
            }
            // The compiler drops no result whose function unwinds as its variables are dropped.
            drop(captured);
            Value::new("drop: result")
        });
        job = taken(stuck);
        if let Some(job) = &mut job {
            let _ = job.add_done_callback(callback());
            let _ = poll_once(job, &waker()).is_ready();
        }
        stage.work();
    });
    let is_stuck = job.as_ref().is_some_and(JobFuture::running);
    for worker in [0, 1].into_iter().filter_map(worker_id) {
        // SAFETY: no scopes here.
        let lost = catch(|| unsafe { stage.pool.worker_lost(worker, OnLoss::Continue) });
        outcome = outcome.and(lost);
    }
    if let Some(job) = job {
        if is_stuck && !job.done() {
            report::broken("the job of a lost worker has no end");
        }
        stage.keep(job);
    }
    // Whatever has panicked: the one that is stuck comes back.
    may_end.store(true, SeqCst);
    let waker = sleeper
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take();
    if let Some(waker) = waker {
        drop(catch(|| waker.wake()));
    }
    stage.work();
    if let Err(payload) = outcome {
        resume_unwind(payload);
    }
}

/// Workers are told their numbers; these are known, since they joined in turn.
fn worker_id(number: usize) -> Option<WorkerId> {
    crate::machine::ids().get(number).copied()
}

fn lent_pool(_stage: &Stage) {
    let config = PoolConfig {
        slots: 4,
        ..PoolConfig::default()
    };
    let mut memory = vec![MaybeUninit::uninit(); config.words::<BYTES>()];
    if let Ok(pool) = LentPool::<BYTES>::new(&mut memory, config) {
        let view = pool.pool_ref();
        for _ in 0..2 {
            drop(view.submit(job()));
        }
        view.run_pending(1);
        if let Ok(mut kept) = view.submit(job()) {
            let _ = kept.add_done_callback(callback());
            drop(kept);
        }
    }
}

fn forgotten_future(stage: &Stage) {
    mem::forget(submit(stage.pool));
}

fn forgotten_value(_stage: &Stage) {
    mem::forget(Value::new("drop: value"));
}

fn forgotten_wait(stage: &Stage) {
    if let Ok((promise, future)) = stage.pool.promise::<Value>() {
        mem::forget(promise);
        let _ = future.result();
    }
}

fn forgotten_promise(stage: &Stage) {
    if let Ok((promise, future)) = stage.pool.promise::<Value>() {
        mem::forget(promise);
        stage.keep(future);
    }
}
