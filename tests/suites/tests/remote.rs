//! Workers behind a link: both sides in one process, with a wire that the test can cut and damage.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        atomic::{AtomicBool, AtomicU32, Ordering::SeqCst},
        mpsc,
    },
    thread,
    time::Duration,
};

use corepool::{
    BrokenReason, CodecError, JobError, LossReason, OnLoss, PoolRef, StaticPool, SubmitError,
    remote::{
        Buffers, JobContext, JobEntry, JobTable, LastWords, Link, OnTimeout, RemoteConfig,
        RemoteEnd, RemoteError, RemoteJob, RemoteWorker, serve_catching, serve_with_last_words,
    },
};
use corepool_std::{HostPort, PanicExt, ThreadParker, ThreadWorker, remote_panic};
use corepool_tests::wire::{PLACE, Wire, catch_panic};
use postcard_schema::Schema;
use serde::{Deserialize, Serialize, Serializer, de::Error as _, ser::Error as _};

// The jobs.

#[derive(Serialize, Deserialize, Schema)]
struct Add(u32, u32);

impl RemoteJob for Add {
    type Output = u32;
    const NAME: &'static str = "add";
    const IDEMPOTENT: bool = true;

    fn run(self, _context: &mut JobContext<'_>) -> u32 {
        self.0 + self.1
    }
}

/// Adds, and is not to be sent twice.
#[derive(Serialize, Deserialize, Schema)]
struct AddOnce(u32, u32);

impl RemoteJob for AddOnce {
    type Output = u32;
    const NAME: &'static str = "add_once";

    fn run(self, _context: &mut JobContext<'_>) -> u32 {
        self.0 + self.1
    }
}

#[derive(Serialize, Deserialize, Schema)]
struct Repeat {
    text: String,
    times: u16,
}

impl RemoteJob for Repeat {
    type Output = String;
    const NAME: &'static str = "repeat";

    fn run(self, _context: &mut JobContext<'_>) -> String {
        self.text.repeat(self.times.into())
    }
}

#[derive(Serialize, Deserialize, Schema)]
struct PanicWith(String);

impl RemoteJob for PanicWith {
    type Output = ();
    const NAME: &'static str = "panic_with";

    fn run(self, _context: &mut JobContext<'_>) {
        panic!("{}", self.0);
    }
}

/// Which of the gates in [`GATES`] a job says that it is at, and waits for.
#[derive(Serialize, Deserialize, Schema)]
struct AtGate(u8);

struct Gate {
    reached: AtomicU32,
    open: AtomicBool,
    cancelled: AtomicBool,
}

static GATES: [Gate; 16] = [const {
    Gate {
        reached: AtomicU32::new(0),
        open: AtomicBool::new(false),
        cancelled: AtomicBool::new(false),
    }
}; 16];

impl Gate {
    fn wait_until_reached(&self) {
        while self.reached.load(SeqCst) == 0 {
            thread::yield_now();
        }
    }

    fn open(&self) {
        self.open.store(true, SeqCst);
    }
}

impl RemoteJob for AtGate {
    type Output = u32;
    const NAME: &'static str = "at_gate";

    /// How often the gate was reached.
    fn run(self, _context: &mut JobContext<'_>) -> u32 {
        let gate = &GATES[usize::from(self.0)];
        let times = gate.reached.fetch_add(1, SeqCst) + 1;
        while !gate.open.load(SeqCst) {
            thread::yield_now();
        }
        times
    }
}

/// Waits at its gate until it is cancelled.
#[derive(Serialize, Deserialize, Schema)]
struct UntilCancelled(u8);

impl RemoteJob for UntilCancelled {
    type Output = ();
    const NAME: &'static str = "until_cancelled";

    fn run(self, context: &mut JobContext<'_>) -> Self::Output {
        let gate = &GATES[usize::from(self.0)];
        gate.reached.fetch_add(1, SeqCst);
        while !context.is_cancelled() {
            thread::yield_now();
        }
        gate.cancelled.store(true, SeqCst);
    }
}

/// Answers too late, by its own measure.
#[derive(Serialize, Deserialize, Schema)]
struct TooSlow(u8);

impl RemoteJob for TooSlow {
    type Output = u32;
    const NAME: &'static str = "too_slow";
    const TIMEOUT: Option<Duration> = Some(Duration::from_millis(1));

    fn run(self, context: &mut JobContext<'_>) -> u32 {
        AtGate(self.0).run(context)
    }
}

/// In what way a value does not let itself be encoded or decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    None,
    Encode,
    EncodePanics,
    Decode,
    DecodePanics,
}

#[derive(Debug, PartialEq, Eq, Schema)]
struct Troublesome(u8);

impl Troublesome {
    fn new(trouble: Trouble) -> Self {
        Self(trouble as u8)
    }
}

impl Serialize for Troublesome {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if self.0 == Trouble::Encode as u8 {
            return Err(S::Error::custom("as asked for"));
        }
        assert!(self.0 != Trouble::EncodePanics as u8, "while encoded");
        self.0.serialize(to)
    }
}

impl<'de> Deserialize<'de> for Troublesome {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let trouble = u8::deserialize(from)?;
        if trouble == Trouble::Decode as u8 {
            return Err(D::Error::custom("as asked for"));
        }
        assert!(trouble != Trouble::DecodePanics as u8, "while decoded");
        Ok(Self(trouble))
    }
}

/// Has trouble on the way there.
#[derive(Serialize, Deserialize, Schema)]
struct TroubleThere(Troublesome);

impl RemoteJob for TroubleThere {
    type Output = ();
    const NAME: &'static str = "trouble_there";

    fn run(self, _context: &mut JobContext<'_>) {}
}

/// Has trouble on the way back.
#[derive(Serialize, Deserialize, Schema)]
struct TroubleBack(u8);

impl RemoteJob for TroubleBack {
    type Output = Troublesome;
    const NAME: &'static str = "trouble_back";

    fn run(self, _context: &mut JobContext<'_>) -> Troublesome {
        Troublesome(self.0)
    }
}

/// Not in the table.
#[derive(Serialize, Deserialize, Schema)]
struct Stranger;

impl RemoteJob for Stranger {
    type Output = ();
    const NAME: &'static str = "stranger";

    fn run(self, _context: &mut JobContext<'_>) {}
}

static JOBS: JobTable = JobTable::new(&[
    JobEntry::of::<Add>(),
    JobEntry::of::<AddOnce>(),
    JobEntry::of::<Repeat>(),
    JobEntry::of::<PanicWith>(),
    JobEntry::of::<AtGate>(),
    JobEntry::of::<UntilCancelled>(),
    JobEntry::of::<TooSlow>(),
    JobEntry::of::<TroubleThere>(),
    JobEntry::of::<TroubleBack>(),
]);

static OTHER_JOBS: JobTable = JobTable::new(&[JobEntry::of::<Add>()]);

// The two sides.

/// A pool whose slots have room for any of the jobs.
type Pool = StaticPool<8, 64>;

struct Setup {
    config: RemoteConfig,
    lossless: bool,
    server_jobs: &'static JobTable,
    /// Otherwise it ends the server, which starts anew.
    server_catches: bool,
    /// The panic that has ended the server is said by its last words.
    has_last_words: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            config: RemoteConfig {
                probe: Duration::from_millis(1),
                panic: remote_panic,
                ..RemoteConfig::default()
            },
            lossless: true,
            server_jobs: &JOBS,
            server_catches: true,
            has_last_words: false,
        }
    }
}

/// A panic handler: the panic ends the server, and its words go to the client before that.
fn say_last_words(last_words: &LastWords, payload: Box<dyn Any + Send>, server: &mut impl Link) {
    let text = payload.downcast::<String>().unwrap();
    let said = last_words.say(text, Some(PLACE), |mut bytes| {
        while !bytes.is_empty() {
            let sent = server.send(bytes).unwrap();
            bytes = &bytes[sent..];
        }
    });
    assert!(said, "a job was running");
    let again = last_words.say("again", None, |_| panic!("there is nothing to say"));
    assert!(!again);
}

impl Setup {
    /// Runs `test` while both sides are up, then shuts the pool down; returns how the remote worker
    /// ended.
    fn run(
        self,
        pool: &'static Pool,
        test: impl FnOnce(PoolRef<'static, 64>, &Wire),
    ) -> Result<RemoteEnd, RemoteError> {
        pool.install(&HostPort);
        let wire = Wire::new(self.lossless);
        thread::scope(|scope| {
            let (client, mut server) = (wire.client.clone(), wire.server.clone());
            let worker = scope.spawn(move || {
                let (mut outbox, mut inbox) = ([0; 256], [0; 256]);
                let buffers = Buffers {
                    outbox: &mut outbox,
                    inbox: &mut inbox,
                };
                let mut worker = RemoteWorker::<_>::new(client, &JOBS, buffers, self.config);
                worker.run(pool.pool_ref(), &ThreadWorker::default())
            });
            scope.spawn(move || {
                loop {
                    let (mut outbox, mut inbox) = ([0; 256], [0; 256]);
                    let buffers = Buffers {
                        outbox: &mut outbox,
                        inbox: &mut inbox,
                    };
                    let last_words = LastWords::new();
                    let served = catch_unwind(AssertUnwindSafe(|| {
                        if self.has_last_words {
                            let (jobs, parker) = (self.server_jobs, ThreadParker::new());
                            let server = &mut server;
                            return serve_with_last_words(
                                server,
                                jobs,
                                buffers,
                                &parker,
                                &last_words,
                            );
                        }
                        serve_catching(
                            &mut server,
                            self.server_jobs,
                            buffers,
                            &ThreadParker::new(),
                            if self.server_catches {
                                catch_panic
                            } else {
                                |f| {
                                    f();
                                    Ok(())
                                }
                            },
                        )
                    }));
                    match served {
                        Ok(_) => return,
                        Err(payload) if self.has_last_words => {
                            say_last_words(&last_words, payload, &mut server);
                        }
                        Err(_) => {}
                    }
                }
            });
            test(pool.pool_ref(), &wire);
            pool.shutdown(false, false).unwrap();
            let ended = worker.join().unwrap();
            wire.end(LossReason("the test is over"));
            ended
        })
    }
}

fn text_of(error: JobError) -> String {
    match error {
        JobError::Panicked(panic) => match panic.payload().map(|payload| payload.downcast()) {
            Some(Ok(text)) => *text,
            _ => String::from("no text"),
        },
        other => panic!("{other}"),
    }
}

fn lost(reason: LossReason) -> impl Fn(&JobError) -> bool {
    move |error| matches!(error, JobError::WorkerLost(why) if *why == reason)
}

#[test]
fn a_result_comes_back() {
    static POOL: Pool = Pool::new();
    let end = Setup::default().run(&POOL, |pool, _| {
        let sum = pool.submit_remote(Add(40, 2)).unwrap();
        assert_eq!(sum.result().unwrap(), 42);
    });
    assert_eq!(end, Ok(RemoteEnd::ShutDown));
}

#[test]
fn more_jobs_than_the_window_has_are_all_done() {
    static POOL: Pool = Pool::new();
    Setup::default()
        .run(&POOL, |pool, _| {
            for round in 0..100 {
                let sums: Vec<_> = (0..8)
                    .map(|n| pool.submit_remote(Add(round, n)).unwrap())
                    .collect();
                for (n, sum) in (0..).zip(sums) {
                    assert_eq!(sum.result().unwrap(), round + n);
                }
            }
        })
        .unwrap();
}

#[test]
fn a_result_larger_than_a_slot_is_refused_by_the_build_and_text_travels_in_its_box() {
    static POOL: Pool = Pool::new();
    Setup::default()
        .run(&POOL, |pool, _| {
            let text = String::from("ab");
            let job = pool.submit_remote(Repeat { text, times: 3 }).unwrap();
            assert_eq!(job.result().unwrap(), "ababab");
        })
        .unwrap();
}

#[test]
fn jobs_that_are_queued_at_the_shutdown_are_still_done() {
    static POOL: Pool = Pool::new();
    let mut sums = Vec::new();
    Setup::default()
        .run(&POOL, |pool, _| {
            sums.extend((0..8).map(|n| pool.submit_remote(Add(n, n)).unwrap()));
        })
        .unwrap();
    for (n, sum) in (0..).zip(sums) {
        assert_eq!(sum.result().unwrap(), 2 * n);
    }
}

#[test]
fn a_panic_comes_back_with_its_text_and_location() {
    static POOL: Pool = Pool::new();
    Setup::default()
        .run(&POOL, |pool, _| {
            let job = pool.submit_remote(PanicWith("no luck".into())).unwrap();
            let error = job.result().unwrap_err();
            let shown = "the job panicked at there.rs:65:4: no luck";
            assert_eq!(error.to_string(), shown);
            let JobError::Panicked(panic) = error else {
                panic!("{error}");
            };
            assert_eq!(panic.location(), Some(PLACE));
            assert_eq!(format!("{panic:?}"), r#"Panic("no luck", there.rs:65:4)"#);
            let payload = panic.payload().unwrap();
            assert_eq!(*payload.downcast::<String>().unwrap(), "no luck");
            let sum = pool.submit_remote(Add(1, 1)).unwrap();
            assert_eq!(sum.result().unwrap(), 2);
        })
        .unwrap();
}

#[test]
fn a_long_text_of_a_panic_comes_back_whole_if_a_frame_has_room() {
    static POOL: Pool = Pool::new();
    let text = "no luck ".repeat(25);
    Setup::default()
        .run(&POOL, |pool, _| {
            let job = pool.submit_remote(PanicWith(text.clone())).unwrap();
            assert_eq!(text_of(job.result().unwrap_err()), text);
        })
        .unwrap();
}

#[test]
fn a_job_beside_the_table_is_refused() {
    static POOL: Pool = Pool::new();
    Setup::default()
        .run(&POOL, |pool, _| {
            let error = pool.submit_remote(Stranger).unwrap().result().unwrap_err();
            assert!(
                matches!(error, JobError::Codec(CodecError::Arguments)),
                "{error}"
            );
        })
        .unwrap();
}

#[test]
fn two_tables_do_not_get_together() {
    static POOL: Pool = Pool::new();
    let setup = Setup {
        server_jobs: &OTHER_JOBS,
        ..Setup::default()
    };
    let mut job = None;
    let end = setup.run(&POOL, |pool, _| {
        job = Some(pool.submit_remote(Add(1, 2)).unwrap());
    });
    let Err(RemoteError::Mismatch { ours, theirs }) = end else {
        panic!("{end:?}");
    };
    assert_ne!(ours.1, theirs.1);
    // Another worker may do it.
    assert_eq!(POOL.run_pending(9), 1);
    assert_eq!(job.unwrap().result().unwrap(), 3);
}

#[test]
fn tables_differ_by_names_types_and_order() {
    #[derive(Serialize, Deserialize, Schema)]
    struct Wider(u64, u32);
    impl RemoteJob for Wider {
        type Output = u32;
        const NAME: &'static str = "add";
        fn run(self, _context: &mut JobContext<'_>) -> u32 {
            self.1
        }
    }
    static REVERSED: JobTable = JobTable::new(&[JobEntry::of::<AddOnce>(), JobEntry::of::<Add>()]);
    static IN_ORDER: JobTable = JobTable::new(&[JobEntry::of::<Add>(), JobEntry::of::<AddOnce>()]);
    static WIDER: JobTable = JobTable::new(&[JobEntry::of::<Wider>()]);
    for other in [&REVERSED, &IN_ORDER, &WIDER] {
        static POOLS: [Pool; 3] = [const { Pool::new() }; 3];
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let setup = Setup {
            server_jobs: other,
            ..Setup::default()
        };
        let pool = &POOLS[NEXT.fetch_add(1, SeqCst) as usize];
        // With work to do, it does not leave before it has met the other side.
        let end = setup.run(pool, |pool, _| drop(pool.submit_remote(Add(1, 2)).unwrap()));
        assert!(matches!(end, Err(RemoteError::Mismatch { .. })), "{end:?}");
    }
}

#[test]
fn arguments_too_large_for_a_buffer_are_an_error_and_the_next_job_is_done() {
    static POOL: Pool = Pool::new();
    Setup::default()
        .run(&POOL, |pool, _| {
            let text = "x".repeat(300);
            let job = pool.submit_remote(Repeat { text, times: 0 }).unwrap();
            let error = job.result().unwrap_err();
            let expected = CodecError::ArgumentsTooLarge;
            assert!(
                matches!(error, JobError::Codec(why) if why == expected),
                "{error}"
            );
            assert_eq!(pool.submit_remote(Add(1, 1)).unwrap().result().unwrap(), 2);
        })
        .unwrap();
}

#[test]
fn a_result_too_large_for_a_buffer_is_an_error_and_the_next_job_is_done() {
    static POOL: Pool = Pool::new();
    Setup::default()
        .run(&POOL, |pool, _| {
            let text = "x".repeat(30);
            let job = pool.submit_remote(Repeat { text, times: 10 }).unwrap();
            let error = job.result().unwrap_err();
            let expected = CodecError::ResultTooLarge;
            assert!(
                matches!(error, JobError::Codec(why) if why == expected),
                "{error}"
            );
            assert_eq!(pool.submit_remote(Add(1, 1)).unwrap().result().unwrap(), 2);
        })
        .unwrap();
}

#[test]
fn what_cannot_be_encoded_or_decoded_costs_its_own_job_only() {
    static POOL: Pool = Pool::new();
    Setup::default()
        .run(&POOL, |pool, _| {
            let there = |trouble| {
                let job = TroubleThere(Troublesome::new(trouble));
                pool.submit_remote(job).unwrap().result().map(drop)
            };
            let back = |trouble| {
                let job = TroubleBack(trouble as u8);
                pool.submit_remote(job).unwrap().result().map(drop)
            };
            let codec = |ended: Result<(), JobError>| match ended {
                Err(JobError::Codec(error)) => error,
                other => panic!("{other:?}"),
            };
            assert!(there(Trouble::None).is_ok());
            assert_eq!(codec(there(Trouble::Encode)), CodecError::Arguments);
            assert_eq!(codec(there(Trouble::Decode)), CodecError::ArgumentsRefused);
            let panicked = there(Trouble::EncodePanics).unwrap_err();
            assert!(matches!(panicked, JobError::Panicked(_)));
            let panicked = there(Trouble::DecodePanics).unwrap_err();
            assert!(matches!(panicked, JobError::Panicked(_)));

            assert!(back(Trouble::None).is_ok());
            assert_eq!(codec(back(Trouble::Encode)), CodecError::Result);
            assert_eq!(codec(back(Trouble::Decode)), CodecError::ResultRefused);
            let panicked = back(Trouble::EncodePanics).unwrap_err();
            assert!(matches!(panicked, JobError::Panicked(_)));
            let panicked = back(Trouble::DecodePanics).unwrap_err();
            assert!(matches!(panicked, JobError::Panicked(_)));
            assert!(there(Trouble::None).is_ok());
        })
        .unwrap();
    assert_eq!(POOL.free_slots(), POOL.capacity());
}

#[test]
fn a_job_that_waits_there_can_be_cancelled() {
    static POOL: Pool = Pool::new();
    let gate = &GATES[0];
    Setup::default()
        .run(&POOL, |pool, _| {
            let first = pool.submit_remote(AtGate(0)).unwrap();
            let second = pool.submit_remote(UntilCancelled(1)).unwrap();
            gate.wait_until_reached();
            while !second.running() {
                thread::yield_now();
            }
            assert!(!second.cancel(), "it is on the other side");
            gate.open();
            first.result().unwrap();
            // Taken back, or told while it runs: it ends either way.
            let _ = second.result();
        })
        .unwrap();
}

#[test]
fn a_job_that_runs_there_is_told_that_it_is_cancelled() {
    static POOL: Pool = Pool::new();
    let gate = &GATES[2];
    Setup::default()
        .run(&POOL, |pool, _| {
            let job = pool.submit_remote(UntilCancelled(2)).unwrap();
            gate.wait_until_reached();
            assert!(!job.cancel());
            job.result().unwrap();
            assert!(gate.cancelled.load(SeqCst));
        })
        .unwrap();
}

#[test]
fn a_waiting_job_is_taken_back_while_another_runs_that_looks() {
    static POOL: Pool = Pool::new();
    let gate = &GATES[3];
    Setup::default()
        .run(&POOL, |pool, _| {
            let runs = pool.submit_remote(UntilCancelled(3)).unwrap();
            let waits = pool.submit_remote(Add(1, 1)).unwrap();
            gate.wait_until_reached();
            while !waits.running() {
                thread::yield_now();
            }
            assert!(!waits.cancel());
            assert!(matches!(waits.result(), Err(JobError::Cancelled)));
            runs.cancel();
            runs.result().unwrap();
        })
        .unwrap();
}

#[test]
fn the_end_of_a_link_ends_what_is_in_flight_with_its_reason() {
    static POOL: Pool = Pool::new();
    let (gate, reason) = (&GATES[4], LossReason("pulled out"));
    let end = Setup::default().run(&POOL, |pool, wire| {
        let in_flight = pool.submit_remote(AtGate(4)).unwrap();
        gate.wait_until_reached();
        wire.end(reason);
        assert!(lost(reason)(&in_flight.result().unwrap_err()));
        gate.open();
        // The pool goes on, with other workers.
        let next = pool.submit_remote(Add(2, 2)).unwrap();
        while !next.done() {
            pool.run_pending(1);
        }
        assert_eq!(next.result().unwrap(), 4);
    });
    assert_eq!(end, Err(RemoteError::Lost(reason)));
}

#[test]
fn the_end_of_a_link_breaks_the_pool_if_that_is_asked_for() {
    static POOL: Pool = Pool::new();
    let (gate, reason) = (&GATES[5], LossReason("pulled out"));
    let mut setup = Setup::default();
    setup.config.on_loss = OnLoss::Break;
    let end = setup.run(&POOL, |pool, wire| {
        let in_flight = pool.submit_remote(AtGate(5)).unwrap();
        gate.wait_until_reached();
        wire.end(reason);
        assert!(lost(reason)(&in_flight.result().unwrap_err()));
        let broken = BrokenReason::WorkerLost(reason);
        assert_eq!(pool.broken_reason(), Some(broken));
        let refused = pool.submit_remote(Add(1, 1)).map(drop).unwrap_err();
        assert!(matches!(refused, SubmitError::Broken(Add(1, 1), why) if why == broken));
        gate.open();
    });
    assert_eq!(end, Err(RemoteError::Lost(reason)));
}

#[test]
fn another_side_that_starts_anew_loses_what_was_in_flight_and_is_used_again() {
    static POOL: Pool = Pool::new();
    let setup = Setup {
        server_catches: false,
        ..Setup::default()
    };
    setup
        .run(&POOL, |pool, _| {
            let crash = pool.submit_remote(PanicWith("reset".into())).unwrap();
            let error = crash.result().unwrap_err();
            assert!(lost(LossReason::RESTARTED)(&error), "{error}");
            assert_eq!(pool.submit_remote(Add(1, 2)).unwrap().result().unwrap(), 3);
        })
        .unwrap();
}

/// On a chip a panic ends the program: its handler says what it knows, and the program starts anew.
#[test]
fn a_panic_that_ends_the_other_side_is_told_by_its_last_words() {
    static POOL: Pool = Pool::new();
    let setup = Setup {
        server_catches: false,
        has_last_words: true,
        ..Setup::default()
    };
    setup
        .run(&POOL, |pool, _| {
            for (text, told) in [
                (String::from("out of paper"), String::from("out of paper")),
                // A character takes two bytes.
                ("é".repeat(101), "é".repeat(80)),
            ] {
                let crash = pool.submit_remote(PanicWith(text)).unwrap();
                let Err(JobError::Panicked(panic)) = crash.result() else {
                    panic!("it panicked");
                };
                assert_eq!(panic.text(), Some(&*told));
                assert_eq!(panic.location(), Some(PLACE));
                // A job that arrives before the new start is lost with the old session.
                let sum = || pool.submit_remote(Add(1, 2)).unwrap().result();
                while sum().is_err() {}
            }
        })
        .unwrap();
}

fn lossy() -> Setup {
    Setup {
        lossless: false,
        ..Setup::default()
    }
}

#[test]
fn a_damaged_request_is_sent_again_if_it_is_idempotent() {
    static POOL: Pool = Pool::new();
    lossy()
        .run(&POOL, |pool, wire| {
            assert_eq!(pool.submit_remote(Add(1, 1)).unwrap().result().unwrap(), 2);
            wire.client.out.lock().unwrap().damages = 1;
            assert_eq!(pool.submit_remote(Add(1, 2)).unwrap().result().unwrap(), 3);
        })
        .unwrap();
}

#[test]
fn a_damaged_request_is_lost_if_it_is_not_idempotent() {
    static POOL: Pool = Pool::new();
    lossy()
        .run(&POOL, |pool, wire| {
            assert_eq!(pool.submit_remote(Add(1, 1)).unwrap().result().unwrap(), 2);
            wire.client.out.lock().unwrap().damages = 1;
            let error = pool.submit_remote(AddOnce(1, 2)).unwrap().result();
            assert!(lost(LossReason::DAMAGED)(&error.unwrap_err()));
            assert_eq!(
                pool.submit_remote(AddOnce(1, 3)).unwrap().result().unwrap(),
                4
            );
        })
        .unwrap();
}

#[test]
fn a_damaged_result_has_an_idempotent_job_run_again() {
    static POOL: Pool = Pool::new();
    lossy()
        .run(&POOL, |pool, wire| {
            assert_eq!(pool.submit_remote(Add(1, 1)).unwrap().result().unwrap(), 2);
            wire.server.out.lock().unwrap().damages = 1;
            assert_eq!(pool.submit_remote(Add(1, 2)).unwrap().result().unwrap(), 3);
        })
        .unwrap();
}

#[test]
fn a_frame_that_makes_no_sense_ends_a_link_that_does_no_damage() {
    static POOL: Pool = Pool::new();
    let end = Setup::default().run(&POOL, |pool, wire| {
        assert_eq!(pool.submit_remote(Add(1, 1)).unwrap().result().unwrap(), 2);
        wire.server.out.lock().unwrap().damages = 1;
        let error = pool.submit_remote(Add(1, 2)).unwrap().result();
        assert!(lost(LossReason::MALFORMED)(&error.unwrap_err()));
    });
    assert_eq!(end, Err(RemoteError::Lost(LossReason::MALFORMED)));
}

#[test]
fn a_silent_link_loses_its_jobs_and_is_used_again_when_it_comes_back() {
    static POOL: Pool = Pool::new();
    let mut setup = lossy();
    setup.config.silence = Some(Duration::from_millis(20));
    setup
        .run(&POOL, |pool, wire| {
            assert_eq!(pool.submit_remote(Add(1, 1)).unwrap().result().unwrap(), 2);
            wire.cut(true);
            let error = pool.submit_remote(Add(1, 2)).unwrap().result();
            assert!(lost(LossReason::SILENT)(&error.unwrap_err()));
            let next = pool.submit_remote(Add(1, 3)).unwrap();
            wire.cut(false);
            assert_eq!(next.result().unwrap(), 4);
        })
        .unwrap();
}

#[test]
fn a_side_that_never_answers_is_given_up_when_patience_ends() {
    static POOL: Pool = Pool::new();
    POOL.install(&HostPort);
    let wire = Wire::new(false);
    let config = RemoteConfig {
        probe: Duration::from_millis(1),
        patience: Some(Duration::from_millis(5)),
        ..RemoteConfig::default()
    };
    let buffers = Buffers {
        outbox: &mut [0; 64],
        inbox: &mut [0; 64],
    };
    let mut worker = RemoteWorker::<_>::new(wire.client.clone(), &JOBS, buffers, config);
    let end = worker.run(POOL.pool_ref(), &ThreadWorker::default());
    assert_eq!(end, Err(RemoteError::Lost(LossReason::SILENT)));
}

#[test]
fn a_job_that_is_not_answered_in_its_time_is_lost_and_the_others_go_on() {
    static POOL: Pool = Pool::new();
    let gate = &GATES[6];
    Setup::default()
        .run(&POOL, |pool, _| {
            let error = pool.submit_remote(TooSlow(6)).unwrap().result();
            assert!(lost(LossReason::TIMED_OUT)(&error.unwrap_err()));
            gate.open();
            assert_eq!(pool.submit_remote(Add(1, 1)).unwrap().result().unwrap(), 2);
        })
        .unwrap();
}

#[test]
fn a_job_that_is_not_answered_in_its_time_costs_the_link_if_that_is_asked_for() {
    static POOL: Pool = Pool::new();
    let gate = &GATES[7];
    let mut setup = Setup::default();
    setup.config.on_timeout = OnTimeout::LoseLink;
    let end = setup.run(&POOL, |pool, _| {
        let slow = pool.submit_remote(TooSlow(7)).unwrap();
        assert!(lost(LossReason::TIMED_OUT)(&slow.result().unwrap_err()));
        gate.open();
    });
    assert_eq!(end, Err(RemoteError::Lost(LossReason::TIMED_OUT)));
}

#[test]
fn a_worker_retires_after_its_number_of_jobs() {
    static POOL: Pool = Pool::new();
    let mut setup = Setup::default();
    setup.config.max_jobs = Some(3.try_into().unwrap());
    let mut jobs = Vec::new();
    let end = setup.run(&POOL, |pool, _| {
        jobs.extend((0..5).map(|n| pool.submit_remote(Add(n, 0)).unwrap()));
        for job in jobs.drain(..3) {
            job.result().unwrap();
        }
    });
    assert_eq!(end, Ok(RemoteEnd::Retired));
    // The jobs that it did not take are there for others.
    assert_eq!(POOL.run_pending(9), 2);
    for (n, job) in (3..).zip(jobs) {
        assert_eq!(job.result().unwrap(), n);
    }
}

#[test]
fn without_prefetch_one_job_is_there_at_a_time() {
    static POOL: Pool = Pool::new();
    let gate = &GATES[9];
    let mut setup = Setup::default();
    setup.config.prefetch = Some(Duration::ZERO);
    setup
        .run(&POOL, |pool, _| {
            let first = pool.submit_remote(AtGate(9)).unwrap();
            let second = pool.submit_remote(Add(1, 1)).unwrap();
            gate.wait_until_reached();
            assert!(second.cancel(), "it has not been sent");
            gate.open();
            first.result().unwrap();
        })
        .unwrap();
}

#[test]
fn short_jobs_are_sent_ahead() {
    static POOL: Pool = Pool::new();
    let gate = &GATES[10];
    let mut setup = Setup::default();
    // Any answer is quick, by this measure.
    setup.config.prefetch = Some(Duration::MAX);
    setup
        .run(&POOL, |pool, _| {
            assert_eq!(pool.submit_remote(Add(1, 1)).unwrap().result().unwrap(), 2);
            let first = pool.submit_remote(AtGate(10)).unwrap();
            let second = pool.submit_remote(Add(1, 1)).unwrap();
            while !second.running() {
                thread::yield_now();
            }
            gate.open();
            first.result().unwrap();
            assert_eq!(second.result().unwrap(), 2);
        })
        .unwrap();
}

#[test]
fn a_closure_runs_on_this_side() {
    static POOL: Pool = Pool::new();
    Setup::default()
        .run(&POOL, |pool, _| {
            let here = thread::current().id();
            let (job, told) = mpsc::channel();
            pool.submit_detached(move || job.send(thread::current().id()).unwrap())
                .unwrap();
            assert_ne!(told.recv().unwrap(), here);
            assert_eq!(pool.submit_remote(Add(1, 1)).unwrap().result().unwrap(), 2);
        })
        .unwrap();
}

#[test]
fn a_callback_runs_and_cannot_wait_for_another_job() {
    static POOL: Pool = Pool::new();
    let gate = &GATES[8];
    Setup::default()
        .run(&POOL, |pool, _| {
            let mut first = pool.submit_remote(AtGate(8)).unwrap();
            let second = pool.submit_remote(Add(1, 1)).unwrap();
            let (tell, told) = mpsc::channel();
            first
                .add_done_callback(move |_| tell.send(second.result()).unwrap())
                .unwrap();
            gate.wait_until_reached();
            gate.open();
            first.result().unwrap();
            assert!(matches!(
                told.recv().unwrap(),
                Ok(2) | Err(JobError::WouldDeadlock)
            ));
        })
        .unwrap();
}

#[test]
fn a_full_link_makes_no_submitter_wait() {
    static POOL: Pool = Pool::new();
    Setup::default()
        .run(&POOL, |pool, wire| {
            wire.client.out.lock().unwrap().room = 8;
            wire.server.out.lock().unwrap().room = 8;
            let text = "0123456789".repeat(10);
            let jobs: Vec<_> = (0..8)
                .map(|_| {
                    let text = text.clone();
                    pool.submit_remote(Repeat { text, times: 2 }).unwrap()
                })
                .collect();
            for job in jobs {
                assert_eq!(job.result().unwrap().len(), 200);
            }
        })
        .unwrap();
}

#[test]
fn a_worker_needs_a_clock() {
    static POOL: Pool = Pool::new();
    let wire = Wire::new(true);
    let buffers = Buffers {
        outbox: &mut [0; 64],
        inbox: &mut [0; 64],
    };
    let config = RemoteConfig::default();
    let mut worker = RemoteWorker::<_>::new(wire.client.clone(), &JOBS, buffers, config);
    let end = worker.run(POOL.pool_ref(), &ThreadWorker::default());
    assert_eq!(end, Err(RemoteError::NoClock));
}
