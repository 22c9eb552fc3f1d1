//! The workloads: the same for every pool.

pub mod allocations;
pub mod burst;
pub mod efficiency;
pub mod event_loop;
pub mod fork_join;
pub mod growth;
pub mod idle;
pub mod producers;
pub mod round_trip;
pub mod scopes;
pub mod window;

use std::{hint::black_box, time::Duration};

use crate::{
    awaited, limits, peers,
    pool::{Pool, Spinning, StaticOn, started},
    processes, python,
    statistics::Slice,
};

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Workload {
    /// One job after the other.
    Warm,
    /// One job, after 200 µs without any.
    Cold,
    /// 1,024 jobs, then their results.
    Burst,
    /// Two threads that submit bursts.
    Producers,
    /// 64 jobs under way all the time.
    Window,
    /// Jobs of 20 µs, at most 256 under way.
    Efficiency,
    /// A recursive function whose calls are jobs, down to a cut.
    ForkJoin,
    /// One job awaited after the other.
    AwaitOne,
    /// 64 tasks that await jobs.
    AwaitMany,
    /// No job at all.
    Idle,
    /// A job's memory from the heap.
    Allocations,
    /// One thread alone.
    Inline,
    /// The same, in instructions.
    Instructions,
    /// 16 to 4,096 slots.
    Slots,
    /// 1 to 16 workers: more threads than cores.
    Workers,
    /// 1 to 1,024 futures in `as_completed`.
    Waiters,
    /// 1 to 8 priorities.
    Priorities,
    /// One job after the other, in a child process.
    ProcessRoundTrip,
    /// 10,000 jobs, at most 128 under way, in child processes.
    ProcessWindow,
    /// 10,000 jobs by `map`, in chunks of 1 and of 64.
    ProcessMap,
}

impl Workload {
    /// In the order of the report.
    pub const ALL: &[Self] = &[
        Self::Warm,
        Self::Cold,
        Self::Burst,
        Self::Producers,
        Self::Window,
        Self::Allocations,
        Self::Inline,
        Self::Instructions,
        Self::Efficiency,
        Self::ForkJoin,
        Self::AwaitOne,
        Self::AwaitMany,
        Self::Idle,
        Self::Slots,
        Self::Workers,
        Self::Waiters,
        Self::Priorities,
        Self::ProcessRoundTrip,
        Self::ProcessWindow,
        Self::ProcessMap,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Warm => "warm",
            Self::Cold => "cold",
            Self::Burst => "burst",
            Self::Producers => "producers",
            Self::Window => "window",
            Self::Efficiency => "efficiency",
            Self::ForkJoin => "fork-join",
            Self::AwaitOne => "await-one",
            Self::AwaitMany => "await-many",
            Self::Idle => "idle",
            Self::Allocations => "allocations",
            Self::Inline => "inline",
            Self::Instructions => "instructions",
            Self::Slots => "slots",
            Self::Workers => "workers",
            Self::Waiters => "waiters",
            Self::Priorities => "priorities",
            Self::ProcessRoundTrip => "process-round-trip",
            Self::ProcessWindow => "process-window",
            Self::ProcessMap => "process-map",
        }
    }

    /// Its title in the report.
    pub fn title(self) -> &'static str {
        match self {
            Self::Warm => "Round trip of one job, warm",
            Self::Cold => "Round trip of one job, after 200 µs without any",
            Self::Burst => "Burst of 1,024 jobs, then their results",
            Self::Producers => "Two threads, each with bursts of 512 jobs",
            Self::Window => "64 jobs under way all the time",
            Self::Efficiency => "10,000 jobs of 20 µs, at most 256 under way",
            Self::ForkJoin => "fib(27) by fork and join, two workers",
            Self::AwaitOne => "Round trip of one job, awaited in an event loop",
            Self::AwaitMany => "64 tasks of an event loop, each awaits job after job",
            Self::Idle => "CPU time of idle workers, a second",
            Self::Allocations => "Allocations a job",
            Self::Inline => "Submit, run and result in one thread",
            Self::Instructions => "Submit, run and result in one thread, instructions",
            Self::Slots => "8 jobs under way in a pool of so many slots",
            Self::Workers => "64 jobs under way with so many workers",
            Self::Waiters => "as_completed over sets of so many futures",
            Self::Priorities => "Round trip of one job, at so many priorities",
            Self::ProcessRoundTrip => "Round trip of one job, by a child process",
            Self::ProcessWindow => "10,000 jobs by child processes, at most 128 under way",
            Self::ProcessMap => "10,000 jobs by two child processes, by map",
        }
    }

    /// The sizes at which it is measured: how many workers there are, or what it is that grows.
    pub fn sizes(self) -> &'static [usize] {
        match self {
            Self::Idle => &[2],
            Self::Inline | Self::Instructions => &[0],
            Self::ForkJoin => &[5, 10, 15],
            Self::Slots => &[16, 256, 4096],
            Self::Workers => &[1, 2, 4, 16],
            Self::Waiters => &[1, 32, 1024],
            Self::Priorities => &[1, 2, 8],
            Self::ProcessRoundTrip => &[1],
            Self::ProcessWindow => &[processes::CHILDREN],
            Self::ProcessMap => &[1, 64],
            _ => &[1, 2],
        }
    }

    /// Whether the sizes are there to be compared with each other.
    pub fn grows(self) -> bool {
        matches!(
            self,
            Self::Slots | Self::Workers | Self::Waiters | Self::Priorities
        )
    }

    /// Whether workers are child processes.
    pub fn is_of_processes(self) -> bool {
        matches!(
            self,
            Self::ProcessRoundTrip | Self::ProcessWindow | Self::ProcessMap
        )
    }

    /// The name of a size.
    pub fn size_name(self, size: usize) -> String {
        match (self, size) {
            (Self::Inline | Self::Instructions, _) => String::from("alone"),
            (Self::ForkJoin, size) => format!("cut at {size}"),
            (Self::Slots, size) => format!("{size} slots"),
            (Self::Waiters, size) => format!("sets of {size}"),
            (Self::Priorities, 1) => String::from("1 priority"),
            (Self::Priorities, size) => format!("{size} priorities"),
            (Self::ProcessMap, size) => format!("chunks of {size}"),
            (Self::ProcessRoundTrip | Self::ProcessWindow, 1) => String::from("1 child"),
            (Self::ProcessRoundTrip | Self::ProcessWindow, size) => format!("{size} children"),
            (_, 1) => String::from("1 worker"),
            (_, size) => format!("{size} workers"),
        }
    }
}

/// How much to do.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// How long a slice lasts.
    pub slice: Duration,
    /// How many jobs of 20 µs there are in a batch, of which a slice has five.
    pub long_jobs: usize,
    /// How much there is to do in such a job.
    pub steps_of_a_long_job: u64,
}

impl Effort {
    /// Enough for figures that repeat.
    pub fn full() -> Self {
        Self {
            slice: Duration::from_millis(40),
            long_jobs: 2_000,
            steps_of_a_long_job: efficiency::steps_of(Duration::from_micros(20)),
        }
    }

    /// Enough for a glance.
    pub fn quick() -> Self {
        Self {
            slice: Duration::from_millis(5),
            long_jobs: 500,
            ..Self::full()
        }
    }
}

/// The kind of a contender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A pool of this repository.
    Own,
    /// Another pool.
    Peer,
    /// A limit of the machine.
    Limit,
}

/// Somebody who takes part in one slice of a workload, at one of its sizes. `None`: has no such
/// thing.
pub type Run = fn(Workload, usize, &Effort) -> Option<Slice>;

/// A contender.
pub struct Contender {
    /// The name of its row.
    pub name: &'static str,
    /// Its kind.
    pub kind: Kind,
    /// How it takes part.
    pub run: Run,
}

/// The pool that the bars are for.
pub const THREAD_POOL: &str = <corepool_std::ThreadPool as Pool>::NAME;

/// All of them, in the order in which they have their slices: the limits next to what they limit.
pub const CONTENDERS: &[Contender] = &[
    limit(limits::FLOOR, limits::floor),
    limit(awaited::FLOOR, awaited::floor),
    Contender {
        name: THREAD_POOL,
        kind: Kind::Own,
        run: |workload, size, effort| {
            growth::run(workload, size, effort)
                .or_else(|| fork_join::each(workload, size, effort))
                .or_else(|| run::<corepool_std::ThreadPool>(workload, size, effort))
        },
    },
    Contender {
        name: scopes::OWN,
        kind: Kind::Own,
        run: scopes::own,
    },
    Contender {
        name: fork_join::FEW,
        kind: Kind::Own,
        run: fork_join::few,
    },
    limit(fork_join::ALONE, fork_join::alone),
    limit(limits::FUTEX, limits::futex),
    limit(limits::WAKE, limits::one_wake),
    limit(limits::CACHE_LINE, limits::cache_line),
    limit(limits::SPLIT, limits::split),
    own::<StaticOn<Spinning>>(),
    own::<StaticOn<corepool_std::Workers>>(),
    Contender {
        name: processes::PROCESS_POOL,
        kind: Kind::Own,
        run: processes::process_pool,
    },
    peer::<peers::Oneshot<rayon::ThreadPool>>(),
    Contender {
        name: peers::RAYON_SCOPE,
        kind: Kind::Peer,
        run: peers::rayon_scope,
    },
    Contender {
        name: fork_join::RAYON,
        kind: Kind::Peer,
        run: fork_join::rayon,
    },
    Contender {
        name: fork_join::FORTE,
        kind: Kind::Peer,
        run: fork_join::forte,
    },
    peer::<peers::Oneshot<threadpool::ThreadPool>>(),
    peer::<rusty_pool::ThreadPool>(),
    peer::<peers::TokioBlocking>(),
    peer::<peers::TokioTasks>(),
    peer::<peers::AsyncExecutor>(),
    peer::<peers::Blocking>(),
    peer::<peers::Oneshot<peers::Channel<crossbeam_channel::Sender<peers::Boxed>>>>(),
    peer::<peers::Oneshot<peers::Channel<kanal::Sender<peers::Boxed>>>>(),
    peer::<peers::Oneshot<peers::Workstealing>>(),
    peer::<affinitypool::Threadpool>(),
    Contender {
        name: processes::PROCSPAWN,
        kind: Kind::Peer,
        run: processes::procspawn,
    },
    Contender {
        name: python::THREADS,
        kind: Kind::Peer,
        run: python::threads,
    },
    Contender {
        name: python::PROCESSES,
        kind: Kind::Peer,
        run: python::processes,
    },
    limit(limits::ARRAY_QUEUE, limits::array_queue),
    limit(limits::HEAPLESS, limits::heapless),
];

const fn own<P: Pool>() -> Contender {
    Contender {
        name: P::NAME,
        kind: Kind::Own,
        run: run::<P>,
    }
}

const fn peer<P: Pool>() -> Contender {
    Contender {
        name: P::NAME,
        kind: Kind::Peer,
        run: run::<P>,
    }
}

const fn limit(name: &'static str, run: Run) -> Contender {
    Contender {
        name,
        kind: Kind::Limit,
        run,
    }
}

/// One slice of a workload in a new pool.
fn run<P: Pool>(workload: Workload, workers: usize, effort: &Effort) -> Option<Slice> {
    if workload.grows()
        || workload.is_of_processes()
        || matches!(
            workload,
            Workload::Inline | Workload::Instructions | Workload::ForkJoin
        )
    {
        return None;
    }
    let pool = started::<P>(workers)?;
    Some(match workload {
        Workload::Allocations => allocations::run(&pool),
        Workload::Warm => round_trip::warm(&pool, effort),
        Workload::Cold => round_trip::cold(&pool, effort),
        Workload::Burst => burst::run(&pool, effort),
        Workload::Producers => producers::run(&pool, effort),
        Workload::Window => window::run(&pool, effort),
        Workload::Efficiency => efficiency::run(&pool, effort),
        Workload::AwaitOne => event_loop::one(&pool, effort),
        Workload::AwaitMany => event_loop::many(&pool, effort),
        Workload::Idle => idle::run(&pool, effort),
        _ => return None,
    })
}

/// The closure that every contender gets: small, and with something captured.
pub fn tiny_job(number: u64) -> impl FnOnce() -> u64 + Send + 'static {
    move || black_box(number) + 1
}

/// Looks at what came of it.
///
/// # Panics
///
/// If it is wrong.
pub fn check(number: u64, result: u64) {
    assert_eq!(result, number + 1, "a pool that gives wrong results");
}
