//! A scheduler with strict priorities, as an RTOS has them on one core.
//!
//! The most urgent thread that does not sleep goes on, and nobody else. One of the less urgent, the
//! victim, counts its steps; before its k-th the clock strikes, which wakes the more urgent ones
//! that wait for it: as a timer's interrupt would. From there on the victim goes on when the others
//! sleep, and only then.
//!
//! A caller that waits in a way that is not sleep keeps the core from those it waits for. That shows
//! as [`PATIENCE`] steps of the more urgent thread in which no thread below ran. The verdict is noted,
//! and then all take turns and are woken for no reason, so that each execution comes to its end.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use shuttle::{
    Config, FailurePersistence, MaxSteps, Runner,
    current::me,
    scheduler::{Schedule, Scheduler, Task, TaskId},
    thread::{self, JoinHandle},
};

use crate::machine;

/// When the clock strikes.
pub const MOMENT: Duration = Duration::from_secs(1);
/// Steps that the more urgent may take while those below are not let on. The longest call takes some
/// hundreds.
const PATIENCE: usize = 4_000;
/// Steps in which everything must end, though all sleep in the right way.
const MOST: usize = 60_000;
/// Steps in which everything ends, once all take turns.
const MOST_IN_TURNS: usize = 400_000;

/// How urgent a thread is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// The thread that prepares the execution and closes it.
    Main,
    /// Works when nobody else does.
    Background,
    /// The thread that is stopped.
    Victim,
    /// The thread that goes on whenever it can.
    Urgent,
}

/// The knowledge of scheduler and threads of each other.
#[derive(Default)]
pub struct Stage {
    /// By the threads' numbers; the first is the main one.
    threads: Mutex<Vec<(Urgency, String)>>,
    victim: AtomicUsize,
    counting: AtomicBool,
    steps: AtomicUsize,
    stopped: AtomicBool,
    finding: Mutex<Option<String>>,
}

impl Stage {
    /// A thread.
    pub fn spawn(
        &self,
        urgency: Urgency,
        name: impl Into<String>,
        f: impl FnOnce() + Send + 'static,
    ) -> JoinHandle<()> {
        self.threads.lock().unwrap().push((urgency, name.into()));
        thread::spawn(f)
    }

    /// Runs `operation`, whose steps are the ones that count.
    pub fn counted(&self, operation: impl FnOnce()) {
        self.victim.store(me().into(), SeqCst);
        self.counting.store(true, SeqCst);
        operation();
        self.counting.store(false, SeqCst);
    }

    /// Whether the clock struck at the victim's step.
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(SeqCst)
    }

    /// Notes what must not be; the first counts.
    pub fn find(&self, what: impl Into<String>) {
        self.finding.lock().unwrap().get_or_insert(what.into());
    }

    /// The finding, if there is one.
    pub fn finding(&self) -> Option<String> {
        self.finding.lock().unwrap().clone()
    }

    fn urgency(&self, task: TaskId) -> Urgency {
        let threads = self.threads.lock().unwrap();
        match usize::from(task).checked_sub(1) {
            None => Urgency::Main,
            Some(number) => threads[number].0,
        }
    }

    fn name(&self, task: TaskId) -> String {
        let threads = self.threads.lock().unwrap();
        match usize::from(task).checked_sub(1) {
            None => "the main thread".into(),
            Some(number) => threads[number].1.clone(),
        }
    }
}

struct Strict {
    stage: Arc<Stage>,
    stop_before: usize,
    /// Steps since anybody below the urgent ones was let on.
    kept: usize,
    total: usize,
    /// All take turns, since something was found.
    in_turns: Option<usize>,
    done: bool,
}

impl Strict {
    /// The victim asks for its next step: is it the one before which the clock strikes?
    fn count(&self, current: Option<TaskId>) {
        let stage = &self.stage;
        if stage.counting.load(SeqCst)
            && current.map(usize::from) == Some(stage.victim.load(SeqCst))
            && machine::now() < MOMENT
            && stage.steps.fetch_add(1, SeqCst) + 1 == self.stop_before
        {
            stage.stopped.store(true, SeqCst);
            machine::put_clock_to(MOMENT);
        }
    }

    fn find(&mut self, what: String) {
        self.stage.find(what);
        self.in_turns = Some(0);
    }

    /// Somebody who goes on, by the rule of turns.
    fn next_in_turn(&mut self, runnable: &[&Task], turn: usize) -> TaskId {
        assert!(
            turn < MOST_IN_TURNS,
            "no end even in turns, after: {:?}",
            self.stage.finding()
        );
        self.in_turns = Some(turn + 1);
        if turn.is_multiple_of(64) {
            machine::pass_time();
            machine::wake_all();
        }
        let awake = |task: &&&Task| !machine::sleeps(task.id().into());
        let count = runnable.iter().filter(awake).count();
        // If all are at a gate: whoever opens it is blocked by another means.
        let next = runnable.iter().filter(awake).nth(turn % count.max(1));
        next.unwrap_or(&runnable[0]).id()
    }
}

impl Scheduler for Strict {
    fn new_execution(&mut self) -> Option<Schedule> {
        machine::start();
        (!std::mem::replace(&mut self.done, true)).then(|| Schedule::new(0))
    }

    fn next_task(
        &mut self,
        runnable: &[&Task],
        current: Option<TaskId>,
        _is_yielding: bool,
    ) -> Option<TaskId> {
        self.count(current);
        if let Some(turn) = self.in_turns {
            return Some(self.next_in_turn(runnable, turn));
        }
        let awake = || {
            let tasks = runnable.iter().map(|task| task.id());
            tasks.filter(|&task| !machine::sleeps(task.into()))
        };
        while awake().next().is_none() {
            self.kept = 0;
            if !machine::pass_time() {
                self.find("all sleep, and nobody will wake them".into());
                return Some(self.next_in_turn(runnable, 0));
            }
        }
        // Among equals, who is at it goes on, or the first.
        let next = awake().max_by_key(|&task| {
            let at_it = Some(task) == current;
            (self.stage.urgency(task), at_it, std::cmp::Reverse(task))
        })?;
        self.total += 1;
        self.kept = match self.stage.urgency(next) {
            Urgency::Main | Urgency::Background => 0,
            _ => self.kept + 1,
        };
        if self.kept > PATIENCE {
            let name = self.stage.name(next);
            self.find(format!(
                "{name} ran {PATIENCE} steps without ending or sleeping"
            ));
        } else if self.total > MOST {
            self.find(format!("{MOST} steps, and no end"));
        }
        Some(next)
    }

    fn next_u64(&mut self) -> u64 {
        0
    }
}

/// Runs `body` once; the clock strikes before the victim's step of that number.
pub fn run(stop_before: usize, body: impl Fn(&Arc<Stage>) + Send + Sync + 'static) -> Arc<Stage> {
    let stage = Arc::new(Stage::default());
    let scheduler = Strict {
        stage: stage.clone(),
        stop_before,
        kept: 0,
        total: 0,
        in_turns: None,
        done: false,
    };
    let mut config = Config::new();
    config.max_steps = MaxSteps::None;
    config.failure_persistence = FailurePersistence::None;
    config.silence_warnings = true;
    let inner = stage.clone();
    Runner::new(scheduler, config).run(move || body(&inner));
    stage
}
