//! Which worker spins in a pool that has more workers than there are cores.
//!
//! A worker that spins yields its core after a while. If several workers spin, the cores go round among them. A
//! worker with a job, or the submitter, has to wait for a core until it comes round. So only one worker at a time
//! spins: it has the *turn*. The others *sleep*. The pool takes the sleepers for awake, and wakes none of them.
//!
//! A spinner that takes a job gives the turn back. Each worker that takes a job sees whether the turn is free. If it
//! is, the worker gives the turn to a sleeper, and wakes it.
//!
//! ```text
//!   runs a job ◄──────── a job ───────── spins, one worker at a time ── no job for long ──► parks
//!       │                                  ▲                ▲                                ▲
//!   no job for some microseconds           │                │                                │
//!       ├── the turn is free ──────────────┘                │ woken by a worker with a job   │
//!       └── another worker has the turn ──────────────► sleeps ─────── after 5 ms ───────────┘
//! ```
//!
//! If the spinner gets no core for long, the sleepers come back by themselves when their sleeps are over.

use std::{
    cell::Cell,
    num::NonZeroUsize,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use corepool::Parker;

use super::parker::ThreadParker;
use crate::clock::now;

/// The longest sleep of a worker. A job that no other worker finds may begin later by this time.
const LONGEST_SLEEP: Duration = Duration::from_millis(5);

/// The turn to spin, which one of a pool's workers has at a time.
#[derive(Debug)]
pub(crate) struct SoleSpinner {
    state: Mutex<State>,
    /// Whether the turn is free, and a worker sleeps that could take it.
    is_wanted: AtomicBool,
}

#[derive(Debug)]
struct State {
    /// A worker spins, or has been woken to spin.
    is_taken: bool,
    sleepers: Vec<ThreadParker>,
}

/// The part of a worker that has found no job for some microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// It has the turn.
    Spinner,
    /// Another worker has the turn.
    Sleeper,
}

impl SoleSpinner {
    /// The turn of this many workers. `None` if each can have a core.
    pub(crate) fn among(workers: usize) -> Option<Arc<Self>> {
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        (workers > cores).then(|| Arc::new(Self::new(workers)))
    }

    pub(crate) fn new(workers: usize) -> Self {
        Self {
            state: Mutex::new(State {
                is_taken: false,
                sleepers: Vec::with_capacity(workers),
            }),
            is_wanted: AtomicBool::new(false),
        }
    }

    /// Changes the state. A worker with a job takes this lock only if it had the turn, or wakes a sleeper.
    fn change<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        // The code under the lock cannot panic.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let result = change(&mut state);
        let is_wanted = !state.is_taken && !state.sleepers.is_empty();
        // Relaxed: a hint. A worker that goes by it looks at the state itself.
        self.is_wanted.store(is_wanted, Ordering::Relaxed);
        result
    }

    /// Gives the caller the turn if it is free. If not, the caller is one of the sleepers.
    fn ask(&self, parker: &ThreadParker) -> Role {
        self.change(|state| {
            if state.is_taken {
                state.sleepers.push(parker.clone());
                return Role::Sleeper;
            }
            state.is_taken = true;
            Role::Spinner
        })
    }

    /// The caller's sleep is over. The caller is the spinner if a worker with a job has given it the turn.
    fn end_sleep(&self, parker: &ThreadParker) -> Role {
        self.change(|state| {
            let place = state.sleepers.iter().position(|other| other.is(parker));
            match place {
                Some(place) => {
                    state.sleepers.swap_remove(place);
                    Role::Sleeper
                }
                None => Role::Spinner,
            }
        })
    }

    /// If the turn is free, gives it to the last worker that went to sleep, and wakes that one.
    fn wake_sleeper(&self) {
        let woken = self.change(|state| {
            if state.is_taken {
                return None;
            }
            let woken = state.sleepers.pop()?;
            state.is_taken = true;
            Some(woken)
        });
        if let Some(parker) = woken {
            parker.waker().wake();
        }
    }

    /// The spinner spins no more.
    fn give_back(&self) {
        self.change(|state| state.is_taken = false);
    }
}

/// One worker's part in the turns of its pool. Where no turns are taken, each worker may spin.
#[derive(Debug, Default)]
pub(super) struct Turn {
    spinner: Option<Arc<SoleSpinner>>,
    /// Whether the worker has the turn.
    is_own: Cell<bool>,
    /// How many jobs are on the worker's stack.
    jobs: Cell<usize>,
}

impl Turn {
    pub(super) fn at(spinner: Option<Arc<SoleSpinner>>) -> Self {
        Self {
            spinner,
            is_own: Cell::new(false),
            jobs: Cell::new(0),
        }
    }

    /// The worker has found no job for some microseconds. True if it is to spin on. If not, the worker has slept, and
    /// nobody has given it the turn.
    ///
    /// A worker that waits in a job spins on in any case: what it waits for need not come from the queue.
    pub(super) fn may_spin(&self, parker: &ThreadParker) -> bool {
        let Some(spinner) = &self.spinner else {
            return true;
        };
        if self.is_own.get() || self.jobs.get() > 0 {
            return true;
        }
        let mut role = spinner.ask(parker);
        if role == Role::Sleeper {
            parker.park(Some(now() + LONGEST_SLEEP));
            role = spinner.end_sleep(parker);
        }
        self.is_own.set(role == Role::Spinner);
        self.is_own.get()
    }

    /// The worker parks, leaves, or takes a job.
    #[inline]
    pub(super) fn give_back(&self) {
        if self.is_own.take()
            && let Some(spinner) = &self.spinner
        {
            spinner.give_back();
        }
    }

    /// The worker has taken a job.
    #[inline]
    pub(super) fn job_starts(&self) {
        self.jobs.set(self.jobs.get() + 1);
        if let Some(spinner) = &self.spinner {
            self.give_back();
            if spinner.is_wanted.load(Ordering::Relaxed) {
                spinner.wake_sleeper();
            }
        }
    }

    /// The job has ended.
    #[inline]
    pub(super) fn job_ends(&self) {
        self.jobs.set(self.jobs.get().saturating_sub(1));
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// The clone takes part in the same turns. It has neither the turn nor a job.
impl Clone for Turn {
    fn clone(&self) -> Self {
        Self::at(self.spinner.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spinner() -> Arc<SoleSpinner> {
        Arc::new(SoleSpinner::new(3))
    }

    fn turn(spinner: &Arc<SoleSpinner>) -> Turn {
        Turn::at(Some(Arc::clone(spinner)))
    }

    fn may_spin(turn: &Turn) -> bool {
        turn.may_spin(&ThreadParker::new())
    }

    /// Another worker, in a thread, which sleeps; the thread returns whether it may spin then. `while_it_sleeps` is
    /// called when it does.
    fn sleeper(
        spinner: &Arc<SoleSpinner>,
        while_it_sleeps: impl FnOnce(ThreadParker),
    ) -> thread::JoinHandle<bool> {
        let (sender, receiver) = std::sync::mpsc::channel();
        let of_thread = Arc::clone(spinner);
        let before = spinner.change(|state| state.sleepers.len());
        let thread = thread::spawn(move || {
            let own = ThreadParker::new();
            sender.send(own.clone()).expect("somebody receives it");
            turn(&of_thread).may_spin(&own)
        });
        let own = receiver.recv().expect("it is sent");
        // The sleep may be over the next moment.
        while spinner.change(|state| state.sleepers.len()) == before && !thread.is_finished() {
            thread::yield_now();
        }
        while_it_sleeps(own);
        thread
    }

    #[test]
    fn workers_with_a_core_each_take_no_turns() {
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        assert!(SoleSpinner::among(cores).is_none());
        assert!(SoleSpinner::among(cores + 1).is_some());
        let one = Turn::at(None);
        assert!(may_spin(&one));
        assert!(may_spin(&one.clone()));
    }

    #[test]
    fn a_worker_takes_the_turn_and_keeps_it() {
        let spinner = spinner();
        let one = turn(&spinner);
        assert!(may_spin(&one));
        assert!(may_spin(&one));
    }

    #[test]
    fn another_worker_sleeps_and_may_not_spin_when_its_sleep_is_over() {
        let spinner = spinner();
        let (one, other) = (turn(&spinner), turn(&spinner));
        assert!(may_spin(&one));
        let start = now();
        assert!(!may_spin(&other));
        assert!(now() - start >= LONGEST_SLEEP);
        assert!(may_spin(&one), "the spinner does not sleep");
    }

    #[test]
    fn a_sleeper_that_anybody_else_has_woken_may_not_spin() {
        let spinner = spinner();
        let one = turn(&spinner);
        assert!(may_spin(&one));
        // As by a shutdown.
        let other = sleeper(&spinner, |parker| parker.waker().wake());
        assert!(!other.join().expect("it does not panic"));
    }

    #[test]
    fn a_spinner_that_takes_a_job_wakes_a_sleeper_to_spin() {
        let spinner = spinner();
        // A sleep may be over too soon; again, then.
        loop {
            let one = turn(&spinner);
            assert!(may_spin(&one));
            let other = sleeper(&spinner, |_| one.job_starts());
            if other.join().expect("it does not panic") {
                break;
            }
        }
    }

    #[test]
    fn the_sleeper_that_was_given_the_turn_is_told_from_others() {
        let spinner = spinner();
        let [spins, sleeps, woken] = [(); 3].map(|()| ThreadParker::new());
        assert_eq!(spinner.ask(&spins), Role::Spinner);
        assert_eq!(spinner.ask(&sleeps), Role::Sleeper);
        assert_eq!(spinner.ask(&woken), Role::Sleeper);
        spinner.give_back();
        spinner.wake_sleeper();
        assert_eq!(spinner.end_sleep(&woken), Role::Spinner);
        assert_eq!(spinner.end_sleep(&sleeps), Role::Sleeper);
    }

    #[test]
    fn nobody_is_woken_while_a_worker_spins() {
        let spinner = spinner();
        let (one, busy) = (turn(&spinner), turn(&spinner));
        assert!(may_spin(&one));
        let other = sleeper(&spinner, |_| busy.job_starts());
        assert!(!other.join().expect("it does not panic"));
    }

    #[test]
    fn a_worker_that_takes_a_job_or_parks_or_leaves_gives_the_turn_back() {
        let spinner = spinner();
        let one = turn(&spinner);
        assert!(may_spin(&one));
        one.job_starts();
        let second = turn(&spinner);
        assert!(may_spin(&second));
        second.give_back();
        let third = turn(&spinner);
        assert!(may_spin(&third));
        drop(third);
        assert!(may_spin(&turn(&spinner)));
    }

    #[test]
    fn nobody_is_wanted_where_nobody_sleeps() {
        let spinner = spinner();
        let one = turn(&spinner);
        assert!(may_spin(&one));
        one.give_back();
        assert!(!spinner.is_wanted.load(Ordering::Relaxed));
    }

    #[test]
    fn a_clone_takes_part_in_the_same_turns() {
        let spinner = spinner();
        let one = turn(&spinner);
        assert!(may_spin(&one));
        let clone = one.clone();
        assert!(!may_spin(&clone), "the original has the turn");
    }

    #[test]
    fn a_job_that_waits_for_another_does_not_sleep() {
        let spinner = spinner();
        let (one, busy) = (turn(&spinner), turn(&spinner));
        assert!(may_spin(&one));
        busy.job_starts();
        assert!(may_spin(&busy));
        busy.job_starts();
        busy.job_ends();
        assert!(may_spin(&busy));
        assert!(!busy.is_own.get());
        busy.job_ends();
        assert!(!may_spin(&busy));
    }
}
