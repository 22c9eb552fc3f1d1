//! Few parties: no other is there by luck to do what one of them has left undone.
//!
//! With a single worker, a wake-up that is not sent leaves its job queued. With a single seat, the next
//! worker is in the place of the one that was declared lost.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::Waker,
    time::Duration,
};

use corepool::{InitError, OnLoss, Parker, RunError, StaticPool, Worker, WorkerId};
use shuttle::thread;

use crate::{
    machine::{self, Gate, Machine, Sleeper},
    operations::BYTES,
    stop::Control,
};

/// The jobs of one execution, one after the other.
const JOBS: usize = 20;
/// Nothing takes as long: it is over when all sleep.
const NEVER: Duration = Duration::from_secs(60);
/// More turns than it takes a worker to begin.
const LONG: usize = 2_000;

/// A caller has one job at a time for the only worker, which sleeps between two of them. No thread is
/// stopped.
pub fn one_worker(control: &Arc<Control>) {
    let pool: &StaticPool<4, BYTES, 1, 1, 2> = Box::leak(Box::new(StaticPool::new()));
    pool.install(&Machine);
    let worker = thread::spawn(move || pool.run(&Sleeper));
    for number in 0..JOBS {
        let mut job = pool.submit(move || number).expect("there is room");
        let before = machine::now();
        let result = job.result_timeout(NEVER);
        if machine::now() != before {
            control.find(format!("job {number} has no end while all sleep"));
            break;
        }
        assert_eq!(result.expect("it ends"), number);
        control.progress();
    }
    pool.shutdown(false, false).expect("it does not wait");
    assert_eq!(worker.join().unwrap(), Ok(()));
}

/// A worker that never sleeps, and says which it is.
struct Numbered<'a> {
    number: &'a Mutex<Option<WorkerId>>,
    stays: &'a AtomicUsize,
}

impl Parker for Numbered<'_> {
    fn waker(&self) -> Waker {
        Waker::noop().clone()
    }

    fn park(&self, _deadline: Option<Duration>) {
        thread::yield_now();
    }
}

impl Worker for Numbered<'_> {
    fn on_start(&self, worker: WorkerId) -> Result<(), InitError> {
        *self.number.lock().unwrap() = Some(worker);
        self.stays.fetch_add(1, SeqCst);
        Ok(())
    }
}

/// A victim declares the worker of the only seat lost. The next worker begins a job there as soon as it
/// may, and the job is not lost when the victim goes on.
pub fn successor(control: &Arc<Control>) {
    let pool: &StaticPool<4, BYTES, 1, 1, 2> = Box::leak(Box::new(StaticPool::new()));
    pool.install(&Machine);
    let number = Arc::new(Mutex::new(None));
    let stays = Arc::new(AtomicUsize::new(0));
    let (its_number, its_stays) = (number.clone(), stays.clone());
    let worker = thread::spawn(move || {
        let mut last = Ok(());
        for _ in 0..2 {
            loop {
                let worker = Numbered {
                    number: &its_number,
                    stays: &its_stays,
                };
                last = pool.run(&worker);
                if last != Err(RunError::TooManyWorkers) {
                    break;
                }
                thread::yield_now();
            }
        }
        last
    });
    let lost = loop {
        if let Some(number) = *number.lock().unwrap() {
            break number;
        }
        thread::yield_now();
    };
    let inner = control.clone();
    let victim = thread::spawn(move || {
        // SAFETY: there are no scopes here.
        inner.counted(|| unsafe { pool.worker_lost(lost, OnLoss::Continue) });
    });
    let has_begun = || stays.load(SeqCst) == 2;
    while control.is_ahead() {
        thread::yield_now();
    }
    for _ in 0..LONG {
        if has_begun() {
            break;
        }
        thread::yield_now();
    }
    if !has_begun() {
        // The victim keeps the seat, or has not declared the loss yet.
        control.release();
        while !has_begun() {
            thread::yield_now();
        }
    }
    let (begins, ends) = (Gate::default(), Gate::default());
    let (its_begin, its_end) = (begins.clone(), ends.clone());
    let job = pool.submit(move || {
        its_begin.open();
        its_end.pass();
    });
    begins.pass();
    control.release();
    victim.join().unwrap();
    ends.open();
    if let Err(error) = job.expect("there is room").result() {
        control.find(format!("a job of the next worker: {error}"));
    }
    pool.shutdown(false, false).expect("it does not wait");
    assert_eq!(worker.join().unwrap(), Ok(()));
}
