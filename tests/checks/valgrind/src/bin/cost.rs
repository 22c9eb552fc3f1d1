//! `cost CALL SLOTS` makes one call of a pool in a function of its own, for callgrind to count its
//! instructions. Without arguments, lists the calls.

use std::{
    future::Future as _,
    hint::black_box,
    pin::pin,
    task::{Context, Waker},
};

use corepool::{JobFuture, PoolRef, StaticPool};

/// A pool of any number of slots: the machine code is the same for all of them.
type Pool = PoolRef<'static, 64>;

static FEW: StaticPool<4, 64> = StaticPool::new();
static SOME: StaticPool<64, 64> = StaticPool::new();
static MANY: StaticPool<4096, 64> = StaticPool::new();

/// The function that callgrind counts, with all that it calls.
#[unsafe(no_mangle)]
#[inline(never)]
fn measured(call: &mut dyn FnMut()) {
    call();
}

/// Makes the call in [`measured`] and gives back what it returned.
fn measure<R>(call: impl FnOnce() -> R) -> R {
    let (mut call, mut returned) = (Some(call), None);
    measured(&mut || returned = call.take().map(|call| call()));
    returned.expect("measured calls what it is given")
}

/// The name of a call and its situation, and the function that makes the call.
type Call = (&'static str, fn(Pool));

const CALLS: &[Call] = &[
    ("submit, to a slot never used before", |pool| {
        let job = measure(|| submit(pool));
        assert!(job.is_some());
    }),
    ("submit, to a slot used before", |pool| {
        use_all(pool);
        let job = measure(|| submit(pool));
        assert!(job.is_some());
    }),
    ("submit, to the last free slot", |pool| {
        let jobs = fill_but_one(pool);
        let job = measure(|| submit(pool));
        assert!(job.is_some() && submit(pool).is_none());
        drop(jobs);
    }),
    ("submit, refused: full", |pool| {
        let jobs = fill(pool);
        let job = measure(|| submit(pool));
        assert!(job.is_none());
        drop(jobs);
    }),
    ("run, the only job", |pool| {
        use_all(pool);
        let job = submit(pool);
        assert_eq!(measure(|| pool.run_pending(1)), 1);
        assert!(job.is_some_and(|job| job.done()));
    }),
    ("run, the oldest job of a full pool", |pool| {
        let jobs = fill(pool);
        assert_eq!(measure(|| pool.run_pending(1)), 1);
        assert!(jobs[0].done() && !jobs[1].done());
    }),
    ("run, no job", |pool| {
        use_all(pool);
        assert_eq!(measure(|| pool.run_pending(1)), 0);
    }),
    ("result", |pool| {
        use_all(pool);
        let job = submit(pool).expect("there is room");
        pool.run_pending(1);
        assert_eq!(measure(|| job.result()).ok(), Some(42));
    }),
    ("result, in a full pool", |pool| {
        let mut jobs = fill(pool);
        pool.run_pending(1);
        let job = jobs.remove(0);
        assert_eq!(measure(|| job.result()).ok(), Some(42));
    }),
    ("cancel, the only job", |pool| {
        use_all(pool);
        let job = submit(pool).expect("there is room");
        assert!(measure(|| job.cancel()));
    }),
    ("cancel, the newest job of a full pool", |pool| {
        let jobs = fill(pool);
        let newest = &jobs[jobs.len() - 1];
        assert!(measure(|| newest.cancel()));
    }),
    // The worst case of each call, by slots: a queue of nothing but jobs that were cancelled.
    ("worst: submit, to a pool full of cancelled jobs", |pool| {
        cancel_all(pool);
        let job = measure(|| submit(pool));
        assert!(job.is_some());
    }),
    (
        "worst: submit, takes over the slot of the second job",
        |pool| {
            let mut jobs = fill(pool);
            for job in &jobs[1..] {
                job.cancel();
            }
            jobs.truncate(1);
            let job = measure(|| submit(pool));
            assert!(job.is_some());
        },
    ),
    (
        "worst: run, the oldest of a queue of cancelled jobs",
        |pool| {
            cancel_all(pool);
            assert_eq!(measure(|| pool.run_pending(1)), 1);
        },
    ),
    (
        "worst: cancel, the oldest while somebody waits for room",
        |pool| {
            let jobs = fill(pool);
            let mut waits = pin!(pool.submit_async(|| 42));
            let mut context = Context::from_waker(Waker::noop());
            assert!(waits.as_mut().poll(&mut context).is_pending());
            assert!(measure(|| jobs[0].cancel()));
        },
    ),
    (
        "worst: drop of a job that was not begun, all others cancelled",
        |pool| {
            let mut jobs = fill(pool);
            let last = jobs.pop();
            for job in &jobs {
                job.cancel();
            }
            measure(|| drop(last));
        },
    ),
    (
        "worst: result, of the newest job when all have ended",
        |pool| {
            let mut jobs = fill(pool);
            while pool.run_pending(1) != 0 {}
            let newest = jobs.pop().expect("one of the jobs");
            assert_eq!(measure(|| newest.result()).ok(), Some(42));
        },
    ),
    ("worst: promise, in a pool full of cancelled jobs", |pool| {
        cancel_all(pool);
        assert!(measure(|| pool.promise::<u32>()).is_ok());
    }),
    (
        "worst: a callback, in a pool full of cancelled jobs",
        |pool| {
            let mut jobs = fill(pool);
            pool.run_pending(1);
            let mut held = jobs.remove(0);
            drop(jobs.drain(..).inspect(|job| assert!(job.cancel())));
            measure(|| held.add_done_callback(|_| ())).expect("it is called at once");
        },
    ),
    // Not constant, and say so: that such a thing is noticed.
    (
        "by slots: submit, takes over the slot of the last job",
        |pool| {
            let mut jobs = fill(pool);
            let last = jobs.pop().expect("one of the jobs");
            assert!(last.cancel());
            drop(last);
            let job = measure(|| submit(pool));
            assert!(job.is_some());
        },
    ),
    (
        "by slots: submit, refused: full, after room was given",
        |pool| {
            let mut jobs = fill(pool);
            jobs.remove(1).cancel();
            jobs.extend(submit(pool));
            let job = measure(|| submit(pool));
            assert!(job.is_none());
        },
    ),
    ("by slots: free_slots", |pool| {
        use_all(pool);
        assert_eq!(measure(|| pool.free_slots()), pool.capacity());
    }),
];

/// A tiny job. Never inlined, so that every scenario counts the same code.
#[inline(never)]
fn submit(pool: Pool) -> Option<JobFuture<'static, u32>> {
    pool.submit(|| 42).ok()
}

fn fill(pool: Pool) -> Vec<JobFuture<'static, u32>> {
    use_all(pool);
    (0..pool.capacity()).filter_map(|_| submit(pool)).collect()
}

/// Nothing is left in the pool but the places of cancelled jobs in its queue.
fn cancel_all(pool: Pool) {
    for job in fill(pool) {
        assert!(job.cancel());
    }
}

fn fill_but_one(pool: Pool) -> Vec<JobFuture<'static, u32>> {
    use_all(pool);
    (1..pool.capacity()).filter_map(|_| submit(pool)).collect()
}

/// Uses each slot once.
fn use_all(pool: Pool) {
    let jobs: Vec<_> = (0..pool.capacity()).filter_map(|_| submit(pool)).collect();
    assert_eq!(jobs.len(), pool.capacity());
    while pool.run_pending(1) != 0 {}
    drop(jobs);
    assert_eq!(pool.free_slots(), pool.capacity());
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let [name, slots] = args[..] else {
        for (name, _) in CALLS {
            println!("{name}");
        }
        return;
    };
    let pool = match slots {
        "4" => FEW.pool_ref(),
        "64" => SOME.pool_ref(),
        "4096" => MANY.pool_ref(),
        _ => panic!("there is no pool of {slots} slots"),
    };
    let (_, call) = CALLS
        .iter()
        .find(|(known, _)| *known == name)
        .expect("a call of the list");
    call(black_box(pool));
}
