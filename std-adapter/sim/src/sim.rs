//! The simulation as a test declares it.

mod run;
mod statics;

use std::{fmt, ops::RangeBounds, path::PathBuf, time::Duration};

use crate::{
    full,
    plan::{
        HangPlan, Interrupt, InterruptPlan, Plan, PoolPlan, Returns, TaskPlan, Ticks, sealed::Pool,
    },
    pools::SimPool,
    port::MAX_TASKS,
    schedule::{Granularity, Span, nanos},
};

/// A simulated chip with its application, and what may happen to it.
pub struct Sim<'a> {
    plan: Plan<'a>,
    everywhere: usize,
    exhaustive: Option<u64>,
    granularity: Option<Granularity>,
    first_seed: u64,
    regressions: Option<PathBuf>,
}

impl fmt::Debug for Sim<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sim")
            .field("cores", &self.plan.cores)
            .field("tasks", &self.plan.tasks.len())
            .field("interrupts", &self.plan.interrupts.len())
            .field("pools", &self.plan.pools.len())
            .finish_non_exhaustive()
    }
}

impl<'a> Sim<'a> {
    /// A chip with this many cores, 1 to 32. Core 0 runs the scenario.
    ///
    /// # Panics
    ///
    /// The number is out of its bounds.
    #[track_caller]
    pub fn new(cores: usize) -> Self {
        assert!(
            (1..=32).contains(&cores),
            "a simulated chip has 1 to 32 cores, and not {cores}"
        );
        let main = TaskPlan {
            name: "core 0".into(),
            core: 0,
            priority: 0,
            body: None,
        };
        Self {
            plan: Plan {
                cores,
                tasks: vec![main],
                interrupts: Vec::new(),
                alarm: None,
                pools: Vec::new(),
                statics: Vec::new(),
                crates: Vec::new(),
                stalls: Default::default(),
                hangs: vec![None; cores],
                spurious: false,
                heal_limit: Duration::from_secs(60),
                fails_unobserved: true,
                counts_distinct: false,
            },
            everywhere: 0,
            exhaustive: None,
            granularity: None,
            first_seed: 0,
            regressions: None,
        }
    }

    #[track_caller]
    fn check_core(&self, core: usize) {
        let cores = self.plan.cores;
        let known = match cores - 1 {
            0 => "core 0 only".into(),
            last => format!("the cores 0 to {last}"),
        };
        assert!(
            core < cores,
            "core {core} does not exist: `Sim::new({cores})` has {known}. Raise it, or lower the core's number"
        );
    }

    /// Takes a pool into the simulation. At the beginning of each run the pool is as after power-on, and
    /// has the chip's port. At the end of each run, all of its slots have to be free. So no run may keep a
    /// future of the pool for the next one: the slot is not free, and the run fails.
    ///
    /// Only simulated code may use the pool.
    pub fn pool(&mut self, pool: &'static impl SimPool) -> &mut Self {
        if self.number_of(pool).is_none() {
            self.plan.statics.push(pool.at_power_on());
            self.plan.pools.push(PoolPlan {
                pool,
                has_workers: false,
                pends: None,
            });
        }
        self
    }

    fn number_of(&self, pool: &impl SimPool) -> Option<usize> {
        let mut pools = self.plan.pools.iter();
        pools.position(|known| known.pool.address() == pool.address())
    }

    fn number(&mut self, pool: &'static impl SimPool) -> usize {
        self.pool(pool);
        self.number_of(pool).unwrap_or_default()
    }

    #[track_caller]
    fn task_with(
        &mut self,
        core: usize,
        priority: u8,
        name: String,
        body: Box<dyn Fn(usize) + 'a>,
    ) {
        self.check_core(core);
        assert!(
            self.plan.tasks.len() < MAX_TASKS,
            "a simulated chip has at most {MAX_TASKS} tasks"
        );
        self.plan.tasks.push(TaskPlan {
            name,
            core,
            priority,
            body: Some(body),
        });
    }

    /// Each core of the range runs a worker of the pool. The call names the pool, as [`pool`](Self::pool) does.
    ///
    /// # Panics
    ///
    /// A core is not one of the chip's.
    #[track_caller]
    pub fn workers(
        &mut self,
        cores: impl RangeBounds<usize> + IntoIterator<Item = usize>,
        pool: &'static impl SimPool,
    ) -> &mut Self {
        for core in cores {
            self.worker_at(core, 0, pool);
        }
        self
    }

    /// A worker of the pool as an RTOS task of this priority on a core. A task of a higher priority
    /// on the same core preempts it. The scenario is a task of priority 0 on core 0. A submit
    /// wakes the sleeping worker of the highest priority.
    ///
    /// # Panics
    ///
    /// The core is not one of the chip's.
    #[track_caller]
    pub fn worker_at(
        &mut self,
        core: usize,
        priority: u8,
        pool: &'static impl SimPool,
    ) -> &mut Self {
        self.blocked_callers_wait(pool);
        let mut name = format!("core {core}");
        if self.plan.tasks.iter().any(|task| task.name == name) {
            name = format!("worker {}", self.plan.tasks.len());
        }
        let body = move |task| Pool::run(pool, task);
        self.task_with(core, priority, name, Box::new(body));
        self
    }

    /// Callers that block wait until another context has run the job, as with
    /// [`workers`](Self::workers). A pool whose workers are [`task`](Self::task)s of the test's own needs
    /// this call. In a pool without workers, callers run the jobs themselves.
    pub fn blocked_callers_wait(&mut self, pool: &'static impl SimPool) -> &mut Self {
        let number = self.number(pool);
        self.plan.pools[number].has_workers = true;
        self
    }

    /// An RTOS task of this priority on a core. A higher number is more urgent.
    ///
    /// # Panics
    ///
    /// The core is not one of the chip's.
    #[track_caller]
    pub fn task(
        &mut self,
        core: usize,
        name: &str,
        priority: u8,
        body: impl Fn() + 'a,
    ) -> &mut Self {
        self.task_with(core, priority, name.into(), Box::new(move |_| body()));
        self
    }

    /// An interrupt of core 0. A higher priority is more urgent, and 1 is the least: it interrupts
    /// what runs at a lower one. It fires when it is pended, by [`Chip::raise`](crate::Chip::raise) or by a pool, and
    /// when it is [`spontaneous`](Self::spontaneous). It never interrupts itself. The simulation fails, as one that
    /// shows too little, if the interrupt fires in no run.
    ///
    /// # Panics
    ///
    /// The priority is 0.
    #[track_caller]
    pub fn interrupt(&mut self, name: &str, priority: u8, handler: impl Fn() + 'a) -> Interrupt {
        self.interrupt_on(0, name, priority, handler)
    }

    /// An interrupt of this core: see [`interrupt`](Self::interrupt).
    ///
    /// # Panics
    ///
    /// The priority is 0, or the core is not one of the chip's.
    #[track_caller]
    pub fn interrupt_on(
        &mut self,
        core: usize,
        name: &str,
        priority: u8,
        handler: impl Fn() + 'a,
    ) -> Interrupt {
        self.check_core(core);
        assert!(
            priority > 0,
            "the interrupt `{name}` has priority 0, which is that of the tasks: 1 is the least"
        );
        self.plan.interrupts.push(InterruptPlan {
            name: name.into(),
            core,
            priority,
            handler: Box::new(handler),
            spontaneous: 0,
            ticks: None,
        });
        Interrupt(self.plan.interrupts.len() - 1)
    }

    /// An interrupt that a timer of this core pends again and again. The period is drawn anew for
    /// each tick. A tick that comes while the last one is still pending is lost, as on a chip.
    ///
    /// # Panics
    ///
    /// As [`interrupt_on`](Self::interrupt_on), or the period is zero.
    #[track_caller]
    pub fn every(
        &mut self,
        period: impl Into<Span>,
        core: usize,
        name: &str,
        priority: u8,
        handler: impl Fn() + 'a,
    ) -> Interrupt {
        let period = period.into();
        assert!(
            !period.least.is_zero(),
            "the interrupt `{name}` has a period of zero"
        );
        let interrupt = self.interrupt_on(core, name, priority, handler);
        let least = nanos(period.least);
        self.plan.interrupts[interrupt.0].ticks = Some(Ticks {
            period: least,
            jitter: nanos(period.most) - least,
        });
        interrupt
    }

    /// The interrupt fires at any moment. The upper end of the range bounds how often it does in a run. In
    /// some seeds it comes as a storm: from some point on, at each point until it has fired as often as it
    /// may.
    ///
    /// # Panics
    ///
    /// The range has no upper end.
    #[track_caller]
    pub fn spontaneous(&mut self, interrupt: Interrupt, times: impl RangeBounds<u32>) -> &mut Self {
        self.plan.interrupts[interrupt.0].spontaneous = upper_end("spontaneous", &times);
        self
    }

    /// The pool's port pends this interrupt whenever work is queued and no idle worker is left. Its
    /// handler runs the jobs, by [`run_pending`](corepool::StaticPool::run_pending).
    pub fn pends(&mut self, pool: &'static impl SimPool, interrupt: Interrupt) -> &mut Self {
        let number = self.number(pool);
        self.plan.pools[number].pends = Some(interrupt.0);
        self
    }

    /// A core stalls at any moment, for at most `longest`. The upper end of the range bounds how often
    /// that happens in a run. Only a stall lets a timeout pass while a context could go on.
    ///
    /// # Panics
    ///
    /// The range has no upper end.
    #[track_caller]
    pub fn stall(&mut self, times: impl RangeBounds<u32>, longest: Duration) -> &mut Self {
        self.plan.stalls.most = upper_end("stall", &times);
        self.plan.stalls.longest = nanos(longest);
        self
    }

    /// A core hangs at any moment outside of critical sections and handlers, once in a run.
    ///
    /// # Panics
    ///
    /// The core is not one of the chip's.
    #[track_caller]
    pub fn hang(&mut self, core: usize) -> Hang<'_> {
        self.check_core(core);
        let plan = self.plan.hangs[core].insert(HangPlan {
            in_a_job: false,
            returns: Returns::Never,
        });
        Hang(plan)
    }

    /// A park returns without a reason, at any moment.
    pub fn spurious_wakes(&mut self) -> &mut Self {
        self.plan.spurious = true;
        self
    }

    /// Panics that no party observes fail no run: those of callbacks, and of jobs without a handle.
    pub fn allow_unobserved_panics(&mut self) -> &mut Self {
        self.plan.fails_unobserved = false;
        self
    }

    /// The pool becomes full at any moment. An interrupt of core 0 takes all slots that are free then, for
    /// a drawn time of at most `longest`. The upper end of the range bounds how often that happens in a
    /// run. Returns that interrupt.
    ///
    /// # Panics
    ///
    /// The range has no upper end.
    #[track_caller]
    pub fn kept_full(
        &mut self,
        pool: &'static impl SimPool,
        times: impl RangeBounds<u32>,
        longest: Duration,
    ) -> Interrupt {
        let most = upper_end("kept_full", &times);
        let number = self.number(pool);
        let name = format!("pool {number} is full");
        // The alarm gives the slots back, so it is more urgent.
        let full = self.interrupt(&name, u8::MAX - 1, move || {
            full::take(pool, number, longest)
        });
        self.spontaneous(full, 0..=most);
        full
    }

    /// The virtual time in which the scenario has to end after [`Chip::heal`](crate::Chip::heal). One minute if this is
    /// not called.
    pub fn heal_within(&mut self, limit: Duration) -> &mut Self {
        self.plan.heal_limit = limit;
        self
    }

    /// Before the random runs, runs all schedules with up to this many deviations from the plain order:
    /// each event that may happen, at each point. The number of runs is that of the points to this power,
    /// times the events.
    pub fn everywhere(&mut self, deviations: usize) -> &mut Self {
        self.everywhere = deviations;
        self
    }

    /// Before the random runs, runs all schedules: each event that may happen, at each point, in any
    /// number. It suits a small scenario, since the number of runs grows exponentially with its points.
    /// The simulation fails, as one that shows too little, if there are more than `most` schedules.
    ///
    /// A value that a run draws is its least or its most. Without
    /// [`granularity`](Self::granularity) these runs have [`Granularity::Calls`].
    pub fn exhaustive(&mut self, most: u64) -> &mut Self {
        self.exhaustive = Some(most);
        self
    }

    /// Counts the runs that differ by more than the order of steps that commute:
    /// [`Report::distinct`](crate::Report::distinct). If the number grows no more, further seeds show nothing new. The count
    /// makes runs about twice as long.
    pub fn count_distinct(&mut self) -> &mut Self {
        self.plan.counts_distinct = true;
        self
    }

    /// All runs have this granularity. Without this call, three of four seeds have
    /// [`Granularity::Calls`], the others [`Granularity::Atomics`].
    pub fn granularity(&mut self, granularity: Granularity) -> &mut Self {
        self.granularity = Some(granularity);
        self
    }

    /// The random runs take their seeds from this number on. The default is 0.
    pub fn first_seed(&mut self, seed: u64) -> &mut Self {
        self.first_seed = seed;
        self
    }

    /// The file of the regressions: a failing run's least schedule is appended to it, and the search
    /// runs the schedules of its lines first. A line is the test's name, a space, and a schedule; lines
    /// that begin with `#` are skipped. Several tests may share the file, which need not be there.
    ///
    /// A relative path counts from the package's folder, in which `cargo test` runs. The variable
    /// `COREPOOL_SIM_REGRESSIONS` names another file.
    pub fn regressions(&mut self, file: impl Into<PathBuf>) -> &mut Self {
        self.regressions = Some(file.into());
        self
    }
}

/// How a core hangs: see [`Sim::hang`].
#[derive(Debug)]
pub struct Hang<'s>(&'s mut HangPlan);

impl Hang<'_> {
    /// The core hangs only while it runs a job.
    pub fn in_a_job(self) -> Self {
        self.0.in_a_job = true;
        self
    }

    /// When the core goes on. Without this call it never does.
    pub fn returns(self, returns: Returns) -> Self {
        self.0.returns = returns;
        self
    }
}

#[track_caller]
fn upper_end(call: &str, times: &impl RangeBounds<u32>) -> u32 {
    match times.end_bound() {
        std::ops::Bound::Included(most) => *most,
        std::ops::Bound::Excluded(end) => end.saturating_sub(1),
        std::ops::Bound::Unbounded => panic!(
            "the range of `{call}` has no upper end, and it bounds how often that happens in a run: name one, such as `0..=3`"
        ),
    }
}
