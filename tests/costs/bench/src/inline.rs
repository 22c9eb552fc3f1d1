//! The cost of a pool's own bookkeeping: a job submitted, run and its result taken by one thread.
//!
//! Only of those that let a thread run what is queued. Callgrind counts the instructions, by way of
//! the program `inline`.

use std::{
    hint::black_box,
    pin::pin,
    task::{Context, Poll, Waker},
};

use async_executor::StaticExecutor;
use corepool::StaticPool;

use crate::{
    limits::{FLOOR, LISTS, PROMISES, SWAPS, Slot, Swaps},
    lists::{Alone, Promises},
    workloads::{Kind, check, tiny_job},
};

/// Calls its argument as often as it likes.
pub type Repeat<'a> = &'a mut dyn FnMut(&mut dyn FnMut());

/// A job in a channel.
type Job = Box<dyn FnOnce() + Send>;

/// Somebody who does jobs inline.
pub struct Inline {
    /// The name of its row.
    pub name: &'static str,
    /// Its kind.
    pub kind: Kind,
    /// Makes a pool, and repeats so many jobs as often as is asked for. In a new thread, since some
    /// make it a worker for good.
    pub run: fn(u64, Repeat<'_>),
}

/// The one that bars are for.
pub const OWN: &str = "corepool StaticPool, run_pending";

/// All of them.
pub const CONTENDERS: &[Inline] = &[
    Inline {
        name: FLOOR,
        kind: Kind::Limit,
        run: |jobs, repeat| {
            let slot = Slot::new();
            let slot = black_box(&slot);
            repeat(&mut || each(jobs, |number| slot.inline(tiny_job(number))));
        },
    },
    Inline {
        name: SWAPS,
        kind: Kind::Limit,
        run: |jobs, repeat| {
            let words = Swaps::default();
            let words = black_box(&words);
            repeat(&mut || each(jobs, |number| words.swap_each(tiny_job(number))));
        },
    },
    Inline {
        name: LISTS,
        kind: Kind::Limit,
        run: |jobs, repeat| {
            let lists = Alone::default();
            let lists = black_box(&lists);
            repeat(&mut || each(jobs, |number| lists.inline(tiny_job(number))));
        },
    },
    Inline {
        name: PROMISES,
        kind: Kind::Limit,
        run: |jobs, repeat| {
            let lists = Promises::default();
            let lists = black_box(&lists);
            repeat(&mut || each(jobs, |number| lists.inline(tiny_job(number))));
        },
    },
    Inline {
        name: OWN,
        kind: Kind::Own,
        run: |jobs, repeat| {
            let pool = StaticPool::<16, 64>::new();
            let pool = black_box(&pool);
            repeat(&mut || {
                each(jobs, |number| {
                    let mut job = pool.submit(tiny_job(number)).expect("there is room");
                    pool.run_pending(1);
                    job.try_result().expect("it is done").expect("a result")
                })
            });
        },
    },
    Inline {
        name: "corepool StaticPool, result runs the job",
        kind: Kind::Own,
        run: |jobs, repeat| {
            let pool = StaticPool::<16, 64>::new();
            let pool = black_box(&pool);
            repeat(&mut || {
                each(jobs, |number| {
                    let job = pool.submit(tiny_job(number)).expect("there is room");
                    job.result().expect("a result")
                })
            });
        },
    },
    Inline {
        name: "rayon spawn",
        kind: Kind::Peer,
        run: |jobs, repeat| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(1)
                .use_current_thread()
                .build()
                .expect("no thread is to be started");
            repeat(&mut || {
                each(jobs, |number| {
                    let (sender, receiver) = oneshot::channel();
                    let job = tiny_job(number);
                    pool.spawn(move || drop(sender.send(job())));
                    rayon::yield_now();
                    receiver.try_recv().expect("a result")
                })
            });
        },
    },
    Inline {
        name: "tokio spawn",
        kind: Kind::Peer,
        run: |jobs, repeat| {
            let runtime = tokio::runtime::Builder::new_current_thread().build();
            let runtime = runtime.expect("a runtime");
            repeat(&mut || {
                runtime.block_on(async {
                    for number in 0..jobs {
                        let job = tiny_job(number);
                        let task = tokio::spawn(async { job() });
                        check(number, task.await.expect("a result"));
                    }
                });
            });
        },
    },
    Inline {
        name: "async-executor",
        kind: Kind::Peer,
        run: |jobs, repeat| {
            let executor: &'static StaticExecutor = Box::leak(Box::new(StaticExecutor::new()));
            repeat(&mut || {
                each(jobs, |number| {
                    let job = tiny_job(number);
                    let task = executor.spawn(async { job() });
                    executor.try_tick();
                    match pin!(task).poll(&mut Context::from_waker(Waker::noop())) {
                        Poll::Ready(result) => result,
                        Poll::Pending => unreachable!("it has run"),
                    }
                })
            });
        },
    },
    Inline {
        name: "crossbeam-channel + oneshot",
        kind: Kind::Peer,
        run: |jobs, repeat| {
            let (jobs_in, jobs_out) = crossbeam_channel::bounded::<Job>(16);
            through_a_channel(
                jobs,
                repeat,
                |job| jobs_in.send(job).expect("there is room"),
                || jobs_out.try_recv().expect("a job"),
            );
        },
    },
    Inline {
        name: "kanal + oneshot",
        kind: Kind::Peer,
        run: |jobs, repeat| {
            let (jobs_in, jobs_out) = kanal::bounded::<Job>(16);
            through_a_channel(
                jobs,
                repeat,
                |job| jobs_in.send(job).expect("there is room"),
                || jobs_out.try_recv().expect("open").expect("a job"),
            );
        },
    },
];

/// Jobs through a channel, and each result through one of its own.
fn through_a_channel(jobs: u64, repeat: Repeat<'_>, send: impl Fn(Job), receive: impl Fn() -> Job) {
    repeat(&mut || {
        each(jobs, |number| {
            let (sender, receiver) = oneshot::channel();
            let job = tiny_job(number);
            send(Box::new(move || drop(sender.send(job()))));
            receive()();
            receiver.try_recv().expect("a result")
        })
    });
}

fn each(jobs: u64, mut job: impl FnMut(u64) -> u64) {
    for number in 0..jobs {
        check(number, job(number));
    }
}
