//! The expectations of the pool: the model, what it does not know, and what is under way.
//!
//! The jobs and callbacks that the pool runs inside a call show its steps: each tells the model when it
//! begins and when it ends. In between, the pool may take steps that run none, such as taking cancelled
//! jobs off the queue. The model takes them when the next job or callback tells it, or at the end of the
//! call. A call that may take such steps leaves a [`Frame`], which says how.
//!
//! The world is borrowed for moments only: never while the pool is called, which may call back.

use std::{
    cell::RefCell,
    collections::{BTreeMap, VecDeque},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Wake, Waker},
    time::Duration,
};

use corepool::{BrokenReason, JobFuture, PoolRef, Promise, SharedFuture, WorkerId};
use corepool_model::{Callback, End as Ended, Job, JobState, Model, Next, Worker};

use crate::{call::Shape, pool::BYTES, values::Value};

pub(crate) type Pool = PoolRef<'static, BYTES>;
pub(crate) type Handle = JobFuture<'static, Value>;
pub(crate) type Shared = SharedFuture<'static, Value>;

/// How many futures a wait is about at most.
pub(crate) const SET: usize = 4;

/// See the module's documentation.
pub(crate) struct World {
    pub(crate) pool: Pool,
    pub(crate) shape: Shape,
    pub(crate) model: Model,
    /// The futures that are there, oldest first.
    pub(crate) futures: Vec<(Job, Handle)>,
    /// Those who hold futures that are shared, oldest first.
    pub(crate) holders: Vec<(Job, Shared)>,
    pub(crate) promises: Vec<(Job, Promise<'static, Value>)>,
    /// Wakers of tasks, with the slot that each is of.
    pub(crate) wakers: Vec<(usize, Waker)>,
    /// The slots of the jobs whose slot is known.
    pub(crate) slots: BTreeMap<Job, usize>,
    /// Jobs in the order in which they became ready.
    pub(crate) ready: Vec<Job>,
    /// The wakers that were left for jobs.
    pub(crate) awaited: Vec<(Job, Arc<Flag>)>,
    pub(crate) frames: Vec<Frame>,
    /// The worker in its run loop, if it is not lost.
    pub(crate) worker: Option<(Worker, WorkerId)>,
    /// The slot that the worker's hook named last.
    pub(crate) hook: Option<usize>,
    /// The callback that runs where it is added.
    pub(crate) at_once: Option<Callback>,
    pub(crate) callback_depth: usize,
    pub(crate) scope_depth: usize,
    pub(crate) broken_for: Option<BrokenReason>,
    next_name: u32,
}

/// A call that is under way, in which jobs may run.
#[derive(Default)]
pub(crate) struct Frame {
    /// How many indices it took out of the queue.
    pub(crate) taken: usize,
    /// A job makes the call: it begins what it waits for, if nobody has, and then the oldest queued job, since no
    /// other worker is there. Else the caller runs the queue in order.
    pub(crate) in_job: bool,
    /// The jobs that it waits for, in the order in which it begins them.
    pub(crate) awaits: Vec<Job>,
    /// The steps that it takes before it runs jobs.
    pub(crate) sweep: VecDeque<Sweep>,
    /// When it is over, for a call that waits: it looks before each step.
    pub(crate) over: Option<Over>,
    /// The call waits for the pool's end: before each look it takes ended jobs off the heads of the queues.
    pub(crate) for_end: bool,
    /// Its timeout is zero: it runs nothing.
    pub(crate) looks: bool,
    /// It waits for the one job without a time limit.
    pub(crate) endless: bool,
    /// Its worker was declared lost.
    pub(crate) lost: bool,
}

/// Whether a wait is over. It may take ended jobs off the heads of the queues.
pub(crate) type Over = Rc<dyn Fn(&mut Model) -> bool>;

/// One step of a shutdown, a break or a worker's loss.
#[derive(Clone, Copy)]
pub(crate) enum Sweep {
    Lose(Job, Worker),
    Break(BrokenReason),
    End(Job, Ended),
    Over,
}

/// A waker that remembers.
#[derive(Default)]
pub(crate) struct Flag(AtomicBool);

impl Flag {
    pub(crate) fn was_woken(&self) -> bool {
        self.0.load(Relaxed)
    }
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Relaxed);
    }
}

thread_local! {
    pub(crate) static WORLD: RefCell<Option<World>> = const { RefCell::new(None) };
}

pub(crate) fn world<R>(f: impl FnOnce(&mut World) -> R) -> R {
    WORLD.with_borrow_mut(|world| f(world.as_mut().expect("a sequence is being run")))
}

impl World {
    pub(crate) fn new(pool: Pool, shape: Shape) -> Self {
        Self {
            pool,
            shape,
            model: Model::new(shape.slots, shape.priorities),
            futures: Vec::new(),
            holders: Vec::new(),
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

    pub(crate) fn name(&mut self) -> u32 {
        self.next_name += 1;
        self.next_name
    }

    /// The priority that a byte stands for: of those that the pool has not got, the next, and one
    /// that is far too large.
    pub(crate) fn priority(&self, byte: u8) -> usize {
        let priorities = self.shape.priorities;
        match usize::from(byte) % (priorities + 2) {
            far if far > priorities => 1 << 14,
            priority => priority,
        }
    }

    pub(crate) fn keep(&mut self, job: Job, future: Handle) {
        self.slots.insert(job, future.id().index());
        self.futures.push((job, future));
    }

    pub(crate) fn choose(&mut self, number: u8) -> Option<(Job, Handle)> {
        let count = self.futures.len();
        (count > 0).then(|| self.futures.remove(usize::from(number) % count))
    }

    /// The futures whose bits are set.
    pub(crate) fn choose_set(&mut self, bits: u8) -> Vec<(Job, Handle)> {
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
    pub(crate) fn note(&mut self, job: Job) {
        let ready = !self.model.contains(job) || self.model.is_ready(job);
        if ready && !self.ready.contains(&job) {
            self.ready.push(job);
        }
    }

    pub(crate) fn frame(&mut self) -> &mut Frame {
        self.frames.last_mut().expect("jobs run inside some call")
    }

    /// Makes the next step of the sweep that is under way. False if there is none.
    pub(crate) fn sweep(&mut self) -> bool {
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
    pub(crate) fn ends(&self, end: Ended) -> Vec<Sweep> {
        let jobs = self.by_slot().map(|job| Sweep::End(job, end));
        jobs.chain([Sweep::Over]).collect()
    }

    /// Whether it is known of each job if it has ended: one whose slot is not known may have been
    /// ended before its turn in the model.
    pub(crate) fn knows_each_end(&self) -> bool {
        let sweeping = self.frames.iter().any(|frame| !frame.sweep.is_empty());
        !sweeping || self.model.jobs().all(|job| self.slots.contains_key(&job))
    }

    pub(crate) fn by_slot(&self) -> impl Iterator<Item = Job> {
        let mut jobs: Vec<Job> = self.model.jobs().collect();
        // Those whose slot is not known have no callback: nobody is told when they end.
        jobs.sort_by_key(|job| self.slots.get(job).copied().unwrap_or(usize::MAX));
        jobs.into_iter()
    }

    /// Whether a call that is made here is made by a job. Jobs of a worker that was declared lost are nobody's.
    pub(crate) fn is_in_job(&self) -> bool {
        self.frames.iter().any(|frame| !frame.lost)
    }

    /// Begins the next job, or takes the next index out of the queue.
    pub(crate) fn next(&mut self) -> Next {
        assert!(!self.is_over(), "who waits no longer runs nothing");
        assert!(!self.is_stuck(), "who waits in a circle runs nothing");
        if self.frame().for_end {
            self.model.end_sweep();
        }
        let worker = self.worker.map(|(worker, _)| worker);
        let next = if let Some(awaited) = self.awaited() {
            self.model.begin_awaited(awaited, worker)
        } else {
            let next = self.model.start_next(worker);
            if next != Next::None {
                self.frame().taken += 1;
            }
            next
        };
        if let Next::Dropped(job, _) = next {
            self.note(job);
        }
        next
    }

    /// The frame whose caller is a job still: its worker was not declared lost.
    fn waiting_job(&self) -> Option<&Frame> {
        let frame = self.frames.last()?;
        (frame.in_job && !frame.lost).then_some(frame)
    }

    /// The job that the call begins next, since it waits for it.
    fn awaited(&self) -> Option<Job> {
        let awaits = self.waiting_job()?.awaits.iter();
        awaits.copied().find(|&job| self.model.is_beginnable(job))
    }

    /// Whether the call waits without a time limit for a job below it on the stack.
    pub(crate) fn is_stuck(&self) -> bool {
        self.waiting_job().is_some_and(|frame| {
            let mut awaits = frame.awaits.iter();
            frame.endless
                && awaits.any(|&job| {
                    self.model.end_of(job).is_none() && self.model.state(job) == JobState::Running
                })
        })
    }

    /// Whether the call does not wait, or what it waits for has come.
    pub(crate) fn is_over(&mut self) -> bool {
        let over = self.frame().over.clone();
        self.frame().looks || over.is_some_and(|over| over(&mut self.model))
    }

    /// The pool went on until the wait was over, or nothing was left to run: so does the model.
    pub(crate) fn catch_up(&mut self) {
        while self.sweep() {}
        while !self.is_over() && !self.is_stuck() {
            match self.next() {
                Next::Started(job) => panic!("{job:?} was not run"),
                Next::None => break,
                Next::Skipped(_) | Next::Dropped(..) => {}
            }
        }
    }
}

/// Calls the pool, in a frame.
pub(crate) fn framed<R>(
    frame: Frame,
    call: impl FnOnce(Pool) -> R,
    after: impl FnOnce(&mut World, &R),
) -> R {
    let pool = world(|world| {
        let in_job = world.is_in_job();
        world.frames.push(Frame { in_job, ..frame });
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
///
/// `looks`: it is zero, and the call only looks.
pub(crate) fn timeout(looks: bool) -> Duration {
    if looks {
        return Duration::ZERO;
    }
    let depth = world(|world| world.frames.len());
    Duration::from_nanos(1 << 60_usize.saturating_sub(6 * depth))
}

/// Checks what holds in jobs and callbacks as well.
pub(crate) fn check_counts() {
    world(|world| {
        let (pool, model) = (world.pool, &world.model);
        assert_eq!(pool.free_slots(), model.free_slots(), "free slots");
        if world.knows_each_end() {
            assert_eq!(pool.unfinished(), model.unfinished(), "unfinished jobs");
        }
        assert_eq!(pool.broken_reason(), world.broken_for);
        assert_eq!(pool.is_shut_down(), model.is_shut_down());
    });
}
