//! The simulated chip during one run: its contexts and cores, and the loop that lets them run.
//!
//! Every context runs on the thread that called `run`. A task is a fiber. A handler runs on the
//! fiber that it interrupts. [`Machine::leave`] resumes the fiber of the next core, or gives the thread
//! back to it. All fibers share the machine by reference. So all that changes is in cells. No borrow of a
//! `RefCell` lives across a switch or a call of the application, but for those of the fibers.
//!
//! | module | question |
//! |---|---|
//! | `contexts` | which contexts are there, and which of them can run? |
//! | `points` | what does a context do at a point? |
//! | `decisions` | which event does the schedule choose? |
//! | `switches` | how does the thread go from fiber to fiber? |
//! | `waits` | which core runs next if a context cannot go on? |
//! | `interrupts` | when does a handler run? |
//! | `clock` | how does time pass? |
//! | `places` | where in the source is the last point of a context? |
//! | `footprint` | which runs differ only in the order of steps that commute? |

mod clock;
mod contexts;
mod decisions;
mod footprint;
mod interrupts;
mod places;
mod points;
mod switches;
mod waits;

use std::{
    cell::{Cell, RefCell},
    ptr,
    task::Waker,
};

use self::{footprint::Footprint, places::Places};
use crate::{
    choice::Chooser,
    crash::Place,
    failure::Cause,
    fibers::{Fiber, Yielder},
    plan::Plan,
    schedule::{Action, Deviation, Granularity},
    symbols,
    trace::Trace,
};

thread_local! {
    static CURRENT: Cell<*const Machine<'static>> = const { Cell::new(ptr::null()) };
}

/// The state of a context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It can go on.
    Ready,
    /// It waits for its waker, or for its deadline.
    Parked,
    /// It computes until its deadline.
    Busy,
    /// It waits until another core leaves its critical section.
    Section,
    /// It waits until nothing else can happen.
    Quiet,
    /// Its code has ended.
    Ended,
}

/// A time, in nanoseconds, that never comes.
const NEVER: u64 = u64::MAX;

/// A context: a task or an interrupt.
struct Context {
    core: usize,
    state: Cell<State>,
    /// The time that ends `Parked` or `Busy`.
    deadline: Cell<u64>,
    /// The time that a `Busy` context still computes, while another context has its core.
    left: Cell<u64>,
    /// The label of its last point.
    label: Cell<&'static str>,
    /// The yielder of the fiber that it runs on.
    yielder: Cell<*const Yielder>,
    /// Its waker was woken since its last `park` returned. For an interrupt: it is pending.
    is_signalled: Cell<bool>,
    /// The number of jobs that run on the task's stack, be it in a handler there.
    jobs: Cell<u32>,
    /// The interrupt is being served.
    is_active: Cell<bool>,
    /// A panic unwinds in the context.
    is_unwinding: Cell<bool>,
    /// The number of times that an interrupt fired.
    fired: Cell<u32>,
    /// How often the interrupt may still fire by itself.
    spontaneous_left: Cell<u32>,
    /// The time at which a periodic interrupt fires next.
    next_tick: Cell<u64>,
}

impl Context {
    fn new(core: usize) -> Self {
        Self {
            core,
            state: Cell::new(State::Ready),
            deadline: Cell::new(NEVER),
            left: Cell::new(0),
            label: Cell::new("start"),
            yielder: Cell::new(ptr::null()),
            is_signalled: Cell::new(false),
            jobs: Cell::new(0),
            is_active: Cell::new(false),
            is_unwinding: Cell::new(false),
            fired: Cell::new(0),
            spontaneous_left: Cell::new(0),
            next_tick: Cell::new(NEVER),
        }
    }
}

/// A core.
struct Core {
    /// It has several tasks.
    is_shared: bool,
    /// The task whose stack the core uses.
    task: Cell<usize>,
    /// The interrupts that are active, the innermost last.
    active: RefCell<Vec<usize>>,
    /// The innermost interrupt, or the task: a copy of what `active` and `task` say.
    top: Cell<usize>,
    /// The priority of the innermost interrupt, or 0.
    level: Cell<u8>,
    /// Interrupts are masked, since the core is in a critical section or enters one.
    is_masked: Cell<bool>,
    stalled_until: Cell<u64>,
    is_hung: Cell<bool>,
    hangs_until: Cell<u64>,
    /// The last point was one of a loop that waits.
    is_spinning: Cell<bool>,
    /// The address that its context accesses next. At a point that is no access: the one that it
    /// accessed last.
    address: Cell<*const ()>,
    /// Another task of the same priority has its turn.
    is_turn_over: Cell<bool>,
}

/// The outcome of a run.
pub(crate) struct Ended {
    pub(crate) cause: Option<Cause>,
    /// The context that failed.
    pub(crate) context: String,
    pub(crate) points: u64,
    pub(crate) switches: u64,
    pub(crate) deviations: Vec<Deviation>,
    pub(crate) trace: Trace,
    pub(crate) hash: u64,
    /// How often each interrupt fired, and the faults that happened.
    pub(crate) fired: Vec<u32>,
    pub(crate) stalls: u32,
    pub(crate) hangs: u32,
    pub(crate) jobs: u64,
    pub(crate) depth: usize,
    pub(crate) footprint: Option<u64>,
    /// The address of a static of the core's that the plan does not name.
    pub(crate) unnamed: Option<usize>,
}

/// The chip in one run.
pub(crate) struct Machine<'r> {
    plan: &'r Plan<'r>,
    contexts: Vec<Context>,
    cores: Vec<Core>,
    /// The fibers of the tasks. One that runs, or waits for one that it has resumed, is borrowed.
    fibers: Vec<RefCell<Fiber>>,
    chooser: RefCell<Chooser>,
    trace: RefCell<Trace>,
    is_traced: bool,
    granularity: Granularity,
    /// The number of the point, of the first one that needs a look, and of the first one that needs it
    /// for another reason than the schedule.
    step: Cell<u64>,
    next_look: Cell<u64>,
    next_event_look: Cell<u64>,
    /// The next point needs a look.
    is_look_wanted: Cell<bool>,
    /// The core that goes on after a switch looks at its next point.
    looks_after_switches: bool,
    /// The schedule wants to know of each look in a loop that waits.
    hears_of_spins: bool,
    /// The step at which the core that runs began to.
    since: Cell<u64>,
    /// The time at `time_step`, in nanoseconds, and the cost of a point.
    time: Cell<u64>,
    time_step: Cell<u64>,
    pace: u64,
    /// The core that runs, or comes next.
    core: Cell<usize>,
    /// The yielder of the current context. `Context::yielder` has those of all.
    yielder: Cell<*const Yielder>,
    /// The label of the current context's last point. `Context::label` has those of the others.
    label: Cell<&'static str>,
    /// The last point of the current core was one of a loop that waits.
    is_spinning: Cell<bool>,
    /// The core in the critical section.
    section: Cell<Option<usize>>,
    /// The last step at which a context did more than look.
    active_at: Cell<u64>,
    /// The time at which all contexts began to only look.
    idle_since: Cell<u64>,
    is_calm: Cell<bool>,
    heals_by: Cell<u64>,
    main_has_ended: Cell<bool>,
    ended_at: Cell<u64>,
    has_ended: Cell<bool>,
    /// Wakers, each with the time that wakes it.
    timers: RefCell<Vec<(u64, Waker)>>,
    cause: RefCell<Option<(Cause, String)>>,
    deviations: RefCell<Vec<Deviation>>,
    switches: Cell<u64>,
    stalls_left: Cell<u32>,
    stalls: Cell<u32>,
    hangs: Cell<u32>,
    jobs: Cell<u64>,
    depth: Cell<usize>,
    hash: Cell<u64>,
    footprint: Option<RefCell<Footprint>>,
    places: Places,
    /// The addresses of the program's statics, in a run that is recorded.
    extent: (usize, usize),
    /// The first address that the core accesses in a static that the plan does not name.
    unnamed: Cell<Option<usize>>,
    /// The address of the current core's access. `Core::address` has those of the others.
    address: Cell<*const ()>,
}

/// A run that has more points ends as failed.
const MOST_POINTS: u64 = 200_000;
/// A core that has run for more points lets the others run.
const FAIR: u64 = 4_096;
/// Contexts that only look, for this many points in a row, let time pass faster.
const LOOKS: u64 = 64;
/// They let it pass faster again after this many further points.
const LOOKS_STEP: u64 = 64;
/// If nothing can happen by itself, contexts that spin for more points wait for ever.
const MOST_LOOKS: u64 = 20_000;
/// The time, in nanoseconds, that contexts which only look let pass at most: a day.
const LONGEST_LOOK: u64 = 86_400_000_000_000;
/// If nothing else can happen, an interrupt that fires by itself does so within a second.
const LONGEST_WAIT: u64 = 1_000_000_000;
/// If time jumps so often and no context can go on, such as with a timer whose interrupt is masked for
/// good, all wait for ever.
const MOST_JUMPS: u64 = 100_000;
/// The virtual time, in nanoseconds, in which all else has to end after the test.
const MOST_AFTER: u64 = 3_600_000_000_000;

impl<'r> Machine<'r> {
    pub(crate) fn new(
        plan: &'r Plan<'r>,
        mut chooser: Chooser,
        granularity: Granularity,
        is_traced: bool,
    ) -> Self {
        let tasks = plan.tasks.iter().map(|task| Context::new(task.core));
        let interrupts = plan.interrupts.iter().map(|irq| Context::new(irq.core));
        let contexts: Vec<_> = tasks.chain(interrupts).collect();
        let cores = (0..plan.cores)
            .map(|core| {
                let first = plan.first_task_of(core);
                Core {
                    is_shared: plan.tasks.iter().filter(|task| task.core == core).count() > 1,
                    task: Cell::new(first),
                    active: RefCell::new(Vec::new()),
                    top: Cell::new(first),
                    level: Cell::new(0),
                    is_masked: Cell::new(false),
                    stalled_until: Cell::new(0),
                    is_hung: Cell::new(false),
                    hangs_until: Cell::new(NEVER),
                    is_spinning: Cell::new(false),
                    address: Cell::new(ptr::null()),
                    is_turn_over: Cell::new(false),
                }
            })
            .collect();
        let pace = 100 + chooser.draw(("chip", "pace", 1), 900);
        let machine = Self {
            plan,
            contexts,
            cores,
            fibers: plan.tasks.iter().map(|_| RefCell::default()).collect(),
            looks_after_switches: chooser.looks_after_switches(),
            hears_of_spins: chooser.hears_of_spins(),
            chooser: RefCell::new(chooser),
            trace: RefCell::new(Trace::default()),
            is_traced,
            granularity,
            step: Cell::new(0),
            next_look: Cell::new(0),
            next_event_look: Cell::new(0),
            is_look_wanted: Cell::new(false),
            since: Cell::new(0),
            time: Cell::new(0),
            time_step: Cell::new(0),
            pace,
            core: Cell::new(0),
            yielder: Cell::new(ptr::null()),
            label: Cell::new("start"),
            is_spinning: Cell::new(false),
            section: Cell::new(None),
            active_at: Cell::new(0),
            idle_since: Cell::new(0),
            is_calm: Cell::new(false),
            heals_by: Cell::new(NEVER),
            main_has_ended: Cell::new(false),
            ended_at: Cell::new(0),
            has_ended: Cell::new(false),
            timers: RefCell::new(Vec::new()),
            cause: RefCell::new(None),
            deviations: RefCell::new(Vec::new()),
            switches: Cell::new(0),
            stalls_left: Cell::new(plan.stalls.most),
            stalls: Cell::new(0),
            hangs: Cell::new(0),
            jobs: Cell::new(0),
            depth: Cell::new(0),
            hash: Cell::new(0xcbf2_9ce4_8422_2325),
            footprint: plan.counts_distinct.then(RefCell::default),
            places: Places::default(),
            extent: if is_traced { symbols::extent() } else { (0, 0) },
            unnamed: Cell::new(None),
            address: Cell::new(ptr::null()),
        };
        if pace != 100 {
            machine.note("chip", "pace", 1, Action::Draw(pace - 100));
        }
        for (number, irq) in plan.interrupts.iter().enumerate() {
            let context = machine.interrupt_context(number);
            context.spontaneous_left.set(irq.spontaneous);
            if let Some(ticks) = irq.ticks {
                machine.set_next_tick(number, ticks);
            }
        }
        machine
    }

    /// The fibers of the tasks, for code that puts them in and takes them out.
    pub(crate) fn fibers(&self) -> &[RefCell<Fiber>] {
        &self.fibers
    }

    /// Finds the places of these points, each given by its step and its context.
    pub(crate) fn finds_places(mut self, points: Vec<(u64, usize)>) -> Self {
        self.places = Places::of(points);
        self
    }

    /// The machine that the calling thread simulates, if it does and a context is running.
    pub(crate) fn current() -> Option<&'static Machine<'static>> {
        // SAFETY: `drive` sets the pointer, and takes it back before it ends, be it by a panic. The machine
        // outlives that call. The reference does not leave the call that asked for it.
        unsafe { CURRENT.get().as_ref() }
    }

    /// Where the calling thread is, for a report in a signal's handler: it takes no lock and no memory.
    pub(crate) fn place() -> Option<Place> {
        let machine = Self::current()?;
        Some((machine.name(machine.here()), machine.label.get()))
    }

    /// Ends the run as failed. On a fiber it does not return.
    pub(crate) fn fail(&self, cause: Cause) {
        self.end_as_failed(cause);
        if !CURRENT.get().is_null() {
            self.leave(self.core.get());
        }
    }

    /// A panic with this text was observed by no party.
    pub(crate) fn fail_unobserved(&self, text: &str) {
        if self.plan.fails_unobserved {
            self.fail(Cause::Unobserved(text.into()));
        }
    }

    fn end_as_failed(&self, cause: Cause) {
        let name = self.name(self.here()).to_string();
        self.cause.borrow_mut().get_or_insert((cause, name));
        self.has_ended.set(true);
    }

    fn fail_by_panic(&self, payload: &(dyn std::any::Any + Send)) {
        let (text, place) = crate::panics::last(payload);
        self.fail(Cause::Panic { text, place });
    }

    pub(crate) fn into_ended(self) -> (Ended, Chooser) {
        let (cause, context) = self.cause.into_inner().unzip();
        let interrupts = &self.contexts[self.plan.tasks.len()..];
        let ended = Ended {
            cause,
            context: context.unwrap_or_default(),
            points: self.step.get(),
            switches: self.switches.get(),
            deviations: self.deviations.into_inner(),
            trace: self.trace.into_inner(),
            hash: self.hash.get(),
            fired: interrupts.iter().map(|irq| irq.fired.get()).collect(),
            stalls: self.stalls.get(),
            hangs: self.hangs.get(),
            jobs: self.jobs.get(),
            depth: self.depth.get(),
            footprint: self
                .footprint
                .map(|footprint| footprint.into_inner().number()),
            unnamed: self.unnamed.get(),
        };
        (ended, self.chooser.into_inner())
    }

    /// The most slots that hung cores may hold: one for each job, and one for a call that was under
    /// way.
    pub(crate) fn hung_slots(&self) -> usize {
        let tasks = &self.contexts[..self.plan.tasks.len()];
        let hung = tasks
            .iter()
            .filter(|task| self.cores[task.core].is_hung.get());
        hung.map(|task| task.jobs.get() as usize + 1).sum()
    }

    /// Whether the rest of the application has come to rest after the end of the test.
    fn is_settled(&self) -> bool {
        let quiet = |context: &Context| {
            let is_done = context.jobs.get() == 0
                && !context.is_active.get()
                && context.state.get() != State::Busy;
            self.cores[context.core].is_hung.get() || is_done
        };
        let hung = self.hung_slots();
        self.contexts.iter().all(quiet)
            && self.plan.pools.iter().all(|pool| {
                let pool = pool.pool;
                pool.unfinished() <= hung && pool.free_slots() + hung >= pool.capacity()
            })
    }
}
