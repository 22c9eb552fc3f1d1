//! A worker whose other side is a script. The machine's time goes by while the worker sleeps.

use core::{
    num::NonZeroUsize,
    sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    task::Waker,
    time::Duration,
};
use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
    sync::Arc,
    vec,
};

use super::*;
use crate::{
    JobError, JobId, OnLoss, Parker, Port, StaticPool, WorkerId,
    lockfree::shared_waker::tests::Wakeups,
    memory::joined::Stay,
    remote::{
        OnTimeout,
        scripted::{Double, DoubleSoon, JOBS, Says, Scripted, frame},
    },
    wire::message::{Fault, Hello, PROTOCOL, PanicSaid, ToClient, ToServer},
};

type Pool = StaticPool<4, 32>;

/// A machine that does not catch panics, and whose time goes by while the worker sleeps.
struct Machine(AtomicU64);

// SAFETY: there is one context, and no panic is caught.
unsafe impl Port for Machine {
    fn context(&self) -> NonZeroUsize {
        NonZeroUsize::MIN
    }

    fn now(&self) -> Option<Duration> {
        Some(Duration::from_millis(self.0.load(Relaxed)))
    }

    fn with_parker(&self, _f: &mut dyn FnMut(&dyn Parker)) {}
}

/// Sleeps until its deadline. A test in which it sleeps too often hangs.
struct Sleeper {
    machine: &'static Machine,
    sleeps: AtomicU32,
    /// Panics when a job starts.
    faulty: bool,
    /// The jobs of whose start the hooks were told, and of whose end they were not.
    under_way: AtomicU32,
}

impl Parker for Sleeper {
    fn waker(&self) -> Waker {
        Waker::noop().clone()
    }

    fn park(&self, deadline: Option<Duration>) {
        let deadline = deadline.expect("sleeps for ever").as_millis();
        self.machine
            .0
            .fetch_max(deadline.try_into().unwrap(), Relaxed);
        assert!(self.sleeps.fetch_add(1, Relaxed) < 100, "comes to no end");
    }
}

impl Worker for Sleeper {
    fn on_job_start(&self, _job: JobId) {
        assert!(!self.faulty, "the hook fails");
        self.under_way.fetch_add(1, Relaxed);
    }

    fn on_job_end(&self, _job: JobId) {
        self.under_way.fetch_sub(1, Relaxed);
    }
}

fn config() -> RemoteConfig {
    RemoteConfig {
        probe: Duration::from_millis(1),
        ..RemoteConfig::default()
    }
}

/// Runs a worker over a link to this script.
fn run<const SLOTS: usize>(
    pool: &'static StaticPool<SLOTS, 32>,
    lossless: bool,
    config: RemoteConfig,
    faulty: bool,
    script: impl FnMut(ToServer, &mut Says),
) -> Result<RemoteEnd, RemoteError> {
    let mut link = Scripted::new(script);
    link.lossless = lossless;
    let machine: &'static Machine = Box::leak(Box::new(Machine(AtomicU64::new(0))));
    assert!(pool.install(machine));
    let sleeper = Sleeper {
        machine,
        sleeps: AtomicU32::new(0),
        faulty,
        under_way: AtomicU32::new(0),
    };
    let buffers = Buffers {
        outbox: &mut [0; 64],
        inbox: &mut [0; 64],
    };
    let end = RemoteWorker::<_>::new(link, &JOBS, buffers, config).run(pool.pool_ref(), &sleeper);
    assert_eq!(sleeper.under_way.load(Relaxed), 0);
    end
}

#[test]
fn it_says_whether_the_other_side_has_ever_answered() {
    for answers in [false, true] {
        let pool: &'static Pool = Box::leak(Box::new(Pool::new()));
        let machine: &'static Machine = Box::leak(Box::new(Machine(AtomicU64::new(0))));
        assert!(pool.install(machine));
        let job = pool.submit_remote(Double(4)).unwrap();
        pool.shutdown(false, false).unwrap();
        let link = Scripted::new(|message, says: &mut Says| match message {
            ToServer::Hello(hello) if answers => says.say(ToClient::Welcome(hello)),
            ToServer::Request { id, .. } => says.say_with(ToClient::Result { id }, 8_u8),
            _ => {}
        });
        let sleeper = Sleeper {
            machine,
            sleeps: AtomicU32::new(0),
            faulty: false,
            under_way: AtomicU32::new(0),
        };
        let buffers = Buffers {
            outbox: &mut [0; 64],
            inbox: &mut [0; 64],
        };
        let config = RemoteConfig {
            patience: Some(Duration::from_millis(10)),
            ..config()
        };
        let mut worker = RemoteWorker::<_>::new(link, &JOBS, buffers, config);
        assert!(!worker.has_met());
        let end = worker.run(pool.pool_ref(), &sleeper);
        assert_eq!(end.is_ok(), answers, "{end:?}");
        assert_eq!(worker.has_met(), answers);
        drop(worker);
        assert!(job.cancel() || answers);
    }
}

#[test]
fn patience_ends_even_if_the_other_side_starts_anew_all_the_time() {
    static POOL: Pool = Pool::new();
    let config = RemoteConfig {
        patience: Some(Duration::from_millis(10)),
        ..config()
    };
    let mut greetings = 0;
    let end = run(&POOL, false, config, false, |_, says| {
        greetings += 1;
        if greetings % 3 == 0 {
            says.say(ToClient::Ready);
        }
    });
    assert_eq!(end, Err(RemoteError::Lost(LossReason::SILENT)));
}

#[test]
fn an_answer_counts_that_comes_after_the_next_greeting() {
    static POOL: Pool = Pool::new();
    let sum = POOL.submit_remote(Double(4)).unwrap();
    POOL.shutdown(false, false).unwrap();
    let mut last = None;
    let end = run(
        &POOL,
        false,
        config(),
        false,
        |message, says| match message {
            ToServer::Hello(hello) => {
                if let Some(last) = last.replace(hello) {
                    says.say(ToClient::Welcome(last));
                }
            }
            ToServer::Request { id, .. } => says.say_with(ToClient::Result { id }, 8_u8),
            _ => {}
        },
    );
    assert_eq!(end, Ok(RemoteEnd::ShutDown));
    assert_eq!(sum.result().unwrap(), 8);
}

#[test]
fn late_answers_to_old_questions_do_not_use_up_the_retries() {
    static POOL: Pool = Pool::new();
    let sum = POOL.submit_remote(Double(4)).unwrap();
    POOL.shutdown(false, false).unwrap();
    let (mut requests, mut questions) = (0, 0);
    let end = run(
        &POOL,
        false,
        config(),
        false,
        |message, says| match message {
            ToServer::Hello(hello) => says.say(ToClient::Welcome(hello)),
            ToServer::Request { id, .. } => {
                requests += 1;
                if requests > 1 {
                    says.say_with(ToClient::Result { id }, 8_u8);
                }
            }
            ToServer::Query { id } => {
                questions += 1;
                if questions == 8 {
                    for _ in 0..questions {
                        says.say(ToClient::Unknown { id });
                    }
                }
            }
            _ => {}
        },
    );
    assert_eq!(end, Ok(RemoteEnd::ShutDown));
    assert_eq!(sum.result().unwrap(), 8);
    assert_eq!(requests, 2);
}

/// The messages to the other side, without their numbers.
#[derive(Debug, PartialEq)]
enum Heard {
    Hello,
    Request,
    Query,
    Cancel,
    Bye,
}

impl From<ToServer> for Heard {
    fn from(message: ToServer) -> Self {
        match message {
            ToServer::Hello(_) => Self::Hello,
            ToServer::Request { .. } => Self::Request,
            ToServer::Query { .. } => Self::Query,
            ToServer::Cancel { .. } => Self::Cancel,
            ToServer::Bye => Self::Bye,
        }
    }
}

#[test]
fn a_job_that_is_never_known_is_sent_as_often_as_its_retries_allow() {
    static POOL: Pool = Pool::new();
    let job = POOL.submit_remote(Double(4)).unwrap();
    POOL.shutdown(false, false).unwrap();
    let config = RemoteConfig {
        retries: 2,
        ..config()
    };
    let mut requests = 0;
    let end = run(&POOL, false, config, false, |message, says| match message {
        ToServer::Hello(hello) => says.say(ToClient::Welcome(hello)),
        ToServer::Request { .. } => requests += 1,
        ToServer::Query { id } => says.say(ToClient::Unknown { id }),
        _ => {}
    });
    assert_eq!(end, Ok(RemoteEnd::ShutDown));
    assert_eq!(requests, 3);
    assert!(matches!(
        job.result(),
        Err(JobError::WorkerLost(LossReason::DAMAGED))
    ));
}

#[test]
fn a_job_that_is_not_answered_in_time_is_sent_as_often_as_its_retries_allow_and_given_up() {
    static POOL: Pool = Pool::new();
    let job = POOL.submit_remote(DoubleSoon(4)).unwrap();
    POOL.shutdown(false, false).unwrap();
    let config = RemoteConfig {
        retries: 2,
        ..config()
    };
    let mut heard = vec![];
    // Over a lossless link the worker does not ask in between.
    let end = run(&POOL, true, config, false, |message, says| {
        match message {
            ToServer::Hello(hello) => says.say(ToClient::Welcome(hello)),
            ToServer::Cancel { id } => says.say(ToClient::Cancelled { id }),
            _ => {}
        }
        heard.push(Heard::from(message));
    });
    assert_eq!(end, Ok(RemoteEnd::ShutDown));
    assert_eq!(
        heard,
        [
            Heard::Hello,
            Heard::Request,
            Heard::Request,
            Heard::Request,
            Heard::Cancel,
            Heard::Bye
        ]
    );
    assert!(matches!(
        job.result(),
        Err(JobError::WorkerLost(LossReason::TIMED_OUT))
    ));
}

#[test]
fn a_job_that_is_answered_just_in_time_is_sent_once() {
    static POOL: Pool = Pool::new();
    let job = POOL.submit_remote(DoubleSoon(4)).unwrap();
    POOL.shutdown(false, false).unwrap();
    let (mut requests, mut questions) = (0, 0);
    let end = run(
        &POOL,
        false,
        config(),
        false,
        |message, says| match message {
            ToServer::Hello(hello) => says.say(ToClient::Welcome(hello)),
            ToServer::Request { .. } => requests += 1,
            ToServer::Query { id } => {
                questions += 1;
                // One question each millisecond, and the last before the ten are over.
                if questions == 9 {
                    says.say_with(ToClient::Result { id }, 8_u8);
                } else {
                    says.say(ToClient::Running { id });
                }
            }
            _ => {}
        },
    );
    assert_eq!(end, Ok(RemoteEnd::ShutDown));
    assert_eq!(job.result().unwrap(), 8);
    assert_eq!((requests, questions), (1, 9));
}

#[test]
fn as_many_jobs_are_in_flight_as_the_other_side_has_work_for_a_while() {
    static POOL: StaticPool<8, 32> = StaticPool::new();
    let jobs = [(); 4].map(|()| POOL.submit_remote(Double(4)).unwrap());
    POOL.shutdown(false, false).unwrap();
    // An answer comes each five milliseconds: one job is on its way beside the one that runs.
    let config = RemoteConfig {
        prefetch: Some(Duration::from_millis(7)),
        ..config()
    };
    let (mut in_flight, mut most, mut questions) = (vec![], 0, 0);
    let end = run(&POOL, false, config, false, |message, says| match message {
        ToServer::Hello(hello) => says.say(ToClient::Welcome(hello)),
        ToServer::Request { id, .. } => {
            in_flight.push(id);
            most = most.max(in_flight.len());
        }
        ToServer::Query { id } if in_flight.first() == Some(&id) => {
            questions += 1;
            if questions % 5 == 0 {
                in_flight.remove(0);
                says.say_with(ToClient::Result { id }, 8_u8);
            }
        }
        _ => {}
    });
    assert_eq!(end, Ok(RemoteEnd::ShutDown));
    assert_eq!(jobs.map(|job| job.result().unwrap()), [8; 4]);
    assert_eq!(most, 2);
}

/// More bytes arrive than there is room for at a time, and the link wakes the worker only once.
#[test]
fn all_that_has_arrived_is_taken_in_before_the_worker_sleeps() {
    static POOL: Pool = Pool::new();
    let jobs = [(); 2].map(|()| POOL.submit_remote(Double(4)).unwrap());
    POOL.shutdown(false, false).unwrap();
    let mut requests = vec![];
    let end = run(
        &POOL,
        true,
        config(),
        false,
        |message, says| match message {
            ToServer::Hello(hello) => says.say(ToClient::Welcome(hello)),
            ToServer::Request { id, .. } => {
                requests.push(id);
                if requests.len() == jobs.len() {
                    for _ in 0..40 {
                        says.say(ToClient::Running { id });
                    }
                    for &id in &requests {
                        says.say_with(ToClient::Result { id }, 8_u8);
                    }
                }
            }
            _ => {}
        },
    );
    assert_eq!(end, Ok(RemoteEnd::ShutDown));
    assert_eq!(jobs.map(|job| job.result().unwrap()), [8; 2]);
}

/// The test puts bytes here, and they arrive.
#[derive(Default)]
struct Arrivals(Rc<RefCell<VecDeque<u8>>>);

impl Arrivals {
    fn add(&self, message: ToClient) {
        self.0.borrow_mut().extend(frame(message, ()));
    }
}

impl Link for Arrivals {
    fn send(&mut self, bytes: &[u8]) -> Result<usize, LossReason> {
        Ok(bytes.len())
    }

    fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, LossReason> {
        let mut bytes = self.0.borrow_mut();
        let count = buffer.len().min(bytes.len());
        buffer
            .iter_mut()
            .zip(bytes.drain(..count))
            .for_each(|(to, from)| *to = from);
        Ok(count)
    }

    fn wake_on_data(&mut self, _waker: &Waker) {}
}

/// Calls a closure whenever it is to sleep.
struct Dreamer<F>(F);

impl<F: Fn()> Parker for Dreamer<F> {
    fn waker(&self) -> Waker {
        Waker::noop().clone()
    }

    fn park(&self, _deadline: Option<Duration>) {
        (self.0)();
    }
}

impl<F: Fn()> Worker for Dreamer<F> {}

/// Sleeps, and counts its wake-ups.
#[derive(Default)]
struct Other(Arc<Wakeups>);

impl Parker for Other {
    fn waker(&self) -> Waker {
        self.0.clone().into()
    }

    fn park(&self, _deadline: Option<Duration>) {}
}

impl Worker for Other {}

/// The other side starts anew just when there is a job to run.
#[test]
fn a_wake_up_for_a_job_that_it_cannot_take_is_handed_on() {
    static POOL: StaticPool<4, 32, 1, 2> = StaticPool::new();
    static MACHINE: Machine = Machine(AtomicU64::new(0));
    assert!(POOL.install(&MACHINE));
    let erased = POOL.pool_ref().erased;
    let (link, other) = (Arrivals::default(), Other::default());
    let bytes = Arrivals(link.0.clone());
    bytes.add(ToClient::Welcome(Hello {
        protocol: PROTOCOL,
        session: 1,
        jobs: JOBS.key(),
        frame: 64,
        window: 4,
    }));
    let (seat, woken) = (Cell::new(None), Cell::new(None));
    let worker = Dreamer(|| match seat.get() {
        None => {
            // SAFETY: the worker leaves at the end of the test, before `other` goes away.
            let joined = unsafe { erased.seats().join(&other, Stay::Worker) }.unwrap();
            joined.announce();
            seat.set(Some(joined));
            bytes.add(ToClient::Ready);
            POOL.submit_remote(Double(4)).map(drop).unwrap();
            assert_eq!(other.0.count(), 0, "the first is woken");
        }
        Some(_) => {
            woken.set(woken.get().or(Some(other.0.count())));
            POOL.shutdown(false, true).unwrap();
        }
    });
    let buffers = Buffers {
        outbox: &mut [0; 64],
        inbox: &mut [0; 64],
    };
    let end = RemoteWorker::<_>::new(link, &JOBS, buffers, config()).run(POOL.pool_ref(), &worker);
    assert_eq!(end, Ok(RemoteEnd::ShutDown));
    assert_eq!(woken.get(), Some(1));
    // SAFETY: joined above.
    unsafe { seat.get().unwrap().leave() };
}

#[test]
fn a_welcome_to_an_earlier_greeting_counts_for_nothing() {
    static POOL: Pool = Pool::new();
    let job = POOL.submit_remote(Double(4)).unwrap();
    POOL.shutdown(false, false).unwrap();
    let mut greetings = 0;
    let end = run(
        &POOL,
        false,
        config(),
        false,
        |message, says| match message {
            ToServer::Hello(hello) => {
                greetings += 1;
                says.say(ToClient::Welcome(match greetings {
                    // A frame of this size cannot carry any message.
                    1 => Hello {
                        session: hello.session.wrapping_sub(1),
                        frame: 1,
                        ..hello
                    },
                    _ => hello,
                }));
            }
            ToServer::Request { id, .. } => says.say_with(ToClient::Result { id }, 8_u8),
            _ => {}
        },
    );
    assert_eq!(end, Ok(RemoteEnd::ShutDown));
    assert_eq!(job.result().unwrap(), 8);
}

#[test]
fn a_cancelled_job_that_the_other_side_does_not_know_is_not_sent_again() {
    static POOL: Pool = Pool::new();
    let sum = POOL.submit_remote(Double(4)).unwrap();
    POOL.shutdown(false, false).unwrap();
    let mut requests = 0;
    let end = run(
        &POOL,
        false,
        config(),
        false,
        |message, says| match message {
            ToServer::Hello(hello) => says.say(ToClient::Welcome(hello)),
            ToServer::Request { .. } => {
                requests += 1;
                assert!(!sum.cancel());
            }
            ToServer::Cancel { id } => says.say(ToClient::Unknown { id }),
            _ => {}
        },
    );
    assert_eq!(end, Ok(RemoteEnd::ShutDown));
    assert_eq!(requests, 1);
    assert!(matches!(sum.result(), Err(JobError::Cancelled)));
}

#[test]
fn without_a_session_a_job_cancelled_in_the_queue_keeps_nobody() {
    static POOL: Pool = Pool::new();
    let job = POOL.submit_remote(Double(4)).unwrap();
    assert!(job.cancel());
    POOL.shutdown(false, false).unwrap();
    let end = run(&POOL, false, config(), false, |_, _| {});
    assert_eq!(end, Ok(RemoteEnd::ShutDown));
}

#[test]
fn who_leaves_before_there_is_a_session_says_goodbye_all_the_same() {
    static POOL: Pool = Pool::new();
    POOL.shutdown(false, false).unwrap();
    let mut said_goodbye = false;
    let end = run(&POOL, false, config(), false, |message, _| {
        said_goodbye = matches!(message, ToServer::Bye);
    });
    assert_eq!(end, Ok(RemoteEnd::ShutDown));
    assert!(said_goodbye);
}

/// `run` counts the calls.
#[test]
fn the_hook_is_told_of_the_end_of_a_job_that_is_lost() {
    for on_timeout in [OnTimeout::LoseJob, OnTimeout::LoseLink] {
        let pool: &'static Pool = Box::leak(Box::new(Pool::new()));
        let jobs = [4, 5].map(|number| pool.submit_remote(DoubleSoon(number)).unwrap());
        pool.shutdown(false, false).unwrap();
        let config = RemoteConfig {
            retries: 0,
            on_timeout,
            ..config()
        };
        let _end = run(pool, true, config, false, |message, says| match message {
            ToServer::Hello(hello) => says.say(ToClient::Welcome(hello)),
            ToServer::Cancel { id } => says.say(ToClient::Cancelled { id }),
            _ => {}
        });
        for job in jobs {
            let error = job.result().unwrap_err();
            assert!(matches!(error, JobError::WorkerLost(LossReason::TIMED_OUT)));
        }
    }
}

#[test]
fn a_job_ends_even_if_the_hook_that_tells_of_it_unwinds() {
    static POOL: Pool = Pool::new();
    let job = POOL.submit_remote(Double(4)).unwrap();
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        run(&POOL, true, config(), true, |message, says| {
            if let ToServer::Hello(hello) = message {
                says.say(ToClient::Welcome(hello));
            }
        })
    }));
    assert!(unwound.is_err());
    assert!(job.done());
    let error = job.result().unwrap_err();
    assert!(
        matches!(error, JobError::WorkerLost(LossReason::WORKER_LEFT)),
        "{error}"
    );
}

#[test]
fn a_job_ends_even_if_what_makes_its_panic_unwinds() {
    static POOL: Pool = Pool::new();
    let job = POOL.submit_remote(Double(4)).unwrap();
    let config = RemoteConfig {
        panic: |text, _| panic!("{text:?}"),
        ..config()
    };
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        run(&POOL, true, config, false, |message, says| match message {
            ToServer::Hello(hello) => says.say(ToClient::Welcome(hello)),
            ToServer::Request { id, .. } => {
                let fault = Fault::Panicked;
                says.say_with(ToClient::Fault { id, fault }, PanicSaid::default());
            }
            _ => {}
        })
    }));
    assert!(unwound.is_err());
    assert!(job.done());
    assert!(matches!(job.result(), Err(JobError::Panicked(_))));
}

#[test]
fn what_an_earlier_session_left_does_not_end_a_link_that_does_no_damage() {
    static POOL: Pool = Pool::new();
    let sum = POOL.submit_remote(Double(4)).unwrap();
    POOL.shutdown(false, false).unwrap();
    let end = run(
        &POOL,
        true,
        config(),
        false,
        |message, says| match message {
            ToServer::Hello(hello) => {
                let rest = frame(ToClient::Result { id: 1 }, 7_u8).split_off(2);
                says.say_bytes(&rest);
                says.say(ToClient::Welcome(hello));
            }
            ToServer::Request { id, .. } => says.say_with(ToClient::Result { id }, 8_u8),
            _ => {}
        },
    );
    assert_eq!(end, Ok(RemoteEnd::ShutDown));
    assert_eq!(sum.result().unwrap(), 8);
}

#[test]
fn a_worker_that_is_declared_lost_leaves_and_its_job_is_lost() {
    static POOL: Pool = Pool::new();
    let job = POOL.submit_remote(Double(4)).unwrap();
    let end = run(
        &POOL,
        true,
        config(),
        false,
        |message, says| match message {
            ToServer::Hello(hello) => says.say(ToClient::Welcome(hello)),
            // SAFETY: the test has no scopes.
            ToServer::Request { .. } => unsafe {
                POOL.worker_lost(WorkerId::FIRST, OnLoss::Continue);
            },
            _ => {}
        },
    );
    assert_eq!(end, Err(RemoteError::Run(RunError::DeclaredLost)));
    assert!(matches!(
        job.result(),
        Err(JobError::WorkerLost(LossReason::DECLARED))
    ));
    assert_eq!(POOL.free_slots(), POOL.capacity());
}

/// All messages, and garbage, in any order: the worker trusts no answer.
#[test]
fn no_bytes_make_the_worker_panic_or_leak() {
    static POOLS: [Pool; 300] = [const { Pool::new() }; 300];
    for (seed, pool) in (1_u64..).zip(&POOLS) {
        let jobs: std::vec::Vec<_> = (0..4)
            .map(|n| pool.submit_remote(Double(n)).unwrap())
            .collect();
        let mut random = crate::remote::scripted::random(seed);
        let config = RemoteConfig {
            patience: Some(Duration::from_millis(20)),
            silence: Some(Duration::from_millis(20)),
            max_jobs: Some(4.try_into().unwrap()),
            ..config()
        };
        let _ = run(pool, false, config, false, |message, says| {
            if let (ToServer::Hello(hello), 0..=2) = (message, random() % 4) {
                says.say(ToClient::Welcome(hello));
            }
            for _ in 0..random() % 3 {
                let id = (random() % 6) as u16;
                let body = random() as u16;
                match random() % 9 {
                    0 => says.say(ToClient::Ready),
                    1 => says.say_with(ToClient::Result { id }, body),
                    2 => says.say(ToClient::Result { id }),
                    3 => {
                        let fault = Fault::Panicked;
                        says.say_with(ToClient::Fault { id, fault }, body);
                    }
                    4 => says.say(ToClient::Cancelled { id }),
                    5 => says.say(ToClient::Running { id }),
                    6 => says.say(ToClient::Unknown { id }),
                    7 => says.say_bytes(&body.to_le_bytes()),
                    _ => says.say_bytes(&[body as u8; 100]),
                }
            }
        });
        drop(jobs);
        pool.run_pending(9);
        assert_eq!(pool.free_slots(), pool.capacity());
    }
}
