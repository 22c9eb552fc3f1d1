//! The workers of a pool that has more of them than there are cores: which of them looks for work.
//!
//! A worker without work looks again and again for some tenths of a millisecond before it parks, so that it
//! need not be woken for what comes next. After the first looks it yields its core before each. If several
//! do, that goes round among them, and who has work, or submits it, waits for a turn. So in a crew one looks,
//! and the others nap: they sleep, and the pool, for which they are awake, wakes none of them. Who takes a
//! job when nobody looks any more wakes one to look.
//!
//! ```text
//!              at work ◄───── a job ────── looks, one at a time ───── nothing, for long ────► parks
//!                 │                         ▲            ▲                                     ▲
//!   nothing, for some microseconds          │            │                                     │
//!                 └── nobody looks ─────────┘            │ woken by who takes a job            │
//!                 └── somebody looks ─────────────────► naps ──────────── NAP is over ─────────┘
//! ```
//!
//! If who looks gets no core for long, the others come back by themselves when their naps are over.

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

use crate::port::{ThreadParker, now};

/// For how long a worker naps at most: so late a job begins for which nobody has come.
const NAP: Duration = Duration::from_millis(5);

/// The workers of one pool.
#[derive(Debug)]
pub(crate) struct Crew {
    state: Mutex<State>,
    /// Whether somebody naps and nobody looks.
    is_blind: AtomicBool,
}

#[derive(Debug)]
struct State {
    /// Or has been woken to look.
    somebody_looks: bool,
    napping: Vec<ThreadParker>,
}

impl Crew {
    /// Of so many workers. `None` if each can have a core.
    pub(crate) fn of(workers: usize) -> Option<Arc<Self>> {
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        (workers > cores).then(|| Arc::new(Self::new(workers)))
    }

    fn new(workers: usize) -> Self {
        Self {
            state: Mutex::new(State {
                somebody_looks: false,
                napping: Vec::with_capacity(workers),
            }),
            is_blind: AtomicBool::new(false),
        }
    }

    /// Changes the state. Who has work takes this lock only when it goes from looking to a job, or wakes one.
    fn change<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        // What is done under the lock cannot panic.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let result = change(&mut state);
        let is_blind = !state.somebody_looks && !state.napping.is_empty();
        // Relaxed: a hint; who goes by it looks at the state itself.
        self.is_blind.store(is_blind, Ordering::Relaxed);
        result
    }

    /// Whether the caller is the one who looks from now on. If not, it is counted as napping.
    fn begin(&self, parker: &ThreadParker) -> bool {
        self.change(|state| {
            let looks = !state.somebody_looks;
            if looks {
                state.somebody_looks = true;
            } else {
                state.napping.push(parker.clone());
            }
            looks
        })
    }

    /// The caller's nap is over. Whether it is the one who looks, since it was woken for that.
    fn end_nap(&self, parker: &ThreadParker) -> bool {
        self.change(|state| {
            let place = state.napping.iter().position(|other| other.is(parker));
            if let Some(place) = place {
                state.napping.swap_remove(place);
            }
            place.is_none()
        })
    }

    /// Wakes the last one who lay down, to look, if nobody looks.
    fn wake_one(&self) {
        let woken = self.change(|state| {
            if state.somebody_looks {
                return None;
            }
            let woken = state.napping.pop()?;
            state.somebody_looks = true;
            Some(woken)
        });
        if let Some(parker) = woken {
            parker.waker().wake();
        }
    }

    /// Who looks does not any more.
    fn stop_looking(&self) {
        self.change(|state| state.somebody_looks = false);
    }
}

/// One worker of a crew, or of none.
#[derive(Debug, Default)]
pub(crate) struct Member {
    crew: Option<Arc<Crew>>,
    looks: Cell<bool>,
    /// How many jobs are on its stack.
    jobs: Cell<usize>,
}

impl Member {
    pub(crate) fn of(crew: Option<Arc<Crew>>) -> Self {
        Self {
            crew,
            looks: Cell::new(false),
            jobs: Cell::new(0),
        }
    }

    /// The worker has looked for some microseconds. Whether to go on; if not, it has had a nap, and nobody has
    /// woken it to look.
    ///
    /// A job that waits for another goes on in any case: it need not be work that comes.
    pub(crate) fn goes_on(&self, parker: &ThreadParker) -> bool {
        let Some(crew) = &self.crew else {
            return true;
        };
        if self.looks.get() || self.jobs.get() > 0 {
            return true;
        }
        let mut looks = crew.begin(parker);
        if !looks {
            parker.park(Some(now() + NAP));
            looks = crew.end_nap(parker);
        }
        self.looks.set(looks);
        looks
    }

    /// The worker parks, or goes.
    pub(crate) fn gives_up(&self) {
        if self.looks.take()
            && let Some(crew) = &self.crew
        {
            crew.stop_looking();
        }
    }

    /// The worker has taken a job.
    pub(crate) fn job_starts(&self) {
        self.jobs.set(self.jobs.get() + 1);
        if let Some(crew) = &self.crew {
            self.gives_up();
            if crew.is_blind.load(Ordering::Relaxed) {
                crew.wake_one();
            }
        }
    }

    /// The job has ended.
    pub(crate) fn job_ends(&self) {
        self.jobs.set(self.jobs.get().saturating_sub(1));
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.gives_up();
    }
}

/// Of the same crew; it has neither begun to look nor taken a job.
impl Clone for Member {
    fn clone(&self) -> Self {
        Self::of(self.crew.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crew() -> Arc<Crew> {
        Arc::new(Crew::new(3))
    }

    fn member(crew: &Arc<Crew>) -> Member {
        Member::of(Some(Arc::clone(crew)))
    }

    fn goes_on(member: &Member) -> bool {
        member.goes_on(&ThreadParker::new())
    }

    /// Another member, in a thread, which naps, and then whether it goes on. `while_it_naps` is called when it does.
    fn napper(
        crew: &Arc<Crew>,
        while_it_naps: impl FnOnce(ThreadParker),
    ) -> thread::JoinHandle<bool> {
        let (sender, receiver) = std::sync::mpsc::channel();
        let of_thread = Arc::clone(crew);
        let before = crew.change(|state| state.napping.len());
        let thread = thread::spawn(move || {
            let own = ThreadParker::new();
            sender.send(own.clone()).expect("somebody receives it");
            member(&of_thread).goes_on(&own)
        });
        let own = receiver.recv().expect("it is sent");
        // It may be over the next moment.
        while crew.change(|state| state.napping.len()) == before && !thread.is_finished() {
            thread::yield_now();
        }
        while_it_naps(own);
        thread
    }

    #[test]
    fn workers_with_a_core_each_are_no_crew() {
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        assert!(Crew::of(cores).is_none());
        assert!(Crew::of(cores + 1).is_some());
        let member = Member::of(None);
        assert!(goes_on(&member));
        assert!(goes_on(&member.clone()));
    }

    #[test]
    fn one_looks_and_goes_on() {
        let crew = crew();
        let one = member(&crew);
        assert!(goes_on(&one));
        assert!(goes_on(&one));
    }

    #[test]
    fn another_naps_and_is_not_to_go_on_when_its_nap_is_over() {
        let crew = crew();
        let (one, other) = (member(&crew), member(&crew));
        assert!(goes_on(&one));
        let start = now();
        assert!(!goes_on(&other));
        assert!(now() - start >= NAP);
        assert!(goes_on(&one), "who looks does not nap");
    }

    #[test]
    fn who_is_woken_by_anybody_else_is_not_to_go_on() {
        let crew = crew();
        let one = member(&crew);
        assert!(goes_on(&one));
        // As by a shutdown.
        let other = napper(&crew, |parker| parker.waker().wake());
        assert!(!other.join().expect("it does not panic"));
    }

    #[test]
    fn who_takes_a_job_wakes_one_to_look() {
        let crew = crew();
        // Naps are over at some time; again, then.
        loop {
            let one = member(&crew);
            assert!(goes_on(&one));
            let other = napper(&crew, |_| one.job_starts());
            if other.join().expect("it does not panic") {
                break;
            }
        }
    }

    #[test]
    fn who_was_woken_to_look_is_told_from_others_that_nap() {
        let crew = crew();
        let [looks, naps, woken] = [(); 3].map(|()| ThreadParker::new());
        assert!(crew.begin(&looks));
        assert!(!crew.begin(&naps));
        assert!(!crew.begin(&woken));
        crew.stop_looking();
        crew.wake_one();
        assert!(crew.end_nap(&woken));
        assert!(!crew.end_nap(&naps));
    }

    #[test]
    fn it_wakes_nobody_while_somebody_looks() {
        let crew = crew();
        let (one, busy) = (member(&crew), member(&crew));
        assert!(goes_on(&one));
        let other = napper(&crew, |_| busy.job_starts());
        assert!(!other.join().expect("it does not panic"));
    }

    #[test]
    fn who_takes_a_job_or_parks_or_goes_looks_no_more() {
        let crew = crew();
        let one = member(&crew);
        assert!(goes_on(&one));
        one.job_starts();
        let second = member(&crew);
        assert!(goes_on(&second));
        second.gives_up();
        let third = member(&crew);
        assert!(goes_on(&third));
        drop(third);
        assert!(goes_on(&member(&crew)));
    }

    #[test]
    fn who_takes_a_job_is_not_sent_to_wake_anybody_where_nobody_naps() {
        let crew = crew();
        let one = member(&crew);
        assert!(goes_on(&one));
        one.gives_up();
        assert!(!crew.is_blind.load(Ordering::Relaxed));
    }

    #[test]
    fn a_clone_is_of_the_same_crew() {
        let crew = crew();
        let one = member(&crew);
        assert!(goes_on(&one));
        let clone = one.clone();
        assert!(!goes_on(&clone), "one looks, and a clone does not");
    }

    #[test]
    fn a_job_that_waits_for_another_does_not_nap() {
        let crew = crew();
        let (one, busy) = (member(&crew), member(&crew));
        assert!(goes_on(&one));
        busy.job_starts();
        assert!(goes_on(&busy));
        busy.job_starts();
        busy.job_ends();
        assert!(goes_on(&busy));
        assert!(!busy.looks.get());
        busy.job_ends();
        assert!(!goes_on(&busy));
    }
}
