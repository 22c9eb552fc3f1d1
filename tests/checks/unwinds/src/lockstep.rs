//! Threads that take turns: one runs, until it parks; then the next that was woken does.
//!
//! So a run is the same each time, and a wait that nobody ends is seen at once: all have parked, and nobody was
//! woken. The clock stands still until then, and goes on to the first deadline.

use std::{
    cell::Cell,
    mem,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{RawWaker, RawWakerVTable, Waker},
    time::Duration,
};

use crate::{bomb::foreign, report};

/// How a thread sleeps.
#[derive(Clone, Copy, PartialEq)]
enum Sleep {
    /// It does not.
    Up,
    /// Until it is woken, or the clock shows this.
    Until(Option<Duration>),
    /// Until nobody else can go on.
    UntilQuiet,
    /// For ever.
    Over,
}

struct Member {
    sleep: Sleep,
    woken: bool,
}

struct State {
    turn: usize,
    members: Vec<Member>,
    clock: Duration,
}

/// Threads that take turns.
pub(crate) struct Lockstep {
    state: Mutex<State>,
    turn: Condvar,
}

thread_local! {
    static OWN: Cell<usize> = const { Cell::new(0) };
}

impl Lockstep {
    /// The calling thread is the first member, and it is its turn.
    pub(crate) fn new() -> Arc<Self> {
        OWN.set(0);
        Arc::new(Self {
            state: Mutex::new(State {
                turn: 0,
                members: vec![Member {
                    sleep: Sleep::Up,
                    woken: false,
                }],
                clock: Duration::from_secs(1),
            }),
            turn: Condvar::new(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of a member that is about to begin.
    pub(crate) fn add(&self) -> usize {
        let mut state = self.state();
        state.members.push(Member {
            sleep: Sleep::Up,
            woken: false,
        });
        state.members.len() - 1
    }

    /// The calling thread is this member; it waits for its turn.
    pub(crate) fn begin(&self, number: usize) {
        OWN.set(number);
        drop(self.await_turn(self.state(), number));
    }

    /// The calling thread goes.
    pub(crate) fn end(&self) {
        let mut state = self.state();
        if let Some(member) = state.members.get_mut(OWN.get()) {
            member.sleep = Sleep::Over;
        }
        self.pass_on(&mut state, OWN.get());
    }

    pub(crate) fn now(&self) -> Duration {
        self.state().clock
    }

    /// Sleeps until woken, or until the deadline.
    pub(crate) fn park(&self, deadline: Option<Duration>) {
        self.sleep(Sleep::Until(deadline));
    }

    /// Lets the others go on until each of them sleeps.
    pub(crate) fn let_others_go_on(&self) {
        self.sleep(Sleep::UntilQuiet);
    }

    fn sleep(&self, sleep: Sleep) {
        let own = OWN.get();
        let mut state = self.state();
        if let Some(member) = state.members.get_mut(own) {
            if sleep != Sleep::UntilQuiet && mem::take(&mut member.woken) {
                return;
            }
            member.sleep = sleep;
        }
        self.pass_on(&mut state, own);
        let mut state = self.await_turn(state, own);
        if let Some(member) = state.members.get_mut(own) {
            if member.sleep != Sleep::UntilQuiet {
                member.woken = false;
            }
            member.sleep = Sleep::Up;
        }
    }

    fn await_turn<'a>(&'a self, state: MutexGuard<'a, State>, own: usize) -> MutexGuard<'a, State> {
        self.turn
            .wait_while(state, |state| state.turn != own)
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// It is the next one's turn.
    fn pass_on(&self, state: &mut State, own: usize) {
        let count = state.members.len();
        let others = || (1..=count).map(|step| (own + step) % count);
        let goes_on = |member: &Member| match member.sleep {
            Sleep::Up => true,
            Sleep::Until(_) => member.woken,
            Sleep::UntilQuiet | Sleep::Over => false,
        };
        let next = others().find(|&at| goes_on(&state.members[at]));
        let next = next.or_else(|| {
            let waits = |&at: &usize| state.members[at].sleep == Sleep::UntilQuiet;
            others().find(waits)
        });
        let next = next.or_else(|| {
            let deadline = |at: usize| match state.members[at].sleep {
                Sleep::Until(Some(deadline)) => Some((deadline, at)),
                _ => None,
            };
            let (deadline, at) = others().filter_map(deadline).min()?;
            state.clock = state.clock.max(deadline);
            Some(at)
        });
        match next {
            Some(next) => state.turn = next,
            None if state
                .members
                .iter()
                .all(|member| member.sleep == Sleep::Over) => {}
            None => report::hangs("all sleep, and nobody was woken"),
        }
        self.turn.notify_all();
    }

    fn wake(&self, number: usize) {
        if let Some(member) = self.state().members.get_mut(number) {
            member.woken = true;
        }
    }

    /// A waker of the calling thread.
    pub(crate) fn waker(self: &Arc<Self>) -> Waker {
        self.waker_of(OWN.get())
    }

    /// A waker of a member.
    pub(crate) fn waker_of(self: &Arc<Self>, number: usize) -> Waker {
        let steps = Arc::clone(self);
        foreign_waker(move || steps.wake(number))
    }
}

/// A waker, each of whose functions is foreign code.
///
/// One that panics has done its work before: what it is for is the library's business, how it fails is not.
pub(crate) fn foreign_waker(wake: impl Fn() + Send + Sync + 'static) -> Waker {
    let inner: Inner = Arc::new(Box::new(wake));
    // SAFETY: the functions keep the contract: the pointer is a count of the `Arc`, which is thread-safe.
    unsafe { Waker::from_raw(raw(inner)) }
}

type Inner = Arc<Box<dyn Fn() + Send + Sync>>;

/// How many wakers there are: none, when all is over.
pub(crate) static WAKERS: AtomicUsize = AtomicUsize::new(0);

fn raw(inner: Inner) -> RawWaker {
    WAKERS.fetch_add(1, SeqCst);
    RawWaker::new(Arc::into_raw(inner).cast(), &TABLE)
}

static TABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, drop_waker);

/// # Safety
///
/// `waker` is from `raw`, and is not used again.
unsafe fn inner_of(waker: *const ()) -> Inner {
    WAKERS.fetch_sub(1, SeqCst);
    // SAFETY: the caller's promise.
    unsafe { Arc::from_raw(waker.cast()) }
}

unsafe fn clone(waker: *const ()) -> RawWaker {
    foreign("Waker: clone");
    // SAFETY: the waker is there.
    let inner = mem::ManuallyDrop::new(unsafe { Inner::from_raw(waker.cast()) });
    raw(Inner::clone(&inner))
}

unsafe fn wake(waker: *const ()) {
    // SAFETY: a waker that is used up.
    let inner = unsafe { inner_of(waker) };
    inner();
    drop(inner);
    foreign("Waker: wake");
}

unsafe fn wake_by_ref(waker: *const ()) {
    // SAFETY: the waker is there.
    let inner = mem::ManuallyDrop::new(unsafe { Inner::from_raw(waker.cast()) });
    inner();
    foreign("Waker: wake_by_ref");
}

unsafe fn drop_waker(waker: *const ()) {
    // SAFETY: a waker that is used up.
    drop(unsafe { inner_of(waker) });
    foreign("Waker: drop");
}
