//! The parts of a simulation: cores, tasks, interrupts, pools, statics, and the faults that the
//! test allows.

use std::time::Duration;

use crate::{schedule::Span, statics::Static};

pub(crate) mod sealed {
    use std::any::Any;

    use crate::statics::Static;

    /// The services of a pool that a run needs.
    pub trait Pool: Sync {
        fn at_power_on(&'static self) -> Static;
        /// Installs the port of the pool with this number.
        fn install(&'static self, number: usize);
        /// Runs the jobs, as the task of this number.
        fn run(&self, task: usize);
        fn capacity(&self) -> usize;
        fn free_slots(&self) -> usize;
        fn unfinished(&self) -> usize;
        fn address(&self) -> *const ();
        /// Takes all slots that are free, until the value is dropped.
        fn take_free_slots(&'static self) -> Box<dyn Any + Send>;
    }
}

pub(crate) struct PoolPlan {
    pub(crate) pool: &'static dyn sealed::Pool,
    /// Tasks of the simulation are workers of the pool.
    pub(crate) has_workers: bool,
    /// The interrupt that the port pends when no idle worker is left.
    pub(crate) pends: Option<usize>,
}

pub(crate) struct TaskPlan<'a> {
    pub(crate) name: String,
    pub(crate) core: usize,
    pub(crate) priority: u8,
    /// The code, which is told the task's number. None: the scenario.
    pub(crate) body: Option<Box<dyn Fn(usize) + 'a>>,
}

/// The ticks of a periodic interrupt, in nanoseconds.
#[derive(Clone, Copy)]
pub(crate) struct Ticks {
    pub(crate) period: u64,
    /// The most by which a period is longer.
    pub(crate) jitter: u64,
}

/// An interrupt of the simulated chip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Interrupt(pub(crate) usize);

pub(crate) struct InterruptPlan<'a> {
    pub(crate) name: String,
    pub(crate) core: usize,
    pub(crate) priority: u8,
    pub(crate) handler: Box<dyn Fn() + 'a>,
    /// How often, at most, it fires by itself in a run.
    pub(crate) spontaneous: u32,
    pub(crate) ticks: Option<Ticks>,
}

/// The stalls that a test allows.
#[derive(Clone, Copy, Default)]
pub(crate) struct Stalls {
    pub(crate) most: u32,
    /// In nanoseconds.
    pub(crate) longest: u64,
}

/// When a core that hangs goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returns {
    /// Never.
    Never,
    /// After a time of this range.
    After(Span),
    /// Never, or after a time of this range.
    Sometimes(Span),
}

/// A core that hangs comes back in half of the runs, after 1 ms to 10 s.
pub fn sometimes_late() -> Returns {
    Returns::Sometimes((Duration::from_millis(1)..Duration::from_secs(10)).into())
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct HangPlan {
    pub(crate) in_a_job: bool,
    pub(crate) returns: Returns,
}

pub(crate) struct Plan<'a> {
    pub(crate) cores: usize,
    pub(crate) tasks: Vec<TaskPlan<'a>>,
    pub(crate) interrupts: Vec<InterruptPlan<'a>>,
    /// The interrupt, after all others, that wakes the wakers of timers.
    pub(crate) alarm: Option<usize>,
    pub(crate) pools: Vec<PoolPlan>,
    pub(crate) statics: Vec<Static>,
    /// The crates whose statics are reset, too.
    pub(crate) crates: Vec<String>,
    pub(crate) stalls: Stalls,
    /// For each core.
    pub(crate) hangs: Vec<Option<HangPlan>>,
    pub(crate) spurious: bool,
    pub(crate) heal_limit: Duration,
    /// A panic that no party observes fails the run.
    pub(crate) fails_unobserved: bool,
    /// Each run has a footprint.
    pub(crate) counts_distinct: bool,
}

impl Plan<'_> {
    /// The name of a context: a task, or after the tasks, an interrupt.
    pub(crate) fn name_of(&self, context: usize) -> &str {
        match context.checked_sub(self.tasks.len()) {
            None => &self.tasks[context].name,
            Some(interrupt) => &self.interrupts[interrupt].name,
        }
    }

    /// The task that a core begins with. Each core has one.
    pub(crate) fn first_task_of(&self, core: usize) -> usize {
        let tasks = self.tasks.iter().enumerate();
        tasks
            .filter(|(_, task)| task.core == core)
            .max_by_key(|(number, task)| (task.priority, usize::MAX - number))
            .map_or(0, |(number, _)| number)
    }
}
