//! `cost CALL SLOTS` makes one call of a pool in a function of its own, for callgrind to count its
//! instructions. Without arguments, lists the calls.

use std::hint::black_box;

use corepool::{JobFuture, PoolRef, StaticPool};

/// A pool of any number of slots: the machine code is the same for all of them.
type Pool = PoolRef<'static, 64>;

static FEW: StaticPool<4, 64> = StaticPool::new();
static MANY: StaticPool<4096, 64> = StaticPool::new();

/// What callgrind counts, with all that is called in it.
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

/// What is called in which situation, and the function that makes it so.
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
    // Not constant, and says so: that such a thing is noticed.
    ("control: free_slots", |pool| {
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
        "4" => FEW.handle(),
        "4096" => MANY.handle(),
        _ => panic!("there is no pool of {slots} slots"),
    };
    let (_, call) = CALLS
        .iter()
        .find(|(known, _)| *known == name)
        .expect("a call of the list");
    call(black_box(pool));
}
