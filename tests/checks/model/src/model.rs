//! The pool, as one thread sees it that has it for itself.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::{
    Callback, End, Job, JobState, Taken, Worker,
    record::{Completer, Record, Status},
};

/// Why nothing was submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// Every slot is taken.
    Full,
    /// The pool is shut down.
    ShutDown,
    /// The pool is broken.
    Broken,
    /// The pool has fewer priorities.
    NoSuchPriority,
}

/// The fate of the head of the queues, or of a job that a caller waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Next {
    /// It is running.
    Started(Job),
    /// It had ended before, or who waits for it has begun it: its index only left the queue.
    Skipped(Job),
    /// The pool's end was declared while the task was on its way back to the queue: it is dropped.
    Dropped(Job, End),
    /// The queues are empty.
    None,
}

/// How many ended jobs a submit, or a callback that is added, takes off the queues if no slot is free.
const A_FEW: usize = 8;

/// The fate of a task that had to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Suspension {
    /// It waits for its waker.
    Suspended,
    /// It was woken meanwhile, and is queued again.
    Requeued,
    /// It is dropped, and ends so.
    Dropped(End),
    /// It had ended before, since its worker was declared lost.
    TooLate,
}

/// A pool.
///
/// A job that ends runs its callbacks: whoever ends it in the model, by [`finish`](Self::finish),
/// [`cancel`](Self::cancel) or another method, goes on with [`begin_callback`](Self::begin_callback)
/// and [`end_callback`](Self::end_callback) for each of them; until the last has ended, the result
/// cannot be taken, and the slot is not free.
///
/// # Panics
///
/// Methods panic if they are told of a job that is not there or cannot do that: what the caller has
/// seen is impossible then, or the caller is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Model {
    pub(crate) slots: usize,
    pub(crate) lanes: Vec<VecDeque<Job>>,
    pub(crate) jobs: BTreeMap<Job, Record>,
    pub(crate) shut_down: bool,
    pub(crate) cancelling: bool,
    pub(crate) broken: bool,
    unobserved: usize,
    /// Whether a submit may take over the slot of a job that only its queue keeps.
    pub(crate) takes_over: bool,
    /// In which queues jobs may have ended that nothing else keeps. A submit that finds none says so.
    may_have_stale: BTreeSet<usize>,
    pub(crate) overlap: crate::history::Overlap,
}

impl Model {
    /// An empty pool.
    pub fn new(slots: usize, priorities: usize) -> Self {
        Self {
            slots,
            lanes: vec![VecDeque::new(); priorities],
            jobs: BTreeMap::new(),
            shut_down: false,
            cancelling: false,
            broken: false,
            unobserved: 0,
            takes_over: true,
            may_have_stale: BTreeSet::new(),
            overlap: crate::history::Overlap::default(),
        }
    }

    /// The same, of a pool in which an ended job keeps its slot until its index comes to the head of the queue.
    pub fn without_take_over(self) -> Self {
        Self {
            takes_over: false,
            ..self
        }
    }

    /// How many slots are free.
    pub fn free_slots(&self) -> usize {
        self.slots - self.held_slots()
    }

    fn held_slots(&self) -> usize {
        self.jobs.values().map(Record::slots).sum()
    }

    /// How many jobs are queued or running, promises left out: what `PoolRef::unfinished` says.
    pub fn unfinished(&self) -> usize {
        let unfinished = |record: &&Record| {
            record.end().is_none()
                && !record.promised
                && (record.queued || record.status != Status::Suspended)
        };
        self.jobs.values().filter(unfinished).count()
    }

    /// How many jobs are running, or are tasks between two polls: what a shutdown that timed out
    /// says.
    pub fn started(&self) -> usize {
        let started =
            |record: &&Record| matches!(record.status, Status::Running(_) | Status::Suspended);
        self.jobs.values().filter(started).count()
    }

    /// How many panics nobody has asked for.
    pub fn unobserved_failures(&self) -> usize {
        self.unobserved
    }

    /// Whether any index is queued, of an ended job too.
    pub fn has_queued(&self) -> bool {
        self.lanes.iter().any(|lane| !lane.is_empty())
    }

    /// The jobs that anybody refers to.
    pub fn jobs(&self) -> impl Iterator<Item = Job> {
        self.jobs.keys().copied()
    }

    /// Whether anybody refers to the job still.
    pub fn contains(&self, job: Job) -> bool {
        self.jobs.contains_key(&job)
    }

    fn record(&self, job: Job) -> &Record {
        self.jobs
            .get(&job)
            .unwrap_or_else(|| panic!("{job:?} is not there"))
    }

    pub(crate) fn record_mut(&mut self, job: Job) -> &mut Record {
        self.jobs
            .get_mut(&job)
            .unwrap_or_else(|| panic!("{job:?} is not there"))
    }

    /// Why the pool takes no work, if it does not.
    pub fn refusal(&self) -> Option<Refusal> {
        match (self.broken, self.shut_down) {
            (true, _) => Some(Refusal::Broken),
            (false, true) => Some(Refusal::ShutDown),
            (false, false) => None,
        }
    }

    /// Whether the pool has been shut down.
    pub fn is_shut_down(&self) -> bool {
        self.shut_down
    }

    /// How a job ends that the pool's end finds waiting; `None` while it may start.
    fn end_of_pool(&self) -> Option<End> {
        match (self.broken, self.cancelling) {
            (true, _) => Some(End::Broken),
            (false, true) => Some(End::Cancelled),
            (false, false) => None,
        }
    }

    /// Whether a submit at this priority that waits for a slot gets one: a free one, or that of an ended job.
    pub fn has_room(&mut self, priority: usize) -> bool {
        if self.free_slots() == 0 {
            self.reap();
        }
        self.free_slots() > 0 || {
            let has_stale = self.oldest_stale(priority).is_some();
            if has_stale {
                self.may_have_stale.insert(priority);
            }
            has_stale
        }
    }

    /// Whether a slot is free: if none is, the first of a few ended jobs at the heads of the queues gives its own, if
    /// any may.
    fn makes_room(&mut self) -> bool {
        if !self.may_have_stale.is_empty() {
            let mut left = A_FEW;
            while left > 0 && self.free_slots() == 0 && self.reap_one() {
                left -= 1;
            }
        }
        self.free_slots() > 0
    }

    /// Where in a queue the job is whose slot a submit takes over, if any.
    fn stale_to_take(&mut self, priority: usize) -> Option<usize> {
        if !self.may_have_stale.contains(&priority) {
            return None;
        }
        let place = self.oldest_stale(priority);
        if place.is_none() {
            self.may_have_stale.remove(&priority);
        }
        place
    }

    /// Where in a queue the oldest job is whose slot another may have.
    fn oldest_stale(&self, priority: usize) -> Option<usize> {
        let lane = self.lanes.get(priority).filter(|_| self.takes_over)?;
        lane.iter().position(|&job| self.record(job).is_stale())
    }

    /// Takes the ended jobs off the heads of the queues.
    fn reap(&mut self) {
        while self.reap_one() {}
    }

    /// Takes one of them. False if there is none.
    fn reap_one(&mut self) -> bool {
        let heads =
            (0..self.lanes.len()).filter_map(|lane| Some((lane, *self.lanes[lane].front()?)));
        let ended = heads
            .into_iter()
            .find(|&(_, job)| self.record(job).end().is_some());
        let Some((lane, job)) = ended else {
            return false;
        };
        self.lanes[lane].pop_front();
        self.leave_queue(job);
        true
    }

    pub(crate) fn leave_queue(&mut self, job: Job) {
        self.record_mut(job).queued = false;
        self.release(job);
    }

    /// A worker that was declared lost comes back from the job.
    fn come_back(&mut self, job: Job) {
        self.record_mut(job).lost = false;
        self.release(job);
    }

    pub(crate) fn release(&mut self, job: Job) {
        if self.record(job).is_abandoned() {
            self.jobs.remove(&job);
        } else {
            let record = self.record(job);
            if record.is_left_to_queue() {
                self.may_have_stale.insert(record.priority);
            }
        }
    }

    fn accept(&mut self, priority: usize) -> Result<(), Refusal> {
        if priority >= self.lanes.len() {
            return Err(Refusal::NoSuchPriority);
        }
        self.refusal().map_or(Ok(()), Err)
    }

    /// Submits a closure or task.
    pub fn submit(&mut self, job: Job, priority: usize) -> Result<(), Refusal> {
        self.accept(priority)?;
        if self.makes_room() {
            self.lanes[priority].push_back(job);
        } else {
            let place = self.stale_to_take(priority).ok_or(Refusal::Full)?;
            let ended = std::mem::replace(&mut self.lanes[priority][place], job);
            self.jobs.remove(&ended);
        }
        self.jobs.insert(job, Record::new(priority));
        Ok(())
    }

    /// Makes a promise.
    pub fn promise(&mut self, job: Job, priority: usize) -> Result<(), Refusal> {
        self.accept(priority)?;
        if !self.makes_room() {
            return Err(Refusal::Full);
        }
        let record = Record {
            promised: true,
            ..Record::new(priority)
        };
        self.jobs.insert(job, record);
        Ok(())
    }

    /// A promise is kept (`Returned`) or dropped (`Lost`). False if its future had ended before.
    pub fn keep_promise(&mut self, job: Job, end: End) -> bool {
        let kept = self.record(job).end().is_none();
        self.record_mut(job).queued = false;
        if kept {
            self.end(job, end);
        } else {
            self.release(job);
        }
        kept
    }

    /// A worker takes the head of the most urgent queue.
    pub fn start_next(&mut self, worker: Option<Worker>) -> Next {
        let Some(job) = self.lanes.iter_mut().rev().find_map(VecDeque::pop_front) else {
            return Next::None;
        };
        let record = self.record_mut(job);
        record.queued = false;
        if !record.is_claimable() {
            self.release(job);
            return Next::Skipped(job);
        }
        self.begin_as(job, worker)
    }

    /// Whether who waits for the job may begin it.
    pub fn is_beginnable(&self, job: Job) -> bool {
        self.jobs.get(&job).is_some_and(Record::is_beginnable)
    }

    /// A worker that waits for the job begins it. Its index stays in the queue, and the slot is taken until
    /// somebody has taken it out there.
    ///
    /// # Panics
    ///
    /// If somebody has begun the job, or nobody is to.
    pub fn begin_awaited(&mut self, job: Job, worker: Option<Worker>) -> Next {
        assert!(self.record(job).is_beginnable(), "{job:?} is begun twice");
        self.begin_as(job, worker)
    }

    fn begin_as(&mut self, job: Job, worker: Option<Worker>) -> Next {
        let over = self.end_of_pool();
        let record = self.record_mut(job);
        record.notified = false;
        record.status = Status::Running(worker);
        match over {
            Some(end) => {
                self.end(job, end);
                Next::Dropped(job, end)
            }
            None => Next::Started(job),
        }
    }

    /// A job that runs comes to its end. False if it had ended before, since its worker was declared
    /// lost.
    pub fn finish(&mut self, job: Job, end: End) -> bool {
        let in_time = self.record(job).end().is_none();
        if in_time {
            self.end(job, end);
        } else {
            self.unobserved += usize::from(end == End::Panicked);
            self.come_back(job);
        }
        in_time
    }

    /// A task's poll says that it must wait.
    pub fn suspend(&mut self, job: Job) -> Suspension {
        let over = self.end_of_pool();
        let record = self.record_mut(job);
        let priority = record.priority;
        if record.end().is_some() {
            self.come_back(job);
            return Suspension::TooLate;
        }
        if record.cancel_requested {
            self.end(job, End::Cancelled);
            return Suspension::Dropped(End::Cancelled);
        }
        record.status = Status::Suspended;
        // An index that is in the queue still stands for the wake-up.
        let notified = std::mem::take(&mut record.notified) && !record.queued;
        if notified {
            record.queued = true;
            self.lanes[priority].push_back(job);
        }
        match over {
            Some(end) => {
                self.end(job, end);
                Suspension::Dropped(end)
            }
            None if notified => Suspension::Requeued,
            None => Suspension::Suspended,
        }
    }

    /// The waker of a task, or of a former tenant of its slot, fires.
    pub fn wake(&mut self, job: Job) {
        let record = self.record_mut(job);
        match record.status {
            Status::Suspended if !record.queued => {
                record.queued = true;
                let priority = record.priority;
                self.lanes[priority].push_back(job);
                if self.shut_down || self.broken {
                    self.reap();
                }
            }
            Status::Running(_) => record.notified = true,
            _ => {}
        }
    }

    /// A job ends, by its worker if it runs.
    pub(crate) fn end(&mut self, job: Job, end: End) {
        let worker = match self.record(job).status {
            Status::Running(worker) => worker,
            _ => None,
        };
        self.complete(job, end, worker);
    }

    fn complete(&mut self, job: Job, end: End, worker: Option<Worker>) {
        let record = self.record_mut(job);
        record.status = Status::Ended(end);
        record.completer = Some(Completer {
            worker,
            end,
            taken: VecDeque::new(),
        });
        self.settle(job);
    }

    /// The party that runs the callbacks leaves, if none is left for it.
    fn settle(&mut self, job: Job) {
        let record = self.record_mut(job);
        let more = !record.callbacks.is_empty();
        if let Some(completer) = record.completer.take_if(|it| it.taken.is_empty() && !more) {
            let unclaimed = !record.handle && completer.end == End::Panicked;
            let unclaimed = unclaimed && !(record.shared && record.payload_taken);
            self.unobserved += usize::from(unclaimed);
            self.release(job);
        } else if let Some(late) = record.late.take_if(|it| it.taken.is_empty()) {
            // Its outcome is not the job's: nobody can ask for it.
            self.unobserved += usize::from(late.end == End::Panicked);
            self.come_back(job);
        }
    }

    /// `JobFuture::cancel`: whether it is cancelled.
    pub fn cancel(&mut self, job: Job) -> bool {
        let record = self.record_mut(job);
        if record.is_claimable() {
            self.end(job, End::Cancelled);
            return true;
        }
        if matches!(record.status, Status::Running(_)) {
            record.cancel_requested = true;
        }
        record.end() == Some(End::Cancelled)
    }

    /// Whether cancellation was asked for while it ran.
    pub fn cancel_requested(&self, job: Job) -> bool {
        self.record(job).cancel_requested
    }

    /// Where the job stands.
    pub fn state(&self, job: Job) -> JobState {
        self.record(job).state()
    }

    /// How it ended, if it has.
    pub fn end_of(&self, job: Job) -> Option<End> {
        self.record(job).end()
    }

    /// Whether the result has been taken.
    pub fn is_taken(&self, job: Job) -> bool {
        self.record(job).taken
    }

    /// Whether the result may be taken.
    pub fn is_ready(&self, job: Job) -> bool {
        self.record(job).ready().is_some()
    }

    /// Whether those who share the future may look at the result.
    pub fn is_shown(&self, job: Job) -> bool {
        self.record(job).shown().is_some()
    }

    /// The future becomes one that several may hold.
    pub fn share(&mut self, job: Job) {
        let record = self.record_mut(job);
        record.shared = true;
        record.holders = 1;
    }

    /// Another holds it.
    pub fn hold(&mut self, job: Job) {
        self.record_mut(job).holders += 1;
    }

    /// One who holds it lets it go.
    pub fn drop_holder(&mut self, job: Job) {
        let record = self.record_mut(job);
        record.holders -= 1;
        if record.holders == 0 {
            self.drop_handle(job);
        }
    }

    /// One who holds it looks at the result; `None` if it may not be looked at yet.
    pub fn look(&mut self, job: Job) -> Option<Taken> {
        let record = self.record_mut(job);
        let end = record.shown()?;
        if record.taken {
            return Some(Taken::Before);
        }
        record.payload_taken |= end != End::Returned;
        Some(Taken::End(end))
    }

    /// Takes the result; `None` if it may not be taken yet.
    pub fn take(&mut self, job: Job) -> Option<Taken> {
        let record = self.record_mut(job);
        let end = record.ready()?;
        if record.taken {
            return Some(Taken::Before);
        }
        record.taken = end == End::Returned;
        Some(Taken::End(end))
    }

    /// Asks what went wrong. Whether what it panicked with is handed out with it.
    pub fn take_payload(&mut self, job: Job) -> bool {
        !std::mem::replace(&mut self.record_mut(job).payload_taken, true)
    }

    /// The future is dropped.
    pub fn drop_handle(&mut self, job: Job) {
        let record = self.record_mut(job);
        record.handle = false;
        let unasked = record.ready() == Some(End::Panicked) && !record.payload_taken;
        self.unobserved += usize::from(unasked);
        self.release(job);
    }

    /// Adds a callback. `Ok(true)`: it waits. `Ok(false)`: the job has ended, and it runs at once.
    pub fn add_callback(&mut self, job: Job, callback: Callback) -> Result<bool, Refusal> {
        if self.is_shown(job) {
            return Ok(false);
        }
        if !self.makes_room() {
            return Err(Refusal::Full);
        }
        self.record_mut(job).callbacks.push_back(callback);
        Ok(true)
    }

    /// The callback of a job that is to run next, or is running, and how the job has ended for it.
    /// `None` before the job has ended, and after the last.
    pub fn next_callback(&self, job: Job) -> Option<(Callback, End)> {
        self.record(job).next_callback()
    }

    /// It begins to run.
    pub fn begin_callback(&mut self, job: Job) -> Option<(Callback, End)> {
        let record = self.record_mut(job);
        record.take_callbacks();
        record.next_callback()
    }

    /// It has returned or panicked; its slot is free.
    pub fn end_callback(&mut self, job: Job, panicked: bool) {
        self.unobserved += usize::from(panicked);
        self.record_mut(job).drop_callback();
        self.settle(job);
    }

    /// A callback that ran at once has panicked.
    pub fn callback_panicked(&mut self) {
        self.unobserved += 1;
    }

    /// Shuts the pool down. The jobs that `cancel_futures` ends are the caller's to
    /// [`end_waiting`](Self::end_waiting), one after the other.
    pub fn shut_down(&mut self, cancel_futures: bool) {
        self.shut_down = true;
        self.cancelling |= cancel_futures;
    }

    /// Breaks the pool; false if it is broken already. As for [`shut_down`](Self::shut_down).
    pub fn break_pool(&mut self) -> bool {
        !std::mem::replace(&mut self.broken, true)
    }

    /// The pool's end comes to a job that waits. False if it does not.
    pub fn end_waiting(&mut self, job: Job, end: End) -> bool {
        let waits = self.jobs.get(&job).is_some_and(Record::is_claimable);
        if waits {
            self.end(job, end);
        }
        waits
    }

    /// The pool's end has come to all jobs.
    pub fn end_sweep(&mut self) {
        self.reap();
    }

    /// The worker is declared lost. False if `job` is nothing to it: another runs it, or none.
    ///
    /// A job that it runs ends as lost. So does one that it has ended and runs a callback of, if
    /// there is a future that is not shared: the callbacks that it has taken are its own still, and are told what they
    /// would have been, and those that were added since are the caller's. Either way the slot is kept
    /// for the worker until it comes back.
    pub fn lose(&mut self, job: Job, worker: Worker) -> bool {
        let Some(record) = self.jobs.get_mut(&job) else {
            return false;
        };
        let runs = record.status == Status::Running(Some(worker));
        let completes = |it: &mut Completer| it.worker == Some(worker);
        if !runs {
            if !record.handle || record.shared {
                return false;
            }
            let Some(late) = record.completer.take_if(completes) else {
                return false;
            };
            assert!(!late.taken.is_empty(), "{worker:?} is in a callback");
            record.late = Some(late);
        }
        record.lost = true;
        self.complete(job, End::Lost, None);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jobs<const N: usize>() -> [Job; N] {
        std::array::from_fn(|number| Job(number as u32))
    }

    #[test]
    fn a_cancelled_job_behind_a_live_one_keeps_its_slot_for_the_next_job_of_its_priority() {
        let mut pool = Model::new(2, 2);
        let [live, cancelled, third] = jobs();
        pool.submit(live, 0).unwrap();
        pool.submit(cancelled, 0).unwrap();
        assert!(pool.cancel(cancelled));
        assert_eq!(pool.submit(third, 0), Err(Refusal::Full));
        pool.drop_handle(cancelled);
        assert_eq!(pool.free_slots(), 0);
        assert_eq!(pool.submit(third, 1), Err(Refusal::Full));
        assert_eq!(pool.promise(third, 0), Err(Refusal::Full));
        assert_eq!(pool.submit(third, 0), Ok(()));
        assert!(!pool.contains(cancelled));
        assert_eq!(pool.start_next(None), Next::Started(live));
        assert_eq!(pool.start_next(None), Next::Started(third));
        assert_eq!(pool.start_next(None), Next::None);
    }

    #[test]
    fn jobs_that_find_the_pool_full_have_the_places_of_ended_ones_in_their_order() {
        let mut pool = Model::new(5, 1);
        let [first, older, second, younger, third, new, newer] = jobs();
        for job in [first, older, second, younger, third] {
            pool.submit(job, 0).unwrap();
        }
        for job in [older, younger] {
            pool.cancel(job);
            pool.drop_handle(job);
        }
        pool.submit(new, 0).unwrap();
        pool.submit(newer, 0).unwrap();
        let order = [first, new, second, newer, third].map(Next::Started);
        assert_eq!([(); 5].map(|()| pool.start_next(None)), order);
    }

    #[test]
    fn a_cancelled_job_at_a_head_makes_room_whatever_its_priority() {
        let mut pool = Model::new(2, 2);
        let [low, high, third, fourth] = jobs();
        pool.submit(low, 0).unwrap();
        pool.submit(high, 1).unwrap();
        for job in [low, high] {
            pool.cancel(job);
            pool.drop_handle(job);
        }
        pool.promise(third, 1).unwrap();
        assert_eq!(pool.free_slots(), 0);
        assert!(!pool.contains(low) && pool.contains(high));
        pool.submit(fourth, 0).unwrap();
        assert!(!pool.contains(high));
    }

    #[test]
    fn a_result_waits_for_the_callbacks_and_so_does_the_slot() {
        let mut pool = Model::new(2, 1);
        let [job] = jobs();
        pool.submit(job, 0).unwrap();
        assert_eq!(pool.add_callback(job, Callback(7)), Ok(true));
        assert_eq!(pool.start_next(None), Next::Started(job));
        assert!(pool.finish(job, End::Returned));
        assert_eq!((pool.state(job), pool.take(job)), (JobState::Running, None));
        assert_eq!(pool.begin_callback(job), Some((Callback(7), End::Returned)));
        pool.drop_handle(job);
        assert_eq!(pool.free_slots(), 0);
        pool.end_callback(job, false);
        assert_eq!(pool.free_slots(), 2);
    }

    #[test]
    fn a_job_begun_by_who_waits_for_it_keeps_its_slot_until_its_index_is_out_of_the_queue() {
        let mut pool = Model::new(2, 1);
        let [first, awaited] = jobs();
        pool.submit(first, 0).unwrap();
        pool.submit(awaited, 0).unwrap();
        assert_eq!(pool.begin_awaited(awaited, None), Next::Started(awaited));
        assert!(!pool.is_beginnable(awaited));
        pool.finish(awaited, End::Returned);
        pool.drop_handle(awaited);
        assert_eq!(pool.free_slots(), 0);
        assert_eq!(pool.start_next(None), Next::Started(first));
        assert_eq!(pool.start_next(None), Next::Skipped(awaited));
        assert_eq!(pool.free_slots(), 1);
    }

    #[test]
    fn the_index_of_a_job_that_runs_already_is_skipped() {
        let mut pool = Model::new(1, 1);
        let [awaited] = jobs();
        pool.submit(awaited, 0).unwrap();
        pool.begin_awaited(awaited, None);
        assert_eq!(pool.start_next(None), Next::Skipped(awaited));
        assert_eq!(pool.state(awaited), JobState::Running);
        assert!(pool.finish(awaited, End::Returned));
        pool.drop_handle(awaited);
        assert_eq!(pool.free_slots(), 1);
    }

    #[test]
    fn a_task_begun_by_who_waits_for_it_is_polled_again_when_its_index_comes_out_of_the_queue() {
        let mut pool = Model::new(1, 1);
        let [task] = jobs();
        pool.submit(task, 0).unwrap();
        pool.begin_awaited(task, None);
        pool.wake(task);
        assert_eq!(pool.suspend(task), Suspension::Suspended);
        assert!(!pool.is_beginnable(task));
        assert_eq!(pool.start_next(None), Next::Started(task));
        assert_eq!(pool.suspend(task), Suspension::Suspended);
        assert_eq!(pool.start_next(None), Next::None);
    }

    #[test]
    fn nobody_begins_a_promise_and_it_is_no_unfinished_job() {
        let mut pool = Model::new(1, 1);
        let [promise] = jobs();
        pool.promise(promise, 0).unwrap();
        assert!(!pool.is_beginnable(promise));
        assert_eq!(pool.unfinished(), 0);
    }

    #[test]
    fn a_submit_takes_one_ended_job_off_the_queues_and_a_wait_for_room_all() {
        for waits in [false, true] {
            let mut pool = Model::new(20, 1);
            for job in (0..20).map(Job) {
                pool.submit(job, 0).unwrap();
                pool.cancel(job);
                pool.drop_handle(job);
            }
            if waits {
                assert!(pool.has_room(0));
            } else {
                pool.submit(Job(20), 0).unwrap();
            }
            assert_eq!(pool.free_slots(), if waits { 20 } else { 0 });
        }
    }

    #[test]
    fn a_task_woken_while_it_is_polled_goes_back_to_the_queue_once() {
        let mut pool = Model::new(1, 1);
        let [task] = jobs();
        pool.submit(task, 0).unwrap();
        assert_eq!(pool.start_next(None), Next::Started(task));
        pool.wake(task);
        pool.wake(task);
        assert_eq!(pool.suspend(task), Suspension::Requeued);
        pool.wake(task);
        assert_eq!(pool.start_next(None), Next::Started(task));
        assert_eq!(pool.suspend(task), Suspension::Suspended);
        assert_eq!(pool.start_next(None), Next::None);
    }

    #[test]
    fn a_task_woken_while_it_is_polled_ends_with_the_pool_and_leaves_its_index_in_the_queue() {
        let mut pool = Model::new(1, 1);
        let [task] = jobs();
        pool.submit(task, 0).unwrap();
        pool.start_next(None);
        pool.wake(task);
        pool.break_pool();
        assert_eq!(pool.suspend(task), Suspension::Dropped(End::Broken));
        pool.drop_handle(task);
        assert_eq!(pool.free_slots(), 0);
        assert_eq!(pool.start_next(None), Next::Skipped(task));
        assert_eq!(pool.free_slots(), 1);
    }

    #[test]
    fn a_task_cancelled_in_the_queue_leaves_its_index_there() {
        let mut pool = Model::new(1, 1);
        let [task] = jobs();
        pool.submit(task, 0).unwrap();
        pool.start_next(None);
        pool.wake(task);
        pool.suspend(task);
        assert!(pool.cancel(task));
        pool.drop_handle(task);
        assert_eq!(pool.free_slots(), 0);
        assert_eq!(pool.start_next(None), Next::Skipped(task));
        assert_eq!(pool.free_slots(), 1);
    }

    #[test]
    fn a_lost_worker_keeps_the_slot_until_it_comes_back() {
        let mut pool = Model::new(1, 1);
        let ([job], worker) = (jobs(), Worker(0));
        pool.submit(job, 0).unwrap();
        pool.start_next(Some(worker));
        assert!(pool.lose(job, worker));
        assert_eq!(pool.take(job), Some(Taken::End(End::Lost)));
        pool.drop_handle(job);
        assert_eq!(pool.free_slots(), 0);
        assert!(!pool.finish(job, End::Returned));
        assert_eq!(pool.free_slots(), 1);
    }

    /// A job whose worker is in the first of two callbacks, while a third has been added.
    fn in_a_callback(end: End) -> (Model, Job, Worker) {
        let mut pool = Model::new(4, 1);
        let ([job], worker) = (jobs(), Worker(0));
        pool.submit(job, 0).unwrap();
        for callback in [1, 2] {
            pool.add_callback(job, Callback(callback)).unwrap();
        }
        pool.start_next(Some(worker));
        pool.finish(job, end);
        assert_eq!(pool.begin_callback(job), Some((Callback(1), end)));
        pool.add_callback(job, Callback(3)).unwrap();
        (pool, job, worker)
    }

    #[test]
    fn a_worker_lost_in_a_callback_keeps_those_that_it_has_taken_and_the_slot() {
        let (mut pool, job, worker) = in_a_callback(End::Returned);
        assert!(pool.lose(job, worker));
        assert_eq!(pool.begin_callback(job), Some((Callback(3), End::Lost)));
        pool.end_callback(job, false);
        assert_eq!(pool.take(job), Some(Taken::End(End::Lost)));
        pool.drop_handle(job);
        pool.end_callback(job, false);
        assert_eq!(pool.begin_callback(job), Some((Callback(2), End::Lost)));
        assert_eq!(pool.free_slots(), 2);
        pool.end_callback(job, false);
        assert_eq!((pool.free_slots(), pool.unobserved_failures()), (4, 0));
    }

    #[test]
    fn what_a_job_panicked_with_whose_worker_is_lost_in_a_callback_is_unobserved() {
        let (mut pool, job, worker) = in_a_callback(End::Panicked);
        assert!(pool.lose(job, worker));
        for _ in 1..=3 {
            assert_eq!(pool.unobserved_failures(), 0);
            pool.begin_callback(job);
            pool.end_callback(job, false);
        }
        assert_eq!(pool.unobserved_failures(), 1);
    }

    #[test]
    fn a_job_with_a_shared_future_has_its_end_before_its_callbacks_and_keeps_it() {
        let (mut pool, job, worker) = in_a_callback(End::Panicked);
        pool.share(job);
        pool.hold(job);
        let shown = (pool.state(job), pool.is_shown(job), pool.is_ready(job));
        assert_eq!(shown, (JobState::Finished, true, false));
        assert_eq!(pool.look(job), Some(Taken::End(End::Panicked)));
        assert!(!pool.lose(job, worker));
        pool.drop_holder(job);
        pool.drop_holder(job);
        for _ in 1..=3 {
            assert_ne!(pool.free_slots(), 4);
            pool.begin_callback(job);
            pool.end_callback(job, false);
        }
        assert_eq!((pool.free_slots(), pool.unobserved_failures()), (4, 0));
    }

    #[test]
    fn a_job_without_future_stays_with_the_worker_that_is_lost_in_its_callback() {
        let (mut pool, job, worker) = in_a_callback(End::Returned);
        pool.drop_handle(job);
        assert!(!pool.lose(job, worker));
        assert_eq!(pool.end_of(job), Some(End::Returned));
    }

    #[test]
    fn a_lost_worker_takes_nothing_with_it_that_another_has_ended() {
        let (mut pool, job, _) = in_a_callback(End::Returned);
        assert!(!pool.lose(job, Worker(1)));
        assert_eq!(pool.end_of(job), Some(End::Returned));
    }

    #[test]
    fn a_panic_is_unobserved_until_it_is_handed_out() {
        let mut pool = Model::new(3, 1);
        let [asked, unasked, detached] = jobs();
        for job in [asked, unasked, detached] {
            pool.submit(job, 0).unwrap();
        }
        pool.drop_handle(detached);
        for job in [asked, unasked, detached] {
            assert_eq!(pool.start_next(None), Next::Started(job));
            pool.finish(job, End::Panicked);
        }
        assert!(pool.take_payload(asked));
        assert!(!pool.take_payload(asked));
        pool.drop_handle(asked);
        pool.drop_handle(unasked);
        assert_eq!(pool.unobserved_failures(), 2);
    }
}
