//! The same for calls that overlap.
//!
//! A call is not one moment: a submit has its slot before its job is in the queue, and a worker has
//! the job out of the queue before it has begun it, and others see the difference. So a history is
//! made of operations, each of which takes effect at one moment between its invocation and its
//! response, and a call is one or two of them, in this order:
//!
//! | call | operations |
//! |---|---|
//! | submit | `Claim`; if it was `Claimed`, `Enqueue` |
//! | one round of a worker | `Take`; if it `Took` something, `Begin`; if that `Started` a job, and when it has run, `Finish` |
//! | any other | itself |
//!
//! A recorder that records a call as two operations gives both the call's own interval. A checker
//! looks for an order of all moments that agrees with the intervals and in which
//! [`successors`](Model::successors) of each operation are not empty (J. M. Wing and C. Gong, "Testing
//! and Verifying Concurrent Objects", 1993).
//!
//! The model leaves open what a pool promises about one thread and not about several:
//!
//! * Ended jobs at the head of a queue leave it when anybody needs their slots, so they may be gone
//!   without a trace; and who took them out may not have freed the slot yet. `Full` is admitted for
//!   as long as such a slot may be missing.
//! * A submit may take over the slot of any ended job that only its queue keeps, with its place in the
//!   queue, and `Full` is admitted while there are such jobs: another submit may be at work on one.
//! * A worker looks at one queue after the other: which priority it takes from is not checked, only
//!   the order within one.
//! * A shutdown that cancels, or a break, comes to one job after the other: a job that waits may be
//!   seen waiting still, or in the hands of who ends it, after the pool's end was declared.
//!
//! Operations on one future are its owner's, one after the other. Tasks, promises and callbacks have
//! no part here.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    End, Job, JobState, Model, Refusal, Taken, Worker,
    record::{Record, Status},
};

/// An operation of a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// The first half of a submit.
    Claim {
        /// The job to be submitted.
        job: Job,
        /// Its priority.
        priority: usize,
    },
    /// The second half of a submit.
    Enqueue(Job),
    /// A worker takes an index out of the queue.
    Take(Worker),
    /// A worker begins what it took.
    Begin(Worker),
    /// The job that a worker runs returns, or panics.
    Finish(Job, End),
    /// `JobFuture::cancel`.
    Cancel(Job),
    /// `JobFuture::state`.
    State(Job),
    /// `JobFuture::done`.
    Done(Job),
    /// `JobFuture::try_result`.
    TryResult(Job),
    /// The future is dropped.
    DropHandle(Job),
    /// `shutdown` without `wait`.
    Shutdown {
        /// Whether queued jobs are cancelled.
        cancel_futures: bool,
    },
    /// `break_pool`.
    Break,
}

/// The outcome of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The outcome of `Finish`, `DropHandle`, `Shutdown` and `Break`, which say nothing.
    Nothing,
    /// `Claim` has a slot.
    Claimed,
    /// `Enqueue` has queued the job.
    Enqueued,
    /// `Claim` or `Enqueue`: the submit was refused.
    Refused(Refusal),
    /// `Take` has taken a job.
    Took,
    /// `Take`: there was nothing.
    Empty,
    /// `Begin`: the job runs.
    Started(Job),
    /// `Begin`: the job was ended before, and does not run.
    Skipped,
    /// The answer of `Cancel` or `Done`.
    Bool(bool),
    /// The answer of `State`.
    State(JobState),
    /// The answer of `TryResult`.
    Result(Option<Taken>),
}

/// The operations under way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Overlap {
    /// Jobs that have a slot and are not queued yet.
    claimed: BTreeSet<Job>,
    /// The job that each worker has taken and not begun.
    in_hand: BTreeMap<Worker, Job>,
    /// How many slots of ended jobs may be not free yet.
    perhaps_held: usize,
}

impl Model {
    /// The states that the pool may be in after `operation`, if it came out as `observed`. None if it
    /// cannot have.
    pub fn successors(&self, operation: &Operation, observed: &Outcome) -> Vec<Self> {
        match *operation {
            Operation::Take(worker) => self.takes(worker, *observed),
            Operation::Claim { job, priority } => self.claims(job, priority, *observed),
            operation => {
                let mut next = self.clone();
                if next.admit(operation, *observed) {
                    vec![next]
                } else {
                    Vec::new()
                }
            }
        }
    }

    fn admit(&mut self, operation: Operation, observed: Outcome) -> bool {
        match operation {
            Operation::Claim { .. } => unreachable!("see `claims`"),
            Operation::Enqueue(job) => self.enqueue(job, observed),
            Operation::Take(_) => unreachable!("see `takes`"),
            Operation::Begin(worker) => self.begin(worker, observed),
            Operation::Finish(job, end) => {
                let runs = matches!(self.jobs.get(&job), Some(record) if matches!(record.status, Status::Running(_)));
                runs && self.finish(job, end) && observed == Outcome::Nothing
            }
            Operation::Cancel(job) => {
                if observed == Outcome::Bool(false) && self.is_doomed(job) {
                    // The party that ends it has it in hand.
                    return true;
                }
                Outcome::Bool(self.cancel(job)) == observed
            }
            Operation::State(job) => {
                self.follow(job, |pool| Outcome::State(pool.state(job)), observed)
                    || self.is_doomed(job) && observed == Outcome::State(JobState::Running)
            }
            Operation::Done(job) => {
                self.follow(job, |pool| Outcome::Bool(pool.is_ready(job)), observed)
            }
            Operation::TryResult(job) => {
                self.follow(job, |pool| Outcome::Result(pool.take(job)), observed)
            }
            Operation::DropHandle(job) => {
                self.drop_handle(job);
                observed == Outcome::Nothing
            }
            Operation::Shutdown { cancel_futures } => {
                self.shut_down(cancel_futures);
                observed == Outcome::Nothing
            }
            Operation::Break => {
                self.break_pool();
                observed == Outcome::Nothing
            }
        }
    }

    /// Whether the job waits, and the pool's end is about to come to it.
    fn is_doomed(&self, job: Job) -> bool {
        (self.cancelling || self.broken) && self.jobs.get(&job).is_some_and(Record::is_claimable)
    }

    /// How the pool's end ends a job that waits.
    fn end_of_doomed(&self) -> End {
        if self.broken {
            End::Broken
        } else {
            End::Cancelled
        }
    }

    /// Looks at a job, which the pool's end may have come to unless it was seen otherwise.
    fn follow(&mut self, job: Job, look: impl Fn(&mut Self) -> Outcome, observed: Outcome) -> bool {
        if look(self) == observed {
            return true;
        }
        if !self.is_doomed(job) {
            return false;
        }
        let ends = [
            (self.cancelling, End::Cancelled),
            (self.broken, End::Broken),
        ];
        ends.into_iter().any(|(declared, end)| {
            let mut ended = self.clone();
            declared && ended.end_waiting(job, end) && look(&mut ended) == observed && {
                *self = ended;
                true
            }
        })
    }

    fn claims(&self, job: Job, priority: usize, observed: Outcome) -> Vec<Self> {
        let refusal = if priority >= self.lanes.len() {
            Some(Refusal::NoSuchPriority)
        } else {
            self.refusal()
        };
        let unchanged = |admitted: bool| admitted.then(|| self.clone()).into_iter().collect();
        match observed {
            Outcome::Claimed if refusal.is_some() => Vec::new(),
            Outcome::Claimed => {
                let room = self.jobs.len() - self.reapable() < self.slots;
                let free = room.then(|| self.with_claim(job, priority, false));
                let stale = self.jobs.iter().filter(|(_, record)| {
                    self.takes_over
                        && record.is_stale()
                        && record.queued
                        && record.priority == priority
                });
                let taken_over = stale.map(|(&ended, _)| self.with_slot_of(ended, job, priority));
                free.into_iter().chain(taken_over).collect()
            }
            Outcome::Refused(Refusal::Full) => unchanged(
                refusal.is_none() && self.jobs.len() + self.overlap.perhaps_held >= self.slots,
            ),
            observed => {
                unchanged(refusal.is_some_and(|refusal| observed == Outcome::Refused(refusal)))
            }
        }
    }

    /// The same, with a slot for a job that is about to be queued. To others it is one that has ended.
    fn with_claim(&self, job: Job, priority: usize, queued: bool) -> Self {
        let mut next = self.clone();
        let record = Record {
            queued,
            status: Status::Ended(End::Cancelled),
            ..Record::new(priority)
        };
        next.jobs.insert(job, record);
        next.overlap.claimed.insert(job);
        next
    }

    /// The same, with that of a job that has ended, which has this one's place from now on: in its queue, or in the
    /// hand of a worker.
    fn with_slot_of(&self, ended: Job, job: Job, priority: usize) -> Self {
        let mut next = self.with_claim(job, priority, true);
        next.jobs.remove(&ended);
        let in_lane = next.lanes[priority].iter_mut();
        let in_hand = next.overlap.in_hand.values_mut();
        for place in in_lane.chain(in_hand).filter(|place| **place == ended) {
            *place = job;
        }
        next
    }

    /// How many slots are to be had by taking ended jobs off the heads of the queues.
    fn reapable(&self) -> usize {
        let leading = |lane| {
            self.ended_at_head(lane)
                .filter(|job| !self.jobs[job].handle)
                .count()
        };
        (0..self.lanes.len()).map(leading).sum()
    }

    /// The jobs at the head of a lane that have ended, or that the pool's end may have come to.
    fn ended_at_head(&self, lane: usize) -> impl Iterator<Item = Job> {
        let jobs = self.lanes[lane].iter().copied();
        jobs.take_while(|&job| self.jobs[&job].end().is_some() || self.is_doomed(job))
    }

    fn enqueue(&mut self, job: Job, observed: Outcome) -> bool {
        let refusal = self.refusal().map(Outcome::Refused);
        if !self.overlap.claimed.remove(&job) {
            return false;
        }
        let record = self.record_mut(job);
        record.status = Status::Pending;
        let priority = record.priority;
        if !std::mem::replace(&mut record.queued, true) {
            self.lanes[priority].push_back(job);
        }
        if observed == Outcome::Enqueued {
            return true;
        }
        // The pool's end was declared meanwhile, and the job taken back out of its slot. The index
        // stays in the queue.
        let record = self.record_mut(job);
        record.handle = false;
        record.status = Status::Ended(End::Cancelled);
        refusal == Some(observed)
    }

    fn takes(&self, worker: Worker, observed: Outcome) -> Vec<Self> {
        if self.overlap.in_hand.contains_key(&worker) {
            return Vec::new();
        }
        match observed {
            // The least urgent queue is looked at last.
            Outcome::Empty => {
                let ended = self.ended_at_head(0).count();
                let empty = ended == self.lanes[0].len();
                empty
                    .then(|| self.without_heads(0, ended))
                    .into_iter()
                    .collect()
            }
            Outcome::Took => (0..self.lanes.len())
                .flat_map(|lane| {
                    // Any number of the ended ones may be gone.
                    (0..=self.ended_at_head(lane).count()).filter_map(move |gone| {
                        self.without_heads(lane, gone).take_head(worker, lane)
                    })
                })
                .collect(),
            _ => Vec::new(),
        }
    }

    /// The same, but the first `count` jobs of a lane, which have ended, were taken off by somebody
    /// who may not have freed their slots yet.
    fn without_heads(&self, lane: usize, count: usize) -> Self {
        let mut next = self.clone();
        for job in next.lanes[lane].drain(..count).collect::<Vec<_>>() {
            next.overlap.perhaps_held += 1;
            if next.is_doomed(job) {
                let end = next.end_of_doomed();
                next.end_waiting(job, end);
            }
            next.leave_queue(job);
        }
        next
    }

    fn take_head(mut self, worker: Worker, lane: usize) -> Option<Self> {
        let job = self.lanes[lane].pop_front()?;
        self.overlap.in_hand.insert(worker, job);
        Some(self)
    }

    fn begin(&mut self, worker: Worker, observed: Outcome) -> bool {
        let Some(job) = self.overlap.in_hand.remove(&worker) else {
            return false;
        };
        let over = self.cancelling || self.broken;
        let waits = self.record_mut(job).is_claimable();
        self.record_mut(job).queued = false;
        match observed {
            Outcome::Started(started) => {
                self.record_mut(job).status = Status::Running(Some(worker));
                started == job && waits && !over
            }
            Outcome::Skipped if waits => {
                let end = self.end_of_doomed();
                self.end(job, end);
                over
            }
            Outcome::Skipped => {
                self.release(job);
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOBS: [Job; 3] = [Job(0), Job(1), Job(2)];
    const WORKERS: [Worker; 2] = [Worker(0), Worker(1)];

    /// The states that explain these operations, in this order.
    fn explain(slots: usize, history: &[(Operation, Outcome)]) -> Vec<Model> {
        history.iter().fold(
            vec![Model::new(slots, 1)],
            |states, (operation, observed)| {
                let next = states
                    .iter()
                    .flat_map(|state| state.successors(operation, observed));
                next.collect()
            },
        )
    }

    fn claim(job: Job) -> Operation {
        Operation::Claim { job, priority: 0 }
    }

    fn submit(job: Job) -> [(Operation, Outcome); 2] {
        [
            (claim(job), Outcome::Claimed),
            (Operation::Enqueue(job), Outcome::Enqueued),
        ]
    }

    fn start(worker: Worker, outcome: Outcome) -> [(Operation, Outcome); 2] {
        [
            (Operation::Take(worker), Outcome::Took),
            (Operation::Begin(worker), outcome),
        ]
    }

    const FULL: Outcome = Outcome::Refused(Refusal::Full);

    #[test]
    fn within_a_priority_jobs_start_in_the_order_of_their_submits() {
        let [first, second, _] = JOBS;
        let queued = [submit(first), submit(second)].concat();
        let in_order = [&queued[..], &start(WORKERS[0], Outcome::Started(first))].concat();
        let reversed = [&queued[..], &start(WORKERS[0], Outcome::Started(second))].concat();
        assert!(!explain(2, &in_order).is_empty());
        assert!(explain(2, &reversed).is_empty());
    }

    #[test]
    fn a_job_in_a_workers_hand_may_begin_after_the_one_behind_it() {
        let [first, second, _] = JOBS;
        let history = [
            &submit(first)[..],
            &submit(second),
            &[(Operation::Take(WORKERS[1]), Outcome::Took)],
            &start(WORKERS[0], Outcome::Started(second)),
            &[(Operation::Begin(WORKERS[1]), Outcome::Started(first))],
        ]
        .concat();
        assert!(!explain(2, &history).is_empty());
    }

    #[test]
    fn a_job_does_not_start_after_it_was_cancelled_nor_twice() {
        let [job, ..] = JOBS;
        let cancelled = [
            &submit(job)[..],
            &[(Operation::Cancel(job), Outcome::Bool(true))],
            &start(WORKERS[0], Outcome::Started(job)),
        ]
        .concat();
        let twice = [
            &submit(job)[..],
            &start(WORKERS[0], Outcome::Started(job)),
            &[(Operation::Take(WORKERS[1]), Outcome::Took)],
        ]
        .concat();
        assert!(explain(1, &cancelled).is_empty());
        assert!(explain(1, &twice).is_empty());
    }

    #[test]
    fn full_needs_a_reason() {
        let [first, second, _] = JOBS;
        assert!(explain(1, &[(claim(first), FULL)]).is_empty());
        let taken = [&submit(first)[..], &[(claim(second), FULL)]].concat();
        assert!(!explain(1, &taken).is_empty());
        assert!(explain(2, &taken).is_empty());
    }

    #[test]
    fn a_slot_that_is_given_back_is_free() {
        let [first, second, _] = JOBS;
        let history = [
            &submit(first)[..],
            &start(WORKERS[0], Outcome::Started(first)),
            &[
                (Operation::Finish(first, End::Returned), Outcome::Nothing),
                (Operation::DropHandle(first), Outcome::Nothing),
            ],
        ]
        .concat();
        let full = [&history[..], &[(claim(second), FULL)]].concat();
        let claimed = [&history[..], &submit(second)].concat();
        assert!(explain(1, &full).is_empty());
        assert!(!explain(1, &claimed).is_empty());
    }

    #[test]
    fn a_cancelled_job_in_the_queue_may_hold_its_slot_or_not() {
        let [first, second, _] = JOBS;
        let history = [
            &submit(first)[..],
            &[
                (Operation::Cancel(first), Outcome::Bool(true)),
                (Operation::DropHandle(first), Outcome::Nothing),
            ],
        ]
        .concat();
        for outcome in [FULL, Outcome::Claimed] {
            let history = [&history[..], &[(claim(second), outcome)]].concat();
            assert!(!explain(1, &history).is_empty(), "{outcome:?}");
        }
    }

    #[test]
    fn after_a_shutdown_that_cancels_nothing_starts_and_what_waits_ends_at_some_time() {
        let [job, ..] = JOBS;
        let shutdown = Operation::Shutdown {
            cancel_futures: true,
        };
        let history = [&submit(job)[..], &[(shutdown, Outcome::Nothing)]].concat();
        let state = |state| (Operation::State(job), Outcome::State(state));
        let seen = [state(JobState::Pending), state(JobState::Cancelled)];
        let revived = [state(JobState::Cancelled), state(JobState::Pending)];
        let started = start(WORKERS[0], Outcome::Started(job));
        assert!(!explain(1, &[&history[..], &seen].concat()).is_empty());
        assert!(explain(1, &[&history[..], &revived].concat()).is_empty());
        assert!(explain(1, &[&history[..], &started].concat()).is_empty());
    }

    #[test]
    fn a_submit_that_meets_the_pools_end_leaves_an_index_behind() {
        let [job, ..] = JOBS;
        let history = [
            (claim(job), Outcome::Claimed),
            (
                Operation::Shutdown {
                    cancel_futures: false,
                },
                Outcome::Nothing,
            ),
            (Operation::Enqueue(job), Outcome::Refused(Refusal::ShutDown)),
        ];
        let skipped = [&history[..], &start(WORKERS[0], Outcome::Skipped)].concat();
        let started = [&history[..], &start(WORKERS[0], Outcome::Started(job))].concat();
        assert!(!explain(1, &skipped).is_empty());
        assert!(explain(1, &started).is_empty());
    }

    #[test]
    fn a_result_is_there_when_the_job_has_finished_and_is_taken_once() {
        let [job, ..] = JOBS;
        let took = |taken| (Operation::TryResult(job), Outcome::Result(taken));
        let history = [
            &submit(job)[..],
            &start(WORKERS[0], Outcome::Started(job)),
            &[
                took(None),
                (Operation::Finish(job, End::Returned), Outcome::Nothing),
                took(Some(Taken::End(End::Returned))),
                took(Some(Taken::Before)),
            ],
        ]
        .concat();
        for length in 1..=history.len() {
            assert!(
                !explain(1, &history[..length]).is_empty(),
                "{:?}",
                history[length - 1]
            );
        }
        let missed = [&history[..6], &[took(None)]].concat();
        assert!(explain(1, &missed).is_empty());
    }
}
