//! One of the threads that use the pool.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use corepool::{
    FutureSet, JobFuture, MapOptions, PoolRef, ReturnWhen, SubmitError, as_completed, wait,
};
use fastrand::Rng;
use futures_lite::future::{block_on, poll_once};

use crate::{
    Pool,
    ledger::{Account, Counted, reject},
};

/// Short enough to pass often, long enough not to pass always.
const MOMENT: Duration = Duration::from_micros(20);

/// A future of the mix.
type Job = JobFuture<'static, Counted>;

pub(crate) struct Actor {
    pool: &'static Pool,
    rng: Rng,
    held: Vec<Job>,
}

/// A job that is an async task: suspends a few times, waking itself, and ends.
struct Suspending {
    account: Option<Account>,
    polls: u32,
}

impl Future for Suspending {
    type Output = Counted;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Counted> {
        if self.polls > 0 {
            self.polls -= 1;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        match self.account.take() {
            Some(account) => Poll::Ready(account.complete()),
            None => Poll::Pending,
        }
    }
}

impl Actor {
    pub(crate) fn new(pool: &'static Pool, seed: u64) -> Self {
        Self {
            pool,
            rng: Rng::with_seed(seed),
            held: Vec::new(),
        }
    }

    /// One random action.
    pub(crate) fn step(&mut self) {
        match self.rng.u32(0..100) {
            0..30 => self.submit(),
            30..36 => self.spawn(),
            36..40 => self.detach(),
            40..42 => self.map(),
            42..44 => self.scope(),
            44..46 => self.promise(),
            46..50 => self.submit_waiting(),
            50..54 => self.wait(),
            54..58 => self.as_completed(),
            58..62 => self.callback(),
            _ => self.finish_one(),
        }
    }

    fn at(&mut self) -> PoolRef<'static, 64> {
        self.pool.at(self.rng.usize(0..3))
    }

    fn hold<F>(&mut self, submitted: Result<Job, SubmitError<F>>) {
        match submitted {
            Ok(job) => self.held.push(job),
            Err(refused) => reject(refused),
        }
        // Futures hold slots: never all of them.
        while self.held.len() > 10 {
            self.finish_one();
        }
    }

    fn submit(&mut self) {
        let pool = self.at();
        let account = Account::open();
        match self.rng.u32(0..10) {
            0 => self.hold(pool.submit(move || account.fail())),
            1 => {
                let inner = self.pool.pool_ref();
                self.hold(pool.submit(move || {
                    nest(inner);
                    account.complete()
                }));
            }
            2 => self.hold(pool.submit_cancellable(move |token| {
                for _ in 0..100 {
                    if token.is_cancelled() {
                        break;
                    }
                    std::hint::spin_loop();
                }
                account.complete()
            })),
            _ => self.hold(pool.submit(move || account.complete())),
        }
    }

    fn spawn(&mut self) {
        let pool = self.at();
        let task = Suspending {
            account: Some(Account::open()),
            polls: self.rng.u32(0..4),
        };
        self.hold(pool.spawn(task));
    }

    fn detach(&mut self) {
        let account = Account::open();
        let fails = self.rng.u32(0..8) == 0;
        let submitted = self.at().submit_detached(move || {
            if fails {
                account.fail();
            }
            drop(account.complete());
        });
        if let Err(refused) = submitted {
            reject(refused);
        }
    }

    fn map(&mut self) {
        let options = MapOptions::<8> {
            buffer_size: self.rng.usize(1..=8),
            timeout: None,
        };
        let accounts = (0..self.rng.u32(0..12)).map(|_| Account::open());
        let taken = self.rng.usize(0..12);
        if let Ok(results) = self.pool.map_with(options, accounts, Account::complete) {
            results.take(taken).for_each(drop);
        }
    }

    fn scope(&mut self) {
        let count = self.rng.usize(0..4);
        let borrowed = [
            Counted::new(),
            Counted::new(),
            Counted::new(),
            Counted::new(),
        ];
        self.pool.scope(|scope| {
            let mut jobs = Vec::new();
            for value in borrowed.iter().take(count) {
                let account = Account::open();
                match scope.submit(move || (account.complete(), value)) {
                    Ok(job) => jobs.push(job),
                    Err(refused) => reject(refused),
                }
            }
            jobs.truncate(1);
            for job in jobs {
                let _ = job.result();
            }
        });
    }

    fn promise(&mut self) {
        if let Ok((promise, job)) = self.pool.promise() {
            match self.rng.u32(0..3) {
                0 => drop(promise),
                1 => {
                    job.cancel();
                    let _ = promise.set_result(Counted::new());
                }
                _ => {
                    let _ = promise.set_result(Counted::new());
                }
            }
            self.held.push(job);
        }
    }

    fn submit_waiting(&mut self) {
        let pool = self.at();
        let account = Account::open();
        match self.rng.u32(0..3) {
            0 => self.hold(pool.submit_timeout(move || account.complete(), MOMENT)),
            1 => {
                let mut submit = pool.submit_async(move || account.complete());
                if let Some(submitted) = block_on(poll_once(&mut submit)) {
                    self.hold(submitted);
                }
            }
            _ => self.hold(pool.submit_blocking(move || account.complete())),
        }
    }

    fn wait(&mut self) {
        let when = match self.rng.u32(0..3) {
            0 => ReturnWhen::FirstCompleted,
            1 => ReturnWhen::FirstException,
            _ => ReturnWhen::AllCompleted,
        };
        let timeout = self.rng.bool().then_some(MOMENT);
        let _ = wait(&mut self.held, timeout, when);
    }

    fn as_completed(&mut self) {
        let mut set = FutureSet::<'_, _, 8>::new();
        while set.len() < 8
            && let Some(job) = self.held.pop()
        {
            let _ = set.push(job);
        }
        let timeout = self.rng.bool().then_some(MOMENT);
        let taken = self.rng.usize(0..9);
        let mut completed = as_completed(set, timeout);
        completed.by_ref().take(taken).for_each(drop);
        if self.rng.bool() {
            self.held.extend(completed.into_unfinished());
        }
    }

    fn callback(&mut self) {
        let pool = self.pool;
        let submits = self.rng.bool();
        let fails = self.rng.u32(0..8) == 0;
        let Some(job) = self.held.last_mut() else {
            return;
        };
        let counted = Counted::new();
        let _ = job.add_done_callback(move |_| {
            drop(counted);
            if submits {
                let account = Account::open();
                if let Err(refused) = pool.submit_detached(move || drop(account.complete())) {
                    reject(refused);
                }
            }
            if fails {
                std::panic::panic_any(crate::ledger::EXPECTED_PANIC);
            }
        });
    }

    /// Ends one of the held futures, in one of the ways there are.
    fn finish_one(&mut self) {
        if self.held.is_empty() {
            return;
        }
        let mut job = self.held.swap_remove(self.rng.usize(0..self.held.len()));
        match self.rng.u32(0..8) {
            0 => drop(job),
            1 => {
                job.cancel();
            }
            2 => drop(job.cancel_on_drop()),
            3 => {
                let _ = job.result_timeout(MOMENT);
            }
            4 => {
                let _ = block_on(poll_once(&mut job));
                self.held.push(job);
            }
            5 => {
                let _ = block_on(job);
            }
            6 => {
                let _ = job.error();
                let _ = job.try_result();
            }
            _ => {
                let _ = job.result();
            }
        }
    }
}

/// A job that submits another and waits for it.
fn nest(pool: PoolRef<'static, 64>) {
    let account = Account::open();
    match pool.submit(move || account.complete()) {
        Ok(job) => drop(job.result()),
        Err(refused) => reject(refused),
    }
}
