//! One job at a time, and two workers that sleep: nobody is there by luck who does what a stopped
//! thread has left undone.
//!
//! A caller submits a job, waits for it, and submits the next. All sleep where a wake-up is missing;
//! then time passes, which the caller notices by a time limit that nothing else reaches. While the
//! victim is stopped it may cost:
//!
//! * its own slots, and its own job: that which it has begun, if it runs jobs;
//! * the seat of the worker that it was waking, or a place for a waiter: its own, or that of whom it
//!   was waking;
//! * a delay, if it is a worker that was woken and has not looked since: the job for which it was
//!   woken stays queued until another is submitted.

use std::{
    pin::pin,
    sync::{Arc, Mutex},
    task::{Context, Waker},
    time::Duration,
};

use corepool::{
    FutureSet, InitError, OnLoss, Parker, ReturnWhen, RunError, StaticPool, SubmitError, Worker,
    WorkerId, as_completed, wait,
};
use shuttle::thread::{self, JoinHandle};

use crate::{
    machine::{self, Gate, Machine, Sleeper},
    operations::{Around, BYTES, Job, Operation, Pool},
    stop::Control,
    stopped::SLOTS,
};

/// How many jobs there are, one after the other.
const JOBS: usize = 60;
/// Before this one the workers are replaced.
const REPLACED_AT: usize = 30;
/// Nothing takes as long: it is over when all sleep.
const NEVER: Duration = Duration::from_secs(60);
/// More turns than it takes all to come to rest.
const LONG: usize = 20_000;
/// The workers, besides the victim.
const WORKERS: usize = 2;
/// One who waits at a time, and a place for each who may be late in waking somebody: the workers, and
/// the victim.
const WAITERS: usize = 1 + WORKERS + 1;

/// A worker that says who it is.
struct Numbered(Arc<Mutex<Option<WorkerId>>>);

impl Parker for Numbered {
    fn waker(&self) -> Waker {
        Sleeper.waker()
    }

    fn park(&self, deadline: Option<Duration>) {
        Sleeper.park(deadline);
    }
}

impl Worker for Numbered {
    fn on_start(&self, worker: WorkerId) -> Result<(), InitError> {
        *self.0.lock().unwrap() = Some(worker);
        Ok(())
    }
}

/// A worker's thread.
struct Hired {
    number: Arc<Mutex<Option<WorkerId>>>,
    over: Gate,
    thread: JoinHandle<Result<(), RunError>>,
}

fn hire(pool: Pool) -> Hired {
    let (number, over) = (Arc::new(Mutex::new(None)), Gate::default());
    let (its_number, its_over) = (number.clone(), over.clone());
    let thread = thread::spawn(move || {
        let result = pool.run(&Numbered(its_number));
        its_over.open();
        result
    });
    Hired {
        number,
        over,
        thread,
    }
}

/// Lets the others go on until `holds`, which takes them not long. If it does not, that is noted.
fn await_others(control: &Control, holds: impl Fn() -> bool, what: &str) {
    for _ in 0..LONG {
        if holds() || control.stuck().is_some() {
            return;
        }
        thread::yield_now();
    }
    control.find(what);
}

/// One who submits, waits, and submits.
struct Caller<'a> {
    pool: Pool,
    operation: &'static Operation,
    around: Around,
    control: &'a Control,
    /// The job that did not end.
    missing: Option<Missing>,
}

struct Missing {
    job: Option<Job>,
    /// The victim owes a look, so that the job may be queued yet.
    may_be_late: bool,
}

impl Caller<'_> {
    /// Submits a job and waits for it. Without an answer the verdict is noted.
    fn call(&mut self, number: usize) -> Option<()> {
        let job = move || number;
        let mut submitted = self.pool.submit(job);
        for _ in 0..LONG {
            if !matches!(submitted, Err(SubmitError::Full(_))) {
                break;
            }
            thread::yield_now();
            submitted = self.pool.submit(job);
        }
        let Ok(job) = submitted else {
            self.control
                .find(format!("there is no room for job {number}"));
            return None;
        };
        let before = machine::now();
        let mut jobs = [job];
        if number.is_multiple_of(2)
            && let Err(error) = wait(&mut jobs, Some(NEVER), ReturnWhen::AllCompleted)
        {
            self.control.find(format!("wait for job {number}: {error}"));
            return None;
        }
        let [mut job] = jobs;
        let result = job.result_timeout(NEVER);
        let is_late = machine::now() != before;
        if !is_late {
            if !matches!(result, Ok(result) if result == number) {
                self.control.find(format!("job {number}: {result:?}"));
                return None;
            }
            self.control.progress();
            return self.account_for_missing();
        }
        if !self.operation.runs || self.missing.is_some() {
            let state = job.state();
            self.control.find(format!(
                "job {number} has no end while all sleep; it is {state:?}"
            ));
            return None;
        }
        let woken = self.control.is_victim_woken();
        // One that has ended, and whose end nobody was told of, was the victim's.
        let ended = result.is_ok() || job.done();
        self.missing = Some(Missing {
            job: (!ended).then_some(job),
            may_be_late: self.operation.works && self.around.watch.owes_a_look(woken),
        });
        Some(())
    }

    /// Another job has been submitted since, and has ended: no job is queued before it.
    fn account_for_missing(&mut self) -> Option<()> {
        let Some(missing) = &mut self.missing else {
            return Some(());
        };
        let Some(job) = missing.job.take_if(|job| job.done()) else {
            return Some(());
        };
        if !missing.may_be_late {
            let id = job.id();
            self.control.find(format!(
                "{id:?} had no end before the next job was submitted, and nobody owed a look"
            ));
            return None;
        }
        self.control.note_delay();
        Some(())
    }
}

/// Whether so many places for waiters are free: as many waits, which cannot end, find one.
fn places_are_free(pool: Pool, places: usize) -> bool {
    let promises = (0..places).map(|_| pool.promise::<usize>().expect("there is room"));
    let (_promises, futures): (Vec<_>, Vec<_>) = promises.unzip();
    let mut waits: Vec<_> = futures
        .into_iter()
        .map(|future| as_completed(FutureSet::<_, 1>::from_iter([future]), None))
        .collect();
    waits.iter_mut().all(|wait| {
        let polled = pin!(wait.next_done()).poll(&mut Context::from_waker(Waker::noop()));
        polled.is_pending()
    })
}

/// One execution.
pub fn one_by_one(operation: &'static Operation, control: &Arc<Control>) {
    // A seat for each worker, and one that the victim may take with it.
    let pool: Pool = if operation.works {
        let pool: &StaticPool<SLOTS, BYTES, 1, { WORKERS + 2 }, WAITERS> =
            Box::leak(Box::new(StaticPool::new()));
        pool.install(&Machine);
        pool.pool_ref()
    } else {
        let pool: &StaticPool<SLOTS, BYTES, 1, { WORKERS + 1 }, WAITERS> =
            Box::leak(Box::new(StaticPool::new()));
        pool.install(&Machine);
        pool.pool_ref()
    };
    let mut around = Around::default();
    let mut hired = Vec::new();
    // A worker that is to be stopped is the first to be woken.
    if !operation.works {
        hired.resize_with(WORKERS, || hire(pool));
        let idle = || pool.idle_workers() == WORKERS;
        await_others(control, idle, "the workers do not sleep");
        around.idle = *hired[0].number.lock().unwrap();
    }
    control.prepare();
    let prepared = (operation.prepare)(pool, &around);
    let (inner, act) = (control.clone(), prepared.act);
    let victim = thread::spawn(move || inner.counted(act));
    control.let_it_begin();
    if let Some(waits) = prepared.waits {
        let stopped = || !control.is_ahead();
        await_others(control, stopped, "the victim does not end");
        drop(waits);
    }
    if operation.works {
        hired.resize_with(WORKERS, || hire(pool));
        let idle = || pool.idle_workers() >= WORKERS;
        await_others(control, idle, "the workers do not sleep");
    }
    let mut caller = Caller {
        pool,
        operation,
        around,
        control,
        missing: None,
    };
    let mut left = Vec::new();
    for number in 0..JOBS {
        if number == REPLACED_AT && operation.replaces {
            for _ in 0..WORKERS {
                let old = hired.remove(0);
                let its_number = old.number.lock().unwrap().expect("it has begun");
                // SAFETY: what the only scope here lends to its jobs is nothing.
                unsafe { pool.worker_lost(its_number, OnLoss::Continue) };
                left.push(old.thread.join().unwrap());
                let new = hire(pool);
                let begun = || new.number.lock().unwrap().is_some() || new.over.is_open();
                await_others(control, begun, "a new worker does not begin");
                hired.push(new);
            }
        }
        if caller.call(number).is_none() {
            break;
        }
    }
    let own = operation.slots + usize::from(operation.runs);
    let are_free = || pool.free_slots() + own >= SLOTS;
    await_others(control, are_free, "more slots than its own are lost");
    drop(caller);
    // Until all sleep: nobody but the victim is late in letting go of a place.
    machine::sleep_until(machine::now() + NEVER);
    if control.stuck().is_none() && !places_are_free(pool, WAITERS - 1) {
        control.find("more places for waiters are lost than one");
    }
    control.release();
    if let Some(gate) = prepared.lasts {
        gate.open();
    }
    drop(prepared.held);
    let mut victim = Some(victim);
    if !operation.works {
        victim
            .take()
            .into_iter()
            .for_each(|victim| victim.join().unwrap());
    }
    let at_rest = || pool.idle_workers() == pool.workers();
    await_others(
        control,
        at_rest,
        "a late thread keeps a worker from its sleep",
    );
    if control.stuck().is_none() && !places_are_free(pool, WAITERS) {
        control.find("a late thread leaves a place for a waiter taken");
    }
    if operation.replaces {
        let seats = pool.max_workers() - usize::from(operation.works);
        hired.resize_with(seats, || hire(pool));
        let all = || pool.workers() == pool.max_workers();
        await_others(control, all, "a seat is lost");
    }
    pool.shutdown(false, false).expect("it does not wait");
    left.extend(hired.into_iter().map(|hired| hired.thread.join().unwrap()));
    if let Some(victim) = victim {
        victim.join().unwrap();
    }
    if left.contains(&Err(RunError::TooManyWorkers)) {
        control.find("more seats are lost than the one of whom it was waking");
    }
    if pool.free_slots() != SLOTS {
        let free = pool.free_slots();
        control.find(format!("a late thread leaves {free} of {SLOTS} slots free"));
    }
}
