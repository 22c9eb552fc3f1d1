use core::{
    cell::RefCell,
    num::NonZeroUsize,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    task::Waker,
    time::Duration,
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use super::*;
use crate::{
    Parker, Port, StaticPool,
    engine::run,
    error::NoWorker,
    lockfree::shared_waker::tests::Wakeups,
    machine::worker::WorkerId,
    memory::{
        seat::{DependsOn, GROUP},
        waiter::LEAVING,
    },
};

/// More workers than a group has seats.
const WORKERS: usize = GROUP + 2;
type Pool = StaticPool<2, 16, 1, WORKERS, 1>;

/// Claims to sleep when the test sets it so, and counts its wake-ups.
#[derive(Default)]
struct Sleeper(Arc<Wakeups>);

impl Parker for Sleeper {
    fn waker(&self) -> Waker {
        self.0.clone().into()
    }

    fn park(&self, _deadline: Option<Duration>) {}
}

impl Worker for Sleeper {}

fn sleepers() -> [Sleeper; WORKERS] {
    core::array::from_fn(|_| Sleeper::default())
}

/// Seats the workers in the order of their numbers.
fn join<'p>(pool: &'p Pool, workers: &'p [Sleeper]) -> Vec<Leave<'p>> {
    let erased = pool.pool_ref().erased;
    // SAFETY: `Leave` leaves, and does not outlive the workers.
    let join =
        |worker: &'p Sleeper| Leave(unsafe { erased.seats().join(worker, Stay::Worker) }.unwrap());
    workers.iter().map(join).collect()
}

/// How often each worker was woken, by number. Workers that were not woken are left out.
fn woken(workers: &[Sleeper]) -> Vec<(usize, usize)> {
    let counts = workers.iter().map(|worker| worker.0.count()).enumerate();
    counts.filter(|&(_, count)| count > 0).collect()
}

#[test]
fn each_job_wakes_another_idle_worker() {
    let (pool, workers) = (Pool::new(), sleepers());
    let seats = join(&pool, &workers);
    for number in [1, 3, GROUP - 1, GROUP + 1] {
        seats[number].0.announce();
    }
    let wake = || pool.pool_ref().erased.seats().wake_one();
    wake();
    assert_eq!(woken(&workers), [(1, 1)]);
    wake();
    assert_eq!(woken(&workers), [(1, 1), (3, 1)]);
    wake();
    wake();
    assert_eq!(
        woken(&workers),
        [(1, 1), (3, 1), (GROUP - 1, 1), (GROUP + 1, 1)]
    );
}

#[test]
fn workers_that_were_woken_and_have_not_come_are_woken_again() {
    let (pool, workers) = (Pool::new(), sleepers());
    let seats = join(&pool, &workers);
    for number in [0, 2, GROUP] {
        seats[number].0.announce();
    }
    for _ in 0..3 {
        pool.pool_ref().erased.seats().wake_one();
    }
    assert_eq!(woken(&workers), [(0, 1), (2, 1), (GROUP, 1)]);
    pool.pool_ref().erased.seats().wake_one();
    assert_eq!(woken(&workers), [(0, 2), (2, 2), (GROUP, 2)]);
}

/// States the urgency of the workers with these numbers, who sleep.
fn announce(seats: &[Leave<'_>], urgencies: &[(usize, u8)]) {
    for &(number, urgency) in urgencies {
        // SAFETY: the worker has joined, and this is called once for it.
        unsafe { seats[number].0.state_rank(urgency, 0) };
        seats[number].0.announce();
    }
}

#[test]
fn of_the_idle_workers_the_most_urgent_is_woken() {
    let (pool, workers) = (Pool::new(), sleepers());
    let seats = join(&pool, &workers);
    announce(&seats, &[(0, 1), (2, 9), (3, 200), (5, 9), (GROUP, 10)]);
    let mut expected = Vec::new();
    // The first of the two equally urgent ones has the lower number.
    for number in [3, GROUP, 2, 5, 0] {
        pool.pool_ref().erased.seats().wake_one();
        expected.push((number, 1));
        expected.sort_unstable();
        assert_eq!(woken(&workers), expected);
    }
}

/// A pool with two priorities.
type TwoPriorities = StaticPool<4, 16, 2, 4, 1>;

/// Seats workers that sleep, with these urgencies and least priorities.
fn join_ranked<'p>(
    pool: &'p TwoPriorities,
    workers: &'p [Sleeper],
    ranks: &[(u8, usize)],
) -> Vec<Leave<'p>> {
    let join = |(worker, &(urgency, least)): (&'p Sleeper, &(u8, usize))| {
        let seats = pool.pool_ref().erased.seats();
        // SAFETY: `Leave` leaves, and does not outlive the workers.
        let seat = unsafe { seats.join(worker, Stay::Worker) }.unwrap();
        // SAFETY: the worker has joined just now.
        unsafe { seat.state_rank(urgency, least) };
        seat.announce();
        Leave(seat)
    };
    workers.iter().zip(ranks).map(join).collect()
}

#[test]
fn a_kept_worker_hands_on_to_one_that_takes_the_job() {
    let (pool, workers) = (TwoPriorities::new(), sleepers());
    pool.submit_detached(|| ()).unwrap();
    let _seats = join_ranked(&pool, &workers, &[(9, 1), (0, 0), (1, 0)]);
    let hand_on = || pool.pool_ref().erased.seats().hand_on();
    hand_on();
    assert_eq!(woken(&workers), [(2, 1)]);
    hand_on();
    assert_eq!(woken(&workers), [(1, 1), (2, 1)]);
}

#[test]
fn of_equally_urgent_workers_one_that_is_kept_is_woken() {
    let (pool, workers) = (TwoPriorities::new(), sleepers());
    let _seats = join_ranked(&pool, &workers, &[(9, 0), (9, 1), (8, 1)]);
    pool.at(1).submit_detached(|| ()).unwrap();
    assert_eq!(woken(&workers), [(1, 1)]);
}

#[test]
fn a_kept_worker_tells_the_port_of_work_that_the_sleeping_workers_do_not_take() {
    static BOSS: Boss = Boss(AtomicUsize::new(0));
    let (pool, workers) = (TwoPriorities::new(), sleepers());
    pool.submit_detached(|| ()).unwrap();
    assert!(pool.install(&BOSS));
    let _seats = join_ranked(&pool, &workers, &[(9, 1)]);
    pool.pool_ref().erased.seats().hand_on();
    assert_eq!((BOSS.0.load(Relaxed), woken(&workers)), (1, vec![]));
}

/// A worker that does its next step where it would sleep, and leaves after the last one.
struct Stepper<'a> {
    wakeups: Sleeper,
    steps: RefCell<Vec<&'a dyn Fn()>>,
}

impl Parker for Stepper<'_> {
    fn waker(&self) -> Waker {
        self.wakeups.waker()
    }

    fn park(&self, _deadline: Option<Duration>) {
        let step = self.steps.borrow_mut().pop();
        step.unwrap()();
    }
}

impl Worker for Stepper<'_> {
    fn stays(&self) -> bool {
        !self.steps.borrow().is_empty()
    }

    fn least_priority(&self) -> usize {
        1
    }
}

#[test]
fn a_kept_worker_hands_a_wake_up_on_that_is_for_none_of_its_jobs() {
    let (pool, workers) = (TwoPriorities::new(), sleepers());
    let _seats = join_ranked(&pool, &workers, &[(0, 0)]);
    let claimed = || {
        pool.submit_detached(|| ()).unwrap();
        assert_eq!(woken(&workers), []);
    };
    let asleep = || assert_eq!(woken(&workers), [(0, 1)]);
    let kept = Stepper {
        wakeups: Sleeper::default(),
        steps: RefCell::new(vec![&asleep, &claimed]),
    };
    pool.run(&kept).unwrap();
    assert_eq!((kept.wakeups.0.count(), woken(&workers)), (1, vec![(0, 1)]));
}

#[test]
fn a_kept_worker_that_is_sent_away_hands_its_wake_up_on() {
    let (pool, workers) = (TwoPriorities::new(), sleepers());
    let _seats = join_ranked(&pool, &workers, &[(0, 0)]);
    let claimed = || pool.submit_detached(|| ()).unwrap();
    let kept = Stepper {
        wakeups: Sleeper::default(),
        steps: RefCell::new(vec![&claimed]),
    };
    pool.run(&kept).unwrap();
    assert_eq!((kept.wakeups.0.count(), woken(&workers)), (1, vec![(0, 1)]));
}

#[test]
fn a_kept_worker_that_sleeps_counts_as_blocked() {
    static POOL: TwoPriorities = StaticPool::new();
    let workers = sleepers();
    let seats = join_ranked(&POOL, &workers, &[(0, 0)]);
    let _blocked = seats[0].0.block(DependsOn::Others);
    let all_are_blocked = || POOL.pool_ref().erased.seats().all_are_blocked();
    let while_busy = RefCell::new(None);
    let asleep = || {
        assert!(all_are_blocked());
        let job = POOL.at(1).submit(all_are_blocked).unwrap();
        *while_busy.borrow_mut() = Some(job);
    };
    let asleep_again = || assert!(all_are_blocked());
    let kept = Stepper {
        wakeups: Sleeper::default(),
        steps: RefCell::new(vec![&asleep_again, &asleep]),
    };
    POOL.run(&kept).unwrap();
    assert!(!while_busy.take().unwrap().result().unwrap());
}

#[test]
fn a_kept_worker_that_goes_to_sleep_wakes_the_blocked_workers_if_work_is_queued() {
    let (pool, workers) = (TwoPriorities::new(), sleepers());
    let seats = join_ranked(&pool, &workers, &[(0, 0), (0, 0)]);
    seats.iter().for_each(|seat| assert!(!seat.0.retract()));
    let _blocked = seats[0].0.block(DependsOn::Others);
    let none_is_queued = || {
        assert_eq!(woken(&workers), []);
        pool.submit_detached(|| ()).unwrap();
    };
    let one_is_queued = || {
        assert_eq!(woken(&workers), [(0, 1)]);
        assert_eq!(pool.run_pending(1), 1);
    };
    let kept = Stepper {
        wakeups: Sleeper::default(),
        steps: RefCell::new(vec![&one_is_queued, &none_is_queued]),
    };
    pool.run(&kept).unwrap();
    // The submit has woken it, and it has not woken itself.
    assert_eq!(kept.wakeups.0.count(), 1);
}

#[test]
fn a_kept_worker_runs_all_jobs_of_a_pool_that_is_shut_down() {
    let pool = TwoPriorities::new();
    let job = pool.submit(|| ()).unwrap();
    let shut_down = || {
        assert!(!job.done());
        pool.shutdown(false, false).unwrap();
    };
    let kept = Stepper {
        wakeups: Sleeper::default(),
        // The second one is for after the end, and is not done.
        steps: RefCell::new(vec![&|| unreachable!(), &shut_down]),
    };
    pool.run(&kept).unwrap();
    assert!(job.done());
}

#[test]
fn the_next_worker_in_a_seat_has_no_urgency_of_the_last_one() {
    let (pool, workers) = (Pool::new(), sleepers());
    let mut seats = join(&pool, &workers[..2]);
    announce(&seats, &[(0, 1), (1, 9)]);
    drop(seats.pop());
    seats.extend(join(&pool, &workers[2..3]));
    seats[1].0.announce();
    for expected in [&[(0, 1)][..], &[(0, 1), (2, 1)]] {
        pool.pool_ref().erased.seats().wake_one();
        assert_eq!(woken(&workers), expected);
    }
}

#[test]
fn a_group_that_is_all_idle_is_seen() {
    let (pool, workers) = (StaticPool::<2, 16, 1, GROUP, 1>::new(), sleepers());
    let erased = pool.pool_ref().erased;
    // SAFETY: `Leave` leaves, and does not outlive the workers.
    let join =
        |worker: &Sleeper| Leave(unsafe { erased.seats().join(worker, Stay::Worker) }.unwrap());
    let seats: Vec<_> = workers[..GROUP].iter().map(join).collect();
    seats.iter().for_each(|seat| seat.0.announce());
    erased.seats().wake_one();
    assert_eq!(woken(&workers), [(0, 1)]);
}

#[test]
fn a_worker_that_is_up_is_not_woken() {
    let (pool, workers) = (Pool::new(), sleepers());
    let seats = join(&pool, &workers);
    seats[0].0.announce();
    seats[GROUP].0.announce();
    assert_eq!(pool.idle_workers(), 2);
    assert!(!seats[0].0.retract());
    assert_eq!(pool.idle_workers(), 1);
    assert!(!seats[GROUP].0.retract());
    assert_eq!(pool.idle_workers(), 0);
    pool.pool_ref().erased.seats().wake_one();
    assert_eq!(woken(&workers), []);
}

#[test]
fn a_worker_learns_once_that_it_was_woken_for_work() {
    let (pool, workers) = (Pool::new(), sleepers());
    let seats = join(&pool, &workers);
    for number in [1, 2, GROUP + 1] {
        seats[number].0.announce();
    }
    pool.pool_ref().erased.seats().wake_one();
    assert!(seats[1].0.retract());
    assert!(!seats[2].0.retract());
    pool.pool_ref().erased.seats().wake_one();
    assert!(seats[GROUP + 1].0.retract());
    for number in [1, GROUP + 1] {
        seats[number].0.announce();
        assert!(!seats[number].0.retract());
    }
}

#[test]
fn a_worker_has_the_place_of_its_number() {
    let (pool, workers) = (Pool::new(), sleepers());
    let erased = pool.pool_ref().erased;
    for (number, seat) in join(&pool, &workers).iter().enumerate() {
        assert_eq!(seat.0.id().index(), number);
        let found = erased.seat(number).unwrap();
        assert!(core::ptr::eq(found.seat(), &erased.all_seats()[number]));
    }
    assert!(erased.seat(WORKERS).is_none());
}

#[test]
fn there_is_one_place_for_each_worker() {
    let (pool, workers) = (Pool::new(), sleepers());
    let mut seats = join(&pool, &workers);
    let late = Sleeper::default();
    // SAFETY: the worker gets no seat.
    assert!(unsafe { pool.pool_ref().erased.seats().join(&late, Stay::Worker) }.is_none());
    assert_eq!(pool.workers(), WORKERS);
    seats.pop();
    assert_eq!(pool.workers(), WORKERS - 1);
    // SAFETY: `Leave` leaves, and does not outlive the worker.
    let seat = Leave(unsafe { pool.pool_ref().erased.seats().join(&late, Stay::Guest) }.unwrap());
    assert_eq!(seat.0.id().index(), WORKERS - 1);
    assert_eq!(pool.workers(), WORKERS);
}

/// A worker that has no waker.
struct NoWaker;

impl Parker for NoWaker {
    fn waker(&self) -> Waker {
        panic!("as asked for");
    }

    fn park(&self, _deadline: Option<Duration>) {}
}

impl Worker for NoWaker {}

#[test]
fn a_worker_whose_waker_panics_takes_no_place() {
    static ALONE: Alone = Alone;
    let pool = StaticPool::<2, 16, 1, 1, 1>::new();
    assert!(pool.install(&ALONE));
    let joined = catch_unwind(AssertUnwindSafe(|| pool.run(&NoWaker)));
    assert!(joined.is_err());
    let erased = pool.pool_ref().erased;
    assert!(erased.seats().current().is_none());
    assert_eq!(pool.workers(), 0);
    // SAFETY: `Leave` leaves, and does not outlive the worker.
    let seat = unsafe { erased.seats().join(&crate::SpinWorker, Stay::Worker) }.map(Leave);
    assert!(seat.is_some(), "the only place is free");
}

/// A port of one context.
struct Alone;

// SAFETY: there is one context, and it catches no panic.
unsafe impl Port for Alone {
    fn context(&self) -> NonZeroUsize {
        NonZeroUsize::MIN
    }

    fn now(&self) -> Option<Duration> {
        None
    }

    fn with_parker(&self, f: &mut dyn FnMut(&dyn Parker)) {
        f(&crate::SpinWorker);
    }
}

#[test]
fn a_worker_is_lost_once() {
    let (pool, workers) = (Pool::new(), sleepers());
    let mut seats = join(&pool, &workers);
    let lost = seats[GROUP].0;
    lost.announce();
    assert!(!lost.is_lost());
    let hold = lost.lose(lost.id());
    assert!(hold.is_some());
    // SAFETY: the guard of `lose` is a hold.
    unsafe { lost.tell_of_loss() };
    drop(hold);
    assert_eq!(woken(&workers), [(GROUP, 1)], "it may be asleep and well");
    assert!(lost.is_lost());
    assert!(lost.lose(lost.id()).is_none());
    assert_eq!((pool.workers(), pool.idle_workers()), (WORKERS - 1, 0));
    // The worker leaves after all, which changes nothing.
    drop(seats.remove(GROUP));
    assert_eq!(pool.workers(), WORKERS - 1);
    assert!(lost.lose(lost.id()).is_none(), "it is gone");
}

/// The lost worker comes back, and leaves, while its jobs are ended.
#[test]
fn a_lost_workers_place_is_given_to_no_other_before_all_its_jobs_have_ended() {
    static POOL: StaticPool<2, 32, 1, 1, 1> = StaticPool::new();
    static JOINED: AtomicUsize = AtomicUsize::new(0);
    let erased = POOL.pool_ref().erased;
    let join = || {
        // SAFETY: a `SpinWorker` that is a constant lives for ever.
        unsafe {
            POOL.pool_ref()
                .erased
                .seats()
                .join(&crate::SpinWorker, Stay::Worker)
        }
    };
    let lost = join().unwrap();
    let mut job = POOL.submit(|| ()).unwrap();
    let begun = erased
        .queues()
        .pop()
        .map(|index| erased.slot(index))
        .unwrap();
    assert!(run::take_up(erased, begun, lost.runner()).is_some());
    job.add_done_callback(move |_| {
        let lost = POOL.pool_ref().erased.seat(0).unwrap();
        // SAFETY: joined above.
        unsafe { lost.leave() };
        JOINED.fetch_add(usize::from(join().is_some()), Relaxed);
    })
    .unwrap();
    // SAFETY: no scopes here.
    unsafe { POOL.worker_lost(WorkerId::FIRST, crate::OnLoss::Continue) };
    assert!(job.done());
    assert_eq!(JOINED.load(Relaxed), 0);
    assert!(join().is_some());
}

/// There is no port, so the panic is not caught.
#[test]
fn a_lost_workers_jobs_all_end_even_if_a_callback_unwinds() {
    static POOL: StaticPool<3, 32, 1, 1, 1> = StaticPool::new();
    let erased = POOL.pool_ref().erased;
    // SAFETY: left below.
    let lost = unsafe { erased.seats().join(&crate::SpinWorker, Stay::Worker) }.unwrap();
    let mut first = POOL.submit(|| ()).unwrap();
    let second = POOL.submit(|| ()).unwrap();
    while let Some(index) = erased.queues().pop() {
        let begun = run::take_up(erased, erased.slot(index), lost.runner());
        assert!(begun.is_some());
    }
    first.add_done_callback(|_| panic!("as asked for")).unwrap();
    // SAFETY: no scopes here.
    let declared = catch_unwind(|| unsafe {
        POOL.worker_lost(WorkerId::FIRST, crate::OnLoss::Continue);
    });
    assert!(declared.is_err());
    assert!(first.done() && second.done());
    // SAFETY: joined above.
    unsafe { lost.leave() };
}

/// There is no port, so the panic is not caught.
#[test]
fn a_lost_workers_jobs_end_even_if_its_waker_unwinds() {
    let pool = StaticPool::<1, 32, 1, 1, 1>::new();
    let worker = Rung(|| panic!("as asked for"));
    let erased = pool.pool_ref().erased;
    // SAFETY: `Leave` leaves, and does not outlive the worker.
    let lost = Leave(unsafe { erased.seats().join(&worker, Stay::Worker) }.unwrap());
    let job = pool.submit(|| ()).unwrap();
    let begun = erased
        .queues()
        .pop()
        .map(|index| erased.slot(index))
        .unwrap();
    assert!(run::take_up(erased, begun, lost.0.runner()).is_some());
    // SAFETY: no scopes here.
    let declared = catch_unwind(AssertUnwindSafe(|| unsafe {
        pool.worker_lost(lost.0.id(), crate::OnLoss::Continue);
    }));
    assert!(declared.is_err());
    assert!(job.done());
}

#[test]
fn who_waits_for_a_seat_is_told_that_it_is_free_even_if_the_waker_unwinds() {
    static POOL: StaticPool<1, 32, 1, 1, 1> = StaticPool::new();
    /// Leaves as it is woken. Its seat cannot be taken before the waking party has released its
    /// hold.
    static WORKER: Rung = Rung(|| {
        let seat = POOL.pool_ref().erased.seat(0).unwrap();
        // SAFETY: joined below, and left once.
        unsafe { seat.leave() };
        panic!("as asked for");
    });
    let erased = POOL.pool_ref().erased;
    // SAFETY: left above.
    let seat = unsafe { erased.seats().join(&WORKER, Stay::Worker) }.unwrap();
    let wakeups = Arc::new(Wakeups::default());
    let waiting = erased.waiters().register(&wakeups.clone().into(), LEAVING);
    assert!(waiting.is_some());
    assert!(catch_unwind(AssertUnwindSafe(|| erased.seats().wake(seat.seat()))).is_err());
    assert_eq!(
        wakeups.count(),
        2,
        "that it has left, and that the seat is free"
    );
}

/// A worker that never sleeps, and whose waker runs this closure.
struct Rung(fn());

impl Parker for Rung {
    fn waker(&self) -> Waker {
        struct Calls(fn());
        impl std::task::Wake for Calls {
            fn wake(self: Arc<Self>) {
                (self.0)();
            }
        }
        Arc::new(Calls(self.0)).into()
    }

    fn park(&self, _deadline: Option<Duration>) {}
}

impl Worker for Rung {}

#[test]
fn shutdown_wakes_every_worker() {
    let (pool, workers) = (Pool::new(), sleepers());
    let _seats = join(&pool, &workers);
    pool.pool_ref().erased.seats().wake_all();
    assert!(workers.iter().all(|worker| worker.0.count() == 1));
}

/// Counts how often it is asked for a worker because none sleeps.
struct Boss(AtomicUsize);

// SAFETY: there is one context, and it catches no panic.
unsafe impl Port for Boss {
    fn context(&self) -> NonZeroUsize {
        NonZeroUsize::MIN
    }

    fn now(&self) -> Option<Duration> {
        None
    }

    fn with_parker(&self, f: &mut dyn FnMut(&dyn Parker)) {
        f(&crate::SpinWorker);
    }

    fn no_idle_worker(&self) -> Result<(), NoWorker> {
        self.0.fetch_add(1, Relaxed);
        Ok(())
    }
}

/// The other worker takes the second job, runs it, and goes to sleep while no queue has the first
/// job.
#[test]
fn a_worker_that_unwinds_with_a_job_in_hand_wakes_another_for_it() {
    static POOL: StaticPool<2, 32, 1, 2, 1> = StaticPool::new();
    static PORT: Unwinding = Unwinding {
        context: AtomicUsize::new(1),
        is_ready: AtomicBool::new(false),
        unwind: || {
            let erased = POOL.pool_ref().erased;
            assert!(run::one(erased, 0, None));
            erased.seat(0).unwrap().announce();
            panic!("as asked for");
        },
    };
    /// Two jobs are queued while the worker sleeps. It hands its wake-up on after it has taken the
    /// first.
    struct First;
    impl Parker for First {
        fn waker(&self) -> Waker {
            Waker::noop().clone()
        }
        fn park(&self, _deadline: Option<Duration>) {
            for _ in 0..2 {
                POOL.submit_detached(|| ()).unwrap();
            }
            PORT.is_ready.store(true, Relaxed);
        }
    }
    impl Worker for First {}
    assert!(POOL.install(&PORT));
    let other = Sleeper::default();
    // SAFETY: `Leave` leaves, and does not outlive the worker.
    let _seat =
        Leave(unsafe { POOL.pool_ref().erased.seats().join(&other, Stay::Worker) }.unwrap());
    PORT.context.store(2, Relaxed);
    assert!(catch_unwind(|| POOL.run(&First)).is_err());
    assert_eq!((POOL.pool_ref().unfinished(), other.0.count()), (1, 1));
}

/// A port that starts no worker. It unwinds instead, when the test sets it so.
struct Unwinding {
    context: AtomicUsize,
    is_ready: AtomicBool,
    unwind: fn(),
}

// SAFETY: the contexts of the test have different names, and it catches no panic.
unsafe impl Port for Unwinding {
    fn context(&self) -> NonZeroUsize {
        NonZeroUsize::new(self.context.load(Relaxed)).unwrap()
    }

    fn now(&self) -> Option<Duration> {
        None
    }

    fn with_parker(&self, f: &mut dyn FnMut(&dyn Parker)) {
        f(&crate::SpinWorker);
    }

    fn no_idle_worker(&self) -> Result<(), NoWorker> {
        if self.is_ready.swap(false, Relaxed) {
            (self.unwind)();
        }
        Ok(())
    }
}

#[test]
fn the_port_is_told_of_work_for_which_no_unclaimed_worker_sleeps() {
    static BOSS: Boss = Boss(AtomicUsize::new(0));
    let (pool, workers) = (Pool::new(), sleepers());
    assert!(pool.install(&BOSS));
    let told = || BOSS.0.load(Relaxed);
    pool.pool_ref().erased.seats().wake_one();
    assert_eq!(told(), 1);
    let seats = join(&pool, &workers[..1]);
    pool.pool_ref().erased.seats().wake_one();
    assert_eq!(told(), 2);
    seats[0].0.announce();
    pool.pool_ref().erased.seats().wake_one();
    assert_eq!(told(), 2);
    pool.pool_ref().erased.seats().wake_one();
    assert_eq!(told(), 3);
}
