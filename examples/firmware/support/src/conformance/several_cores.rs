//! The tests that need jobs on other cores than the one that submits.

use core::{cell::Cell, hint::spin_loop};

use corepool::{FutureSet, JobError, JobFuture, SubmitError, as_completed};
use critical_section::Mutex;
use portable_atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};

use super::{BOTH, Bench, NOTES, Outcome, THREAD, Test, failed};
use crate::{several_cores::occupy, tick};

pub(super) const TESTS: &[Test] = tests![
    BOTH: all_cores_run_jobs_at_the_same_time,
    BOTH: as_completed_yields_jobs_of_several_cores,
    BOTH: the_most_urgent_job_is_first_on_another_core,
    BOTH: a_callback_runs_on_the_core_of_its_job,
    THREAD: a_job_on_another_core_is_not_cancelled,
    THREAD: jobs_that_wait_for_each_other_are_told,
    THREAD: critical_sections_exclude_the_other_cores,
    THREAD: shutdown_ends_workers_that_sleep,
    THREAD: no_wake_up_is_lost_between_threads,
    THREAD: no_wake_up_is_lost_from_a_handler,
];

/// Jobs that the thread hands over, one after the other.
const FROM_THREAD: u32 = 10_000;
/// Jobs that the tick's handler hands over, one a tick.
const FROM_HANDLER: u32 = 500;

fn all_cores_run_jobs_at_the_same_time(bench: &Bench<'_>) -> Outcome {
    static MET: AtomicUsize = AtomicUsize::new(0);
    let pool = bench.pool;
    let cores = pool.workers();
    MET.store(0, Ordering::SeqCst);
    // None ends before the last has begun.
    let meet = move || {
        MET.fetch_add(1, Ordering::SeqCst);
        while MET.load(Ordering::SeqCst) < cores {
            spin_loop();
        }
    };
    let jobs: FutureSet<'_, (), 8> =
        bench.call(|| (0..cores).filter_map(|_| pool.submit(meet).ok()).collect());
    check!(jobs.iter().count() == cores);
    for job in as_completed(jobs, None) {
        check!(accepted!(job).result().is_ok());
    }
    Ok(())
}

fn as_completed_yields_jobs_of_several_cores(bench: &Bench<'_>) -> Outcome {
    let pool = bench.pool;
    let jobs: FutureSet<'_, u8, 4> = bench.hold(|| {
        let jobs = bench.call(|| {
            let jobs = (1..=4).filter_map(|number| pool.submit(move || number).ok());
            jobs.collect()
        });
        // Two jobs on this core; the workers have the others.
        assert!(pool.run_pending(2) == 2, "four are queued");
        jobs
    });
    let mut sum = 0;
    for job in as_completed(jobs, None) {
        sum += accepted!(accepted!(job).result());
    }
    check!(sum == 10);
    Ok(())
}

fn the_most_urgent_job_is_first_on_another_core(bench: &Bench<'_>) -> Outcome {
    static BEGUN: AtomicBool = AtomicBool::new(false);
    static GO_ON: AtomicBool = AtomicBool::new(false);
    let pool = bench.pool;
    NOTES.clear();
    BEGUN.store(false, Ordering::SeqCst);
    GO_ON.store(false, Ordering::SeqCst);
    let mut outcome = Ok(());
    // One worker is left, and that is at work when the others are submitted.
    occupy(pool, pool.workers() - 1, || {
        let submitted = pool.submit_detached(|| {
            BEGUN.store(true, Ordering::SeqCst);
            while !GO_ON.load(Ordering::SeqCst) {
                spin_loop();
            }
        });
        assert!(submitted.is_ok(), "there is room");
        while !BEGUN.load(Ordering::SeqCst) {
            spin_loop();
        }
        outcome = bench.call(|| {
            accepted!(pool.at(0).submit_detached(|| NOTES.note(1)));
            accepted!(pool.at(1).submit_detached(|| NOTES.note(2)));
            accepted!(pool.at(1).submit_detached(|| NOTES.note(3)));
            Ok(())
        });
        GO_ON.store(true, Ordering::SeqCst);
        while outcome.is_ok() && NOTES.count() < 3 {
            spin_loop();
        }
    });
    outcome?;
    check!(NOTES.are(&[2, 3, 1]));
    Ok(())
}

fn a_callback_runs_on_the_core_of_its_job(bench: &Bench<'_>) -> Outcome {
    static SEEN: AtomicUsize = AtomicUsize::new(0);
    let (pool, core) = (bench.pool, bench.board.core_number());
    SEEN.store(0, Ordering::SeqCst);
    let mut job = accepted!(bench.hold(|| {
        let mut job = pool.submit(core)?;
        bench.call(|| {
            let added = job.add_done_callback(move |_| SEEN.store(core(), Ordering::SeqCst));
            assert!(added.is_ok(), "there is room");
        });
        Ok::<_, SubmitError<_>>(job)
    }));
    let Some(Ok(ran_on)) = job.error().is_none().then(|| job.try_result()).flatten() else {
        return failed("the job ends with a result");
    };
    check!(core() == 0 && ran_on != 0 && SEEN.load(Ordering::SeqCst) == ran_on);
    Ok(())
}

fn a_job_on_another_core_is_not_cancelled(bench: &Bench<'_>) -> Outcome {
    static BEGUN: AtomicBool = AtomicBool::new(false);
    BEGUN.store(false, Ordering::SeqCst);
    let job = bench.pool.submit_cancellable(|token| {
        BEGUN.store(true, Ordering::SeqCst);
        // The request comes while it runs, and it ends by its own choice.
        while !token.is_cancelled() {
            spin_loop();
        }
        5
    });
    let job = accepted!(job);
    while !BEGUN.load(Ordering::SeqCst) {
        spin_loop();
    }
    check!(!job.cancel());
    check!(matches!(job.result(), Ok(5)));
    Ok(())
}

/// A future that one context leaves for another.
type Place = Mutex<Cell<Option<JobFuture<'static, bool>>>>;

fn jobs_that_wait_for_each_other_are_told(bench: &Bench<'_>) -> Outcome {
    static OF_FIRST: Place = Mutex::new(Cell::new(None));
    static OF_SECOND: Place = Mutex::new(Cell::new(None));
    fn take(place: &Place) -> Option<JobFuture<'static, bool>> {
        critical_section::with(|cs| place.borrow(cs).take())
    }
    fn is_told(other: &Place) -> bool {
        let Some(other) = take(other) else {
            return false;
        };
        let told = matches!(other.result(), Err(JobError::WouldDeadlock));
        NOTES.note(told.into());
        told
    }
    let pool = bench.pool;
    NOTES.clear();
    bench.hold(|| {
        let first = accepted!(pool.submit(|| is_told(&OF_SECOND)));
        let second = accepted!(pool.submit(|| is_told(&OF_FIRST)));
        critical_section::with(|cs| {
            OF_FIRST.borrow(cs).set(Some(first));
            OF_SECOND.borrow(cs).set(Some(second));
        });
        Ok(())
    })?;
    // Two that close the circle at the same time may both be told.
    while NOTES.count() < 2 {
        spin_loop();
    }
    check!(NOTES.are(&[1, 0]) || NOTES.are(&[0, 1]) || NOTES.are(&[1, 1]));
    Ok(())
}

fn critical_sections_exclude_the_other_cores(bench: &Bench<'_>) -> Outcome {
    static COUNT: Mutex<Cell<u32>> = Mutex::new(Cell::new(0));
    static BEGUN: AtomicU32 = AtomicU32::new(0);
    const TIMES: u32 = 2_000;
    fn count() {
        critical_section::with(|_| {
            // A section inside of another, on the same core.
            critical_section::with(|cs| {
                let count = COUNT.borrow(cs);
                let before = count.get();
                // Time for others to come in, if they could.
                (0..50).for_each(|_| spin_loop());
                count.set(before + 1);
            });
        });
    }
    fn count_often() {
        (0..TIMES).for_each(|_| count());
    }
    fn begin() {
        BEGUN.fetch_add(1, Ordering::SeqCst);
        count_often();
    }
    let (pool, workers) = (bench.pool, bench.pool.workers() as u32);
    critical_section::with(|cs| COUNT.borrow(cs).set(0));
    BEGUN.store(0, Ordering::SeqCst);
    let jobs: FutureSet<'_, (), 8> = (0..workers)
        .filter_map(|_| pool.submit(begin).ok())
        .collect();
    while BEGUN.load(Ordering::SeqCst) < workers {
        spin_loop();
    }
    // This core's thread takes part, and so does its tick's handler, which interrupts it.
    count_often();
    tick::call_in_handler(&mut count_often);
    for job in as_completed(jobs, None) {
        check!(accepted!(job).result().is_ok());
    }
    let counted = critical_section::with(|cs| COUNT.borrow(cs).get());
    check!(counted == (workers + 2) * TIMES);
    Ok(())
}

/// Returns when all workers have said that they go to sleep.
fn all_sleep(bench: &Bench<'_>) {
    while bench.pool.idle_workers() < bench.pool.workers() {
        spin_loop();
    }
}

fn shutdown_ends_workers_that_sleep(bench: &Bench<'_>) -> Outcome {
    all_sleep(bench);
    let mut ended = Ok(());
    tick::without(|| ended = bench.pool.shutdown(true, false));
    check!(ended.is_ok() && bench.pool.workers() == 0);
    Ok(())
}

/// Nothing but the pool's wake-ups ends a sleep here, so one that is lost is a run that hangs.
fn no_wake_up_is_lost_between_threads(bench: &Bench<'_>) -> Outcome {
    let pool = bench.pool;
    let mut right = 0;
    tick::without(|| {
        for number in 0..FROM_THREAD {
            // Sometimes they all sleep, and sometimes they are on their way there.
            if number % 2 == 0 {
                all_sleep(bench);
            } else {
                (0..number % 64).for_each(|_| spin_loop());
            }
            let job = pool.submit(move || number);
            right +=
                u32::from(job.is_ok_and(|job| job.result().is_ok_and(|result| result == number)));
        }
    });
    check!(right == FROM_THREAD);
    Ok(())
}

/// The tick ends sleeps of its own core only, and no worker is there.
fn no_wake_up_is_lost_from_a_handler(bench: &Bench<'_>) -> Outcome {
    let pool = bench.pool;
    for number in 0..FROM_HANDLER {
        all_sleep(bench);
        let mut job = None;
        tick::call_in_handler(&mut || job = pool.submit(move || number).ok());
        let Some(job) = job else {
            return failed("there is room");
        };
        while !job.done() {
            spin_loop();
        }
        check!(matches!(job.result(), Ok(result) if result == number));
    }
    Ok(())
}
