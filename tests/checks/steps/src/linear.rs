//! Linearizability: what overlapping calls return, some order of them explains.
//!
//! The queue is checked against a plain FIFO, and the pool against [`corepool_model`]. As controls,
//! the same is asked of `heapless::mpmc`, which is no queue in this sense (a slow producer hides
//! what others have put in after it), and of the pool against a model of another size.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU16, Ordering::Relaxed},
    },
    time::Instant,
};

use corepool::{JobError, JobFuture, JobState, StaticPool, SubmitError};
use corepool_model::{
    End, Job, Model, Refusal, Taken, Worker,
    history::{Operation, Outcome},
};
use fastrand::Rng;
use shuttle::thread;
use todc_utils::specifications::Specification;

use crate::{
    core_source::FixedQueue,
    history::{Recorder, run},
    machine::Machine,
};

/// One call of a queue and what it returned.
#[derive(Clone, Copy, Debug)]
enum QueueCall {
    Push(u16),
    Pop(Option<u16>),
    IsEmpty(bool),
}

/// First in, first out.
struct Fifo;

impl Specification for Fifo {
    type State = VecDeque<u16>;
    type Operation = QueueCall;

    fn init() -> Self::State {
        VecDeque::new()
    }

    fn apply(call: &QueueCall, state: &Self::State) -> (bool, Self::State) {
        let mut next = state.clone();
        let admitted = match *call {
            QueueCall::Push(item) => {
                next.push_back(item);
                true
            }
            QueueCall::Pop(item) => next.pop_front() == item,
            QueueCall::IsEmpty(empty) => next.is_empty() == empty,
        };
        (admitted, next)
    }
}

/// A queue of which histories are recorded.
trait AnyQueue: Send + Sync + 'static {
    /// The permission that a thread must own to push.
    type Ticket: Send;
    fn with_tickets(threads: usize, each: usize) -> (Self, Vec<Vec<Self::Ticket>>)
    where
        Self: Sized;
    fn push(&self, item: u16, ticket: Self::Ticket);
    fn pop(&self) -> Option<(u16, Self::Ticket)>;
    fn is_empty(&self) -> Option<bool>;
}

/// The pool's queue, of slots that hold what is pushed.
struct Slots {
    queue: FixedQueue,
    held: Vec<AtomicU16>,
}

impl AnyQueue for Slots {
    /// A slot.
    type Ticket = u16;

    fn with_tickets(threads: usize, each: usize) -> (Self, Vec<Vec<u16>>) {
        let mut slots = 0..;
        let tickets = (0..threads).map(|_| slots.by_ref().take(each).collect());
        let tickets = tickets.collect();
        let queue = Self {
            queue: FixedQueue::new(threads * each),
            held: (0..threads * each).map(|_| AtomicU16::new(0)).collect(),
        };
        (queue, tickets)
    }

    fn push(&self, item: u16, slot: u16) {
        self.held[usize::from(slot)].store(item, Relaxed);
        self.queue.queue().push(slot);
    }

    fn pop(&self) -> Option<(u16, u16)> {
        let slot = self.queue.queue().pop_if(|_| true)?;
        Some((self.held[usize::from(slot)].load(Relaxed), slot))
    }

    fn is_empty(&self) -> Option<bool> {
        Some(self.queue.queue().is_empty())
    }
}

impl AnyQueue for heapless::mpmc::Queue<u16, 16> {
    type Ticket = ();

    #[expect(deprecated, reason = "for what it is here to show")]
    fn with_tickets(threads: usize, each: usize) -> (Self, Vec<Vec<()>>) {
        (Self::new(), vec![vec![(); each]; threads])
    }

    fn push(&self, item: u16, (): ()) {
        self.enqueue(item).expect("there is room for every ticket");
    }

    fn pop(&self) -> Option<(u16, ())> {
        self.dequeue().map(|item| (item, ()))
    }

    fn is_empty(&self) -> Option<bool> {
        None
    }
}

const QUEUE_THREADS: usize = 3;
const QUEUE_CALLS: usize = 8;

/// Whether one history of a queue is linearizable.
fn queue_holds<Q: AnyQueue>(seed: u64, show: bool) -> bool {
    let kept = Arc::new(Mutex::new(None));
    let keep = kept.clone();
    run(seed, move || {
        let (queue, tickets) = Q::with_tickets(QUEUE_THREADS, 2);
        let queue = Arc::new(queue);
        let recorder = Arc::new(Recorder::new());
        let threads: Vec<_> = (0u16..)
            .zip(tickets)
            .map(|(number, mut tickets)| {
                let (queue, recorder) = (queue.clone(), recorder.clone());
                let mut random = Rng::with_seed(seed ^ u64::from(number) << 32);
                thread::spawn(move || {
                    for step in 0..QUEUE_CALLS as u16 {
                        match (random.u8(..8), tickets.pop()) {
                            (0..4, Some(ticket)) => {
                                let item = number * 100 + step;
                                let push = || queue.push(item, ticket);
                                recorder.record(push, |()| QueueCall::Push(item));
                            }
                            (7, ticket) => {
                                tickets.extend(ticket);
                                let interval = recorder.begin();
                                let empty = queue.is_empty().map(QueueCall::IsEmpty);
                                recorder.end(interval, Vec::from_iter(empty));
                            }
                            (_, ticket) => {
                                tickets.extend(ticket);
                                let item = |popped: &Option<(u16, _)>| {
                                    QueueCall::Pop(popped.as_ref().map(|&(item, _)| item))
                                };
                                let popped = recorder.record(|| queue.pop(), item);
                                tickets.extend(popped.map(|(_, ticket)| ticket));
                            }
                        }
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        *keep.lock().unwrap() = Arc::into_inner(recorder);
    });
    let recorder = kept.lock().unwrap().take().expect("it ran to its end");
    recorder.linearizes::<Fifo>(show)
}

/// One call of the pool, or a half of one, and what came of it.
#[derive(Clone, Copy, Debug)]
enum PoolCall {
    Did(Operation, Outcome),
    /// The first half of a submit that the pool's end had refused: at once, or not yet.
    Refused {
        job: Job,
        priority: usize,
        because: Refusal,
    },
    /// Its second half: if it had got a slot, then now.
    TakenBack {
        job: Job,
        because: Refusal,
    },
}

impl PoolCall {
    fn successors(&self, state: &Model) -> Vec<Model> {
        match *self {
            Self::Did(operation, outcome) => state.successors(&operation, &outcome),
            Self::Refused {
                job,
                priority,
                because,
            } => {
                let claim = Operation::Claim { job, priority };
                let mut states = state.successors(&claim, &Outcome::Claimed);
                states.extend(state.successors(&claim, &Outcome::Refused(because)));
                states
            }
            Self::TakenBack { job, because } if state.contains(job) => {
                state.successors(&Operation::Enqueue(job), &Outcome::Refused(because))
            }
            Self::TakenBack { .. } => vec![state.clone()],
        }
    }
}

/// The model of a pool with `SLOTS` slots, in which a submit takes over the slots of ended jobs or does not. It may be
/// in any of several states.
struct PoolModel<const SLOTS: usize, const TAKES_OVER: bool = true>;

impl<const SLOTS: usize, const TAKES_OVER: bool> Specification for PoolModel<SLOTS, TAKES_OVER> {
    type State = Vec<Model>;
    type Operation = PoolCall;

    fn init() -> Self::State {
        let model = Model::new(SLOTS, PRIORITIES);
        vec![if TAKES_OVER {
            model
        } else {
            model.without_take_over()
        }]
    }

    fn apply(call: &PoolCall, states: &Self::State) -> (bool, Self::State) {
        let mut next = Vec::new();
        for state in states.iter().flat_map(|state| call.successors(state)) {
            if !next.contains(&state) {
                next.push(state);
            }
        }
        (!next.is_empty(), next)
    }
}

const SLOTS: usize = 3;
const PRIORITIES: usize = 2;
const POOL_CALLS: usize = 7;
type Pool = StaticPool<SLOTS, 32, PRIORITIES, 4, 4>;

/// The state that the parties of one history share.
struct Party {
    pool: &'static Pool,
    recorder: Recorder<PoolCall>,
    jobs: Mutex<std::ops::RangeFrom<u32>>,
    /// For each worker, by its thread's number: its round, and the job that it runs.
    rounds: Mutex<Vec<Round>>,
}

/// Where a worker stands in its round.
#[derive(Default)]
struct Round {
    interval: Option<crate::history::Interval>,
    ran: Option<Job>,
}

impl Party {
    fn submit(self: &Arc<Self>, priority: usize) -> Option<(Job, JobFuture<'static, u32>)> {
        let job = Job(self.jobs.lock().unwrap().next()?);
        let claim = Operation::Claim { job, priority };
        let party = self.clone();
        let interval = self.recorder.begin();
        let pool = self.pool.at(priority);
        let submitted = pool.submit(move || {
            party.begun(job);
            job.0
        });
        let ended = |because| {
            vec![
                PoolCall::Refused {
                    job,
                    priority,
                    because,
                },
                PoolCall::TakenBack { job, because },
            ]
        };
        let did = match &submitted {
            Ok(_) => vec![
                PoolCall::Did(claim, Outcome::Claimed),
                PoolCall::Did(Operation::Enqueue(job), Outcome::Enqueued),
            ],
            Err(SubmitError::Full(_)) => {
                vec![PoolCall::Did(claim, Outcome::Refused(Refusal::Full))]
            }
            Err(SubmitError::ShutDown(_)) => ended(Refusal::ShutDown),
            Err(SubmitError::Broken(..)) => ended(Refusal::Broken),
            Err(error) => panic!("{error}"),
        };
        self.recorder.end(interval, did);
        submitted.ok().map(|future| (job, future))
    }

    /// A job's closure has begun to run.
    fn begun(&self, job: Job) {
        let worker: usize = shuttle::current::me().into();
        let mut rounds = self.rounds.lock().unwrap();
        let round = &mut rounds[worker];
        let interval = round.interval.take().expect("jobs run in rounds");
        self.recorder
            .end(interval, took(worker, Outcome::Started(job)));
        round.ran = Some(job);
        round.interval = Some(self.recorder.begin());
    }

    /// A worker takes what is there.
    fn round(&self) -> bool {
        let worker: usize = shuttle::current::me().into();
        let interval = self.recorder.begin();
        self.rounds.lock().unwrap()[worker].interval = Some(interval);
        let count = self.pool.run_pending(1);
        let round = std::mem::take(&mut self.rounds.lock().unwrap()[worker]);
        let did = match (round.ran, count) {
            (Some(job), _) => vec![PoolCall::Did(
                Operation::Finish(job, End::Returned),
                Outcome::Nothing,
            )],
            (None, 0) => vec![PoolCall::Did(Operation::Take(name(worker)), Outcome::Empty)],
            (None, _) => took(worker, Outcome::Skipped),
        };
        self.recorder.end(round.interval.expect("put there"), did);
        count > 0
    }
}

fn name(worker: usize) -> Worker {
    Worker(worker as u32)
}

fn took(worker: usize, begun: Outcome) -> Vec<PoolCall> {
    let worker = name(worker);
    vec![
        PoolCall::Did(Operation::Take(worker), Outcome::Took),
        PoolCall::Did(Operation::Begin(worker), begun),
    ]
}

/// Does something with one of a thread's futures.
fn ask(party: &Party, random: &mut Rng, mine: &mut Vec<(Job, JobFuture<'static, u32>)>) {
    let recorder = &party.recorder;
    let index = random.usize(..mine.len());
    let (job, future) = &mut mine[index];
    let job = *job;
    match random.u8(..6) {
        0 => cancel(party, job, future),
        1 => {
            let outcome = |state: &JobState| {
                PoolCall::Did(Operation::State(job), Outcome::State(named(*state)))
            };
            recorder.record(|| future.state(), outcome);
        }
        2 => {
            let outcome = |&done: &bool| PoolCall::Did(Operation::Done(job), Outcome::Bool(done));
            recorder.record(|| future.done(), outcome);
        }
        3 | 4 => {
            let outcome = |result: &Option<_>| {
                let result = result.as_ref().map(|result| taken(job, result));
                PoolCall::Did(Operation::TryResult(job), Outcome::Result(result))
            };
            recorder.record(|| future.try_result(), outcome);
        }
        _ => {
            let (_, future) = mine.swap_remove(index);
            let_go(party, job, future);
        }
    }
}

fn cancel(party: &Party, job: Job, future: &JobFuture<'static, u32>) {
    let outcome =
        |&cancelled: &bool| PoolCall::Did(Operation::Cancel(job), Outcome::Bool(cancelled));
    party.recorder.record(|| future.cancel(), outcome);
}

fn let_go(party: &Party, job: Job, future: JobFuture<'static, u32>) {
    let outcome = |_: &()| PoolCall::Did(Operation::DropHandle(job), Outcome::Nothing);
    party.recorder.record(|| drop(future), outcome);
}

fn named(state: JobState) -> corepool_model::JobState {
    match state {
        JobState::Pending => corepool_model::JobState::Pending,
        JobState::Running => corepool_model::JobState::Running,
        JobState::Cancelled => corepool_model::JobState::Cancelled,
        JobState::Finished => corepool_model::JobState::Finished,
    }
}

fn taken(job: Job, result: &Result<u32, JobError>) -> Taken {
    match result {
        Ok(value) => {
            assert_eq!(*value, job.0, "another job's result");
            Taken::End(End::Returned)
        }
        Err(JobError::Cancelled) => Taken::End(End::Cancelled),
        Err(JobError::Broken(_)) => Taken::End(End::Broken),
        Err(JobError::AlreadyTaken) => Taken::Before,
        Err(error) => panic!("{error}"),
    }
}

/// One history of the pool, for both checks.
fn pool_history(seed: u64) -> Recorder<PoolCall> {
    let kept = Arc::new(Mutex::new(None));
    let keep = kept.clone();
    run(seed, move || {
        let pool: &'static Pool = Box::leak(Box::new(StaticPool::new()));
        pool.install(&Machine);
        let party = Arc::new(Party {
            pool,
            recorder: Recorder::new(),
            jobs: Mutex::new(0..),
            rounds: Mutex::new((0..8).map(|_| Round::default()).collect()),
        });
        let mut random = Rng::with_seed(seed);
        let ends = random.u8(..6);
        // Where no worker comes, the slots are taken, and freed by those who cancel.
        let crowded = random.bool();
        let users = [(); 2].map(|()| {
            let (party, mut random) = (party.clone(), random.fork());
            thread::spawn(move || {
                let mut mine = Vec::new();
                for _ in 0..POOL_CALLS {
                    if mine.is_empty() || random.u8(..3) == 0 {
                        let priorities = if crowded { 1 } else { PRIORITIES };
                        mine.extend(party.submit(random.usize(..priorities)));
                    } else if crowded && random.bool() {
                        let (job, future) = mine.swap_remove(random.usize(..mine.len()));
                        cancel(&party, job, &future);
                        let_go(&party, job, future);
                    } else {
                        ask(&party, &mut random, &mut mine);
                    }
                }
                mine
            })
        });
        let workers = [(); 2].map(|()| {
            let party = party.clone();
            thread::spawn(move || {
                for _ in 0..if crowded { 1 } else { POOL_CALLS } {
                    party.round();
                }
            })
        });
        let ender = (ends < 3).then(|| {
            let party = party.clone();
            thread::spawn(move || {
                let end = match ends {
                    0 => Operation::Break,
                    _ => Operation::Shutdown {
                        cancel_futures: ends == 1,
                    },
                };
                let act = || match ends {
                    0 => pool.break_pool("at random"),
                    _ => assert_eq!(pool.shutdown(false, ends == 1), Ok(())),
                };
                party
                    .recorder
                    .record(act, |_| PoolCall::Did(end, Outcome::Nothing));
            })
        });
        let mine: Vec<_> = users
            .into_iter()
            .flat_map(|user| user.join().unwrap())
            .collect();
        for worker in workers.into_iter().chain(ender) {
            worker.join().unwrap();
        }
        while party.round() {}
        for (job, mut future) in mine {
            let outcome = |result: &Option<_>| {
                let result = result.as_ref().map(|result| taken(job, result));
                PoolCall::Did(Operation::TryResult(job), Outcome::Result(result))
            };
            party.recorder.record(|| future.try_result(), outcome);
        }
        assert_eq!(pool.free_slots(), SLOTS, "a slot is lost");
        *keep.lock().unwrap() = Arc::into_inner(party).map(|party| party.recorder);
    });
    kept.lock().unwrap().take().expect("it ran to its end")
}

/// Runs the whole check: `count` histories of the queue and of the pool, from `first_seed` on. A
/// single history is printed if it does not hold.
/// The unexplained histories with which a control ends.
const ENOUGH: usize = 10;

pub fn check(first_seed: u64, count: u64) -> Result<(), String> {
    println!(
        "{:<44} {:>9} {:>14} {:>7}",
        "histories of", "count", "unexplained", "seconds"
    );
    let mut errors = Vec::new();
    let mut row = |name: &str, must_hold: bool, holds: &dyn Fn(u64, bool) -> bool| {
        let start = Instant::now();
        let mut histories = 0;
        let seeds = (first_seed..first_seed + count).inspect(|_| histories += 1);
        let unexplained = seeds.filter(|&seed| !holds(seed, count == 1));
        let all = if must_hold { usize::MAX } else { ENOUGH };
        let unexplained: Vec<u64> = unexplained.take(all).collect();
        println!(
            "{name:<44} {histories:>9} {:>14} {:>7.1}",
            unexplained.len(),
            start.elapsed().as_secs_f32()
        );
        match (must_hold, unexplained.first()) {
            (true, Some(seed)) => errors.push(format!(
                "{name}: no order explains the history of seed {seed}; \
                 again: cargo xtask linear --seed {seed} --count 1"
            )),
            (false, None) => errors.push(format!("{name}: is the check blind?")),
            _ => {}
        }
    };
    row("the queue", true, &queue_holds::<Slots>);
    row("the pool", true, &|seed, show| {
        pool_history(seed).linearizes::<PoolModel<SLOTS>>(show)
    });
    if count > 1 {
        row(
            "control: heapless::mpmc",
            false,
            &queue_holds::<heapless::mpmc::Queue<u16, 16>>,
        );
        row(
            "control: the pool, one slot too few",
            false,
            &|seed, show| pool_history(seed).linearizes::<PoolModel<{ SLOTS - 1 }>>(show),
        );
        row(
            "control: the pool, one slot too many",
            false,
            &|seed, show| pool_history(seed).linearizes::<PoolModel<{ SLOTS + 1 }>>(show),
        );
        row(
            "control: the pool, no slot taken over",
            false,
            &|seed, show| pool_history(seed).linearizes::<PoolModel<SLOTS, false>>(show),
        );
    }
    match errors.as_slice() {
        [] => Ok(()),
        errors => Err(errors.join("\n")),
    }
}
